"""How many records are taken at once."""

from headwater_consumer.service.batch_sizing import BATCH_S_MAX, RECORDS_MAX, RECORDS_MIN, BatchSizer


def test_full_and_quick_batches_grow_to_a_bound() -> None:
    pace = BatchSizer()
    for _ in range(20):
        pace.record(pace.records, 0.01)

    assert pace.records == RECORDS_MAX


def test_small_batches_do_not_grow() -> None:
    pace = BatchSizer()
    pace.record(3, 0.01)

    assert pace.records == RECORDS_MIN


def test_slow_batches_shrink_to_a_bound() -> None:
    pace = BatchSizer()
    for _ in range(3):
        pace.record(pace.records, 0.01)
    grown = pace.records
    pace.record(pace.records, 2 * BATCH_S_MAX)

    assert pace.records == grown // 2
    for _ in range(20):
        pace.record(pace.records, 2 * BATCH_S_MAX)
    assert pace.records == RECORDS_MIN
