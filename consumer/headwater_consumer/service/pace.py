"""How many records to take at once: few while there are few, many when behind.

A poll gives what is there at once, so an idle projector's batches are small by themselves. When behind, a larger batch
shares its statements and its commit among more records, until it takes so long that waiting writers would notice.
"""

RECORDS_MIN = 500
RECORDS_MAX = 8_000  # larger ones gain nothing any more, and take memory
BATCH_S_MAX = 1.0  # that whoever waits for one of its first records waits for all of it


class Pace:
    """Doubles while full batches are quick, halves when one was slow."""

    def __init__(self) -> None:
        self.records = RECORDS_MIN

    def took(self, records: int, seconds: float) -> None:
        """Learn from a batch."""
        if seconds > BATCH_S_MAX:
            self.records = max(RECORDS_MIN, self.records // 2)
        elif records >= self.records and 2 * seconds < BATCH_S_MAX:
            self.records = min(RECORDS_MAX, self.records * 2)
