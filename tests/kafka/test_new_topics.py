"""Topics that become the log into which the records of another one are restored."""

from collections.abc import Sequence
from contextlib import closing

import pytest
from headwater_eventlog.kafka import KafkaEventLog, KafkaSettings
from headwater_eventlog.kafka.sender import OutgoingRecord, Sender
from headwater_schemas.errors import DurabilityUnknown, StoreNotOurs, StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST

from tests.kafka import topics
from tests.kafka.topics import PARTITIONS, WAIT_S, opened, records_of

ANCESTORS = ("0f" * 16, "5a" * 16)


def check_created(where: KafkaSettings) -> None:
    """It lists its ancestors once in each partition, for whoever opens it."""
    with closing(KafkaEventLog.create(where, ancestors=ANCESTORS, timeout_s=WAIT_S)) as log:
        assert set(log.ends().values()) == {0}
    with opened(where, create=False) as log:
        assert log.ancestors == ANCESTORS
        assert [len(log.read(partition, after=BEFORE_FIRST)) for partition in range(PARTITIONS)] == [1] * PARTITIONS


def test_a_topic_that_somebody_made_is_taken_while_it_is_empty(where: KafkaSettings) -> None:
    topics.make(where.topic)
    KafkaEventLog.check_can_create(where, ancestors=ANCESTORS)

    check_created(where)


def test_creating_a_topic_can_be_repeated_after_an_interruption(
    where: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, appended = Sender.append, list[int]()

    def once(sender: Sender, records: Sequence[OutgoingRecord], deadline: float) -> list[int]:
        if appended:
            raise DurabilityUnknown("interrupted")
        appended.extend(record.partition for record in records)
        return append(sender, records, deadline)

    with monkeypatch.context() as interrupted:
        interrupted.setattr(Sender, "append", once)
        with pytest.raises(DurabilityUnknown):
            KafkaEventLog.create(where, ancestors=ANCESTORS, timeout_s=WAIT_S)
    assert appended == [1, 2, 3]
    with opened(where, create=False) as log:
        assert log.ancestors == ()  # nobody believes those of an unfinished topic

    KafkaEventLog.check_can_create(where, ancestors=ANCESTORS)
    check_created(where)


def test_what_has_records_or_other_ancestors_is_refused_and_stays(where: KafkaSettings) -> None:
    with opened(where) as log:
        log.append(records_of("k", b"1", partition=2), timeout_s=WAIT_S)
        before = log.ends()

        for ancestors in (ANCESTORS, ANCESTORS[:1]):
            with pytest.raises(StoreNotOurs, match="has another log, and records are restored into a new one only"):
                KafkaEventLog.check_can_create(where, ancestors=ancestors)
            with pytest.raises(StoreNotOurs, match="has another log"):
                KafkaEventLog.create(where, ancestors=ancestors, timeout_s=WAIT_S)
        assert log.ends() == before


def test_a_restored_log_is_not_one_for_the_records_of_others(where: KafkaSettings) -> None:
    check_created(where)

    with pytest.raises(StoreNotOurs, match="has another log"):
        KafkaEventLog.create(where, ancestors=ANCESTORS[:1], timeout_s=WAIT_S)


def test_an_empty_topic_that_cannot_be_a_log_is_refused(where: KafkaSettings) -> None:
    topics.make(where.topic, retention_ms="1000")

    with pytest.raises(StoreUnavailable, match=r"retention\.ms is 1000, so records get lost"):
        KafkaEventLog.create(where, ancestors=ANCESTORS, timeout_s=WAIT_S)


def test_another_number_of_partitions_is_refused(where: KafkaSettings) -> None:
    topics.make(where.topic, partitions=PARTITIONS + 1)

    with pytest.raises(StoreNotOurs, match=rf"has {PARTITIONS + 1} partitions, not {PARTITIONS}"):
        KafkaEventLog.create(where, ancestors=ANCESTORS, timeout_s=WAIT_S)
