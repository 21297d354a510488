"""How soon a projector, or another member of a group, is missed that is killed or suspended."""

SESSION_S = 6.0  # of members that must not be missed, however busy the machine is
SHORT_SESSION_S = 3.0  # of members that a test kills or suspends, and waits for
