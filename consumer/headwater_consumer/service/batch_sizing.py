"""Batch sizing: small batches while the projector keeps up, larger ones while it is behind.

A poll returns at once with what there is, so an idle projector's batches are small by themselves. When behind, a larger
batch shares its statements and its commit among more records, until it takes so long that waiting writers would notice.
"""

RECORDS_MIN = 500
RECORDS_MAX = 8_000  # larger ones gain nothing more, and take memory
BATCH_S_MAX = 1.0  # a writer that waits for one of its first records waits for all of it


class BatchSizer:
    """Doubles the size while full batches are quick, halves it after a slow one."""

    def __init__(self) -> None:
        self.records = RECORDS_MIN

    def record(self, records: int, seconds: float) -> None:
        """Adapt to the duration of a batch."""
        if seconds > BATCH_S_MAX:
            self.records = max(RECORDS_MIN, self.records // 2)
        elif records >= self.records and 2 * seconds < BATCH_S_MAX:
            self.records = min(RECORDS_MAX, self.records * 2)
