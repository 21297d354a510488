"""What can go wrong, and how often it does in one schedule."""

from enum import StrEnum
from random import Random

FAULTS_MAX = 12  # of one schedule; more only repeat each other, and each costs time
RATE_MAX = 0.4
_SCHEDULES_WITHOUT = 0.5  # how often a kind does not occur at all: a rare combination is as likely as a common one


class Crash(BaseException):
    """A virtual process ends here, as by SIGKILL. Not an Exception: nothing may catch it."""


class Violation(AssertionError):
    """A promise was broken. Says which, and what was found."""


class Fault(StrEnum):
    """One kind of trouble."""

    CRASH_BEFORE = "crash before"  # an effect: nothing of it happened
    CRASH_AFTER = "crash after"  # it happened, and nobody knows
    LOST_ACKNOWLEDGEMENT = "lost acknowledgement"  # appended, but the writer is told that this is not known
    LOST_APPEND = "lost append"  # the same, but nothing arrived
    TORN_APPEND = "torn append"  # a part of it arrived, such as when a leader crashed between two requests
    LATE_APPEND = "late append"  # it arrives later, perhaps after it was sent again
    DUPLICATE = "duplicate"  # old records arrive once more
    POISON = "poison"  # a record that does not decode
    TORN_BLOB = "torn blob"  # bytes of a stored object change, or their end or all of them is gone
    FULL_DISK = "full disk"  # of the log, the blobs or the database, until there is room again
    UNANSWERED = "unanswered"  # one call to the log or the blobs fails, the next may not
    UNHEARD = "unheard announcement"  # of how far the projection is; it is lost, or comes late
    STOPPED = "stopped partition"  # nobody projects it for a while
    TAKEN = "taken partition"  # another projector has locked its cursor, and then does nothing with it
    GAVE_WAY = "gave way"  # the database undoes a transaction that stood in the way of another one
    LOST_COMMITS = "lost commits"  # the database crashes, and the last transactions are gone


class Faults:
    """Decides, from the schedule's random numbers, whether trouble strikes."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._rates = {
            kind: 0.0 if random.random() < _SCHEDULES_WITHOUT else random.uniform(0.01, RATE_MAX) for kind in Fault
        }
        self._left = random.randint(0, FAULTS_MAX)

    def strikes(self, kind: Fault) -> bool:
        """Whether it happens now."""
        if self._left and self._random.random() < self._rates[kind]:
            self._left -= 1
            return True
        return False

    def can_strike(self, kind: Fault) -> bool:
        """Whether it may happen from here on."""
        return self._left > 0 and self._rates[kind] > 0

    def end(self) -> None:
        """From here on nothing goes wrong any more."""
        self._left = 0

    @property
    def over(self) -> bool:
        return self._left == 0
