"""The log of a store as the owner of its content."""

from headwater_blobs.ownership import Owner
from headwater_eventlog.port import EventLog


def owner_of(log: EventLog) -> Owner:
    """Whose content it is that the events of `log` name. Costs nothing."""
    return Owner(log.generation, tuple(log.ancestors))
