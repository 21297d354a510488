"""A topic that is not what it was, or never was fit to be a log."""

import threading
from typing import Any

import pytest
from headwater_eventlog.kafka import KafkaEventLog, KafkaSettings, topic
from headwater_eventlog.port import RecordsGone, identity_of
from headwater_schemas.errors import InvalidSettings, StoreError, StoreReadOnly, StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import MessageSizeTooLargeError, RecordListTooLargeError, UnknownTopicOrPartitionError

from tests.kafka import topics
from tests.kafka.topics import PARTITIONS, WAIT_S, opened, records_of
from tests.support.servers import servers


def test_a_topic_is_made_only_where_that_was_asked_for(where: KafkaSettings) -> None:
    with pytest.raises(StoreUnavailable, match=f"no topic '{where.topic}'"):
        KafkaEventLog.open(where, create=False)


def test_a_log_opened_for_reading_writes_nothing(log: KafkaEventLog, where: KafkaSettings) -> None:
    with opened(where, create=False, read_only=True) as reader:
        with pytest.raises(StoreReadOnly, match="nothing was written"):
            reader.append(records_of("k", b""), timeout_s=WAIT_S)
        assert set(reader.ends().values()) == {BEFORE_FIRST}


def test_a_topic_that_exists_keeps_its_number_of_partitions(where: KafkaSettings) -> None:
    topics.make(where.topic, partitions=2)

    with opened(where) as log:
        assert log.partitions == 2


def test_many_may_make_one_topic_at_once(where: KafkaSettings) -> None:
    found: list[str] = []

    def make() -> None:
        with opened(where) as log:
            found.append(log.generation)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert len(found) == 6
    assert len(set(found)) == 1


def test_a_new_topic_that_some_broker_has_not_heard_of_is_there_all_the_same(
    where: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe, lacking = KafkaAdminClient.describe_topics, 3

    def describe_topics(client: KafkaAdminClient, topics: list[str]) -> list[dict[str, Any]]:
        nonlocal lacking
        lacking -= 1
        unknown = {"error_code": UnknownTopicOrPartitionError.errno, "partitions": []}
        return describe(client, topics) if lacking < 0 else [unknown]

    monkeypatch.setattr(KafkaAdminClient, "wait_for_topics", lambda *_, **__: None)  # asked of another broker
    monkeypatch.setattr(KafkaAdminClient, "describe_topics", describe_topics)
    with opened(where) as log:
        assert log.partitions == PARTITIONS
    assert lacking < 0


def test_too_few_brokers_for_the_replication_are_named(where: KafkaSettings) -> None:
    with pytest.raises(StoreUnavailable, match="too few brokers for replication 99"):
        KafkaEventLog.open(KafkaSettings(where.servers, where.topic, replication=99), create=True)


@pytest.mark.parametrize(
    ("config", "advice"),
    [
        ({"retention_ms": "3600000"}, "retention.ms is 3600000, so records get lost: set it to -1"),
        ({"retention_bytes": "1000000"}, "retention.bytes is 1000000"),
        ({"cleanup_policy": "compact"}, "cleanup.policy is compact"),
        ({"message_timestamp_type": "CreateTime"}, "set it to LogAppendTime"),
        ({"max_message_bytes": "10000"}, "max.message.bytes is 10,000, too small"),
    ],
)
def test_a_topic_that_would_lose_records_is_refused(where: KafkaSettings, config: dict[str, str], advice: str) -> None:
    topics.make(where.topic, **config)

    with pytest.raises(StoreUnavailable, match=advice):
        KafkaEventLog.open(where, create=True)


def test_a_topic_made_anew_is_refused_by_a_log_that_is_open(log: KafkaEventLog, where: KafkaSettings) -> None:
    log.append(records_of("k", *[b"old"] * 5), timeout_s=WAIT_S)
    partition = log.partition_of("k")
    log.read(partition, after=BEFORE_FIRST)
    generation = log.generation

    topics.make_anew(where.topic)

    for ask in (
        lambda: log.append(records_of("k", b"new"), timeout_s=WAIT_S),
        lambda: log.ends(),
        lambda: log.end(partition),
    ):
        with pytest.raises(StoreUnavailable, match=f"deleted and created again: id {generation} .* was expected"):
            ask()
    with pytest.raises(StoreUnavailable, match=r"created again|Restore"):
        log.read(partition, after=4)


def test_a_topic_made_anew_is_refused_by_who_remembers_the_old_one(log: KafkaEventLog, where: KafkaSettings) -> None:
    remembered = identity_of(log)
    with opened(where, create=False, expect=remembered):
        pass

    topics.make_anew(where.topic)

    with pytest.raises(StoreUnavailable, match="start with an empty database"):
        KafkaEventLog.open(where, create=True, expect=remembered)


def test_a_topic_that_was_deleted_is_missed_and_not_made_by_asking(
    where: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic, "PROPAGATION_WAIT_S", 0.0)  # every broker knows it, so that it is missed at once
    with opened(where) as log:
        log.append(records_of("k", b"", partition=0), timeout_s=WAIT_S)
        log.read(0, after=BEFORE_FIRST)
        topics.delete(where.topic)

        with pytest.raises(StoreError):
            log.append(records_of("k", b""), timeout_s=2.0)
        with pytest.raises(StoreUnavailable, match="It existed with id"):
            log.append(records_of("k", b""), timeout_s=WAIT_S)
        with pytest.raises(StoreUnavailable, match="It existed with id"):
            log.read(0, after=0)
        assert not topics.exists(where.topic)


def test_another_number_of_partitions_is_refused(log: KafkaEventLog, where: KafkaSettings) -> None:
    remembered = identity_of(log)
    topics.add_partitions(where.topic, 6)

    with pytest.raises(StoreUnavailable, match="had 4 partitions and now has 6"):
        log.ends()
    with pytest.raises(StoreUnavailable, match="had 4 partitions and now has 6"):
        KafkaEventLog.open(where, create=True, expect=remembered)


def test_records_deleted_under_a_reader_are_named_and_never_skipped(log: KafkaEventLog, where: KafkaSettings) -> None:
    log.append(records_of("k", *[b"%d" % n for n in range(10)], partition=2), timeout_s=WAIT_S)
    topics.delete_records(where.topic, 2, before=6)

    with pytest.raises(RecordsGone, match=r"begins at offset 6.*from 3 to 5 were deleted. Restore them") as gone:
        log.read(2, after=2)
    assert gone.value.partition == 2
    assert topics.payloads(log, 2, after=5) == [b"6", b"7", b"8", b"9"]


def test_records_deleted_up_to_the_end_are_a_gap_too(log: KafkaEventLog, where: KafkaSettings) -> None:
    log.append(records_of("k", b"0", b"1", partition=0), timeout_s=WAIT_S)
    topics.delete_records(where.topic, 0, before=2)

    with pytest.raises(RecordsGone, match="begins at offset 2"):
        log.read(0, after=BEFORE_FIRST)
    assert log.read(0, after=1) == []


def test_a_position_beyond_the_end_is_refused(log: KafkaEventLog) -> None:
    with pytest.raises(RecordsGone, match="records are gone"):
        log.read(1, after=7)


def test_a_record_that_would_unfold_in_the_reader_is_refused_by_the_topic(
    log: KafkaEventLog, where: KafkaSettings
) -> None:
    hostile = KafkaProducer(bootstrap_servers=where.servers, compression_type="gzip", max_request_size=200_000_000)
    future = hostile.send(where.topic, b"\0" * 50_000_000, partition=0)

    with pytest.raises((MessageSizeTooLargeError, RecordListTooLargeError)):
        future.get(WAIT_S)
    hostile.close()
    assert log.end(0) == BEFORE_FIRST


def test_what_others_put_in_by_hand_comes_back(log: KafkaEventLog, where: KafkaSettings) -> None:
    other = KafkaProducer(bootstrap_servers=where.servers)
    for key, value in ((None, b"no key"), (b"\xff", b"not text"), (b"k", None)):
        other.send(where.topic, value, key, partition=0).get(WAIT_S)
    other.close()

    found = log.read(0, after=BEFORE_FIRST)
    assert [(record.key, record.payload) for record in found] == [("", b"no key"), ("\\xff", b"not text"), ("k", b"")]


def test_partitions_are_read_by_turns_and_from_the_beginning_again(log: KafkaEventLog) -> None:
    for _ in range(2):
        for partition in (0, 1):
            log.append(records_of("k", *[b"%d" % n for n in range(5)], partition=partition), timeout_s=WAIT_S)
        for partition in (0, 1):
            assert len(log.read(partition, after=3, limit=1)) == 1

    assert [len(topics.payloads(log, partition)) for partition in (0, 1)] == [10, 10]


def test_a_header_that_is_not_text_stops_the_reader_with_words(log: KafkaEventLog, where: KafkaSettings) -> None:
    log.append(records_of("k", b"good", partition=0), timeout_s=WAIT_S)
    topics.put_with_header(where.topic, 0, b"\xff\xfe")

    assert [record.payload for record in log.read(0, after=BEFORE_FIRST)] == [b"good"]
    with pytest.raises(StoreUnavailable, match="damaged or was not written by headwater"):
        log.read(0, after=0)
    with pytest.raises(StoreUnavailable, match="damaged or was not written by headwater"):
        log.read(0, after=0)


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(InvalidSettings, match="no Kafka server"):
        KafkaSettings(" , ", "t")
    with pytest.raises(InvalidSettings, match="no Kafka topic"):
        KafkaSettings("h:1", "")
    with pytest.raises(InvalidSettings, match="min_insync_replicas is 3 and replication 2"):
        KafkaSettings("h:1", "t", replication=2, min_insync_replicas=3)
    with pytest.raises(InvalidSettings, match="no setting sasl_password"):
        KafkaSettings("h:1", "t", client={"sasl_password": "x"})
    with pytest.raises(InvalidSettings, match="ssl_check_hostname must be bool, not str"):
        KafkaSettings("h:1", "t", client={"ssl_check_hostname": "false"})
    with pytest.raises(InvalidSettings, match="SASL_SSL needs sasl_mechanism"):
        KafkaSettings("h:1", "t", client={"security_protocol": "SASL_SSL"})
    with pytest.raises(InvalidSettings, match="it must be one of PLAINTEXT"):
        KafkaSettings("h:1", "t", client={"security_protocol": "TLS"})


def test_servers_are_tried_one_after_the_other(where: KafkaSettings) -> None:
    with opened(topics.settings(address=f"127.0.0.1:1,{servers().kafka}")) as log:
        assert log.partitions == topics.PARTITIONS
