"""Appending when brokers do not answer, when something is refused, and after a fork."""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from headwater_eventlog.kafka import KafkaEventLog, KafkaSettings, describe
from headwater_eventlog.port import BYTES_PER_APPEND_MAX, RECORDS_PER_APPEND_MAX, NewRecord
from headwater_schemas.errors import DurabilityUnknown, InvalidInput, StoreError, StoreUnavailable
from headwater_schemas.limits import EVENT_BYTES_MAX
from headwater_schemas.positions import BEFORE_FIRST
from kafka import KafkaProducer
from kafka.net.connection import KafkaConnection
from kafka.protocol.metadata import MetadataRequest

from tests.kafka import topics
from tests.kafka.proxy import Proxy
from tests.kafka.topics import WAIT_S, opened, records_of

CANARY = "canary-7f3a-secret"


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with closing(Proxy()) as proxy:
        yield proxy


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that are not there are given up soon."""
    monkeypatch.setattr("headwater_eventlog.kafka.driver.CONNECT_WAIT_S", 1.0)


def test_a_first_append_asks_for_its_topic_along_with_the_brokers(
    log: KafkaEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for later, the client library would have it wait for a tenth of a second."""
    send, asked = KafkaConnection.send_request, []

    def note_and_send(self: KafkaConnection, request: object, *arguments: Any, **named: Any) -> Any:
        if isinstance(request, MetadataRequest):
            asked.append([topic.name for topic in request.topics])
        return send(self, request, *arguments, **named)

    monkeypatch.setattr(KafkaConnection, "send_request", note_and_send)
    log.append(records_of("k", b"first"), timeout_s=WAIT_S)

    assert asked == [[log.settings.topic]] * 2, "whether it still is the same, and where to write"


def test_an_answer_that_does_not_come_is_not_known_to_be_stored_and_a_fresh_producer_works(
    log: KafkaEventLog, where: KafkaSettings, proxy: Proxy
) -> None:
    with opened(topics.settings(where.topic, address=proxy.address)) as far:
        far.append(records_of("k", b"before"), timeout_s=WAIT_S)
        proxy.is_silent = True
        started = time.monotonic()
        with pytest.raises(DurabilityUnknown, match=r"did not confirm.*send it again"):
            far.append(records_of("k", b"lost?"), timeout_s=0.5)
        assert time.monotonic() - started < 5
        proxy.is_silent = False
        proxy.cut()
        far.append(records_of("k", b"after"), timeout_s=WAIT_S)

    found = topics.payloads(log, log.partition_of("k"))
    assert found[0] == b"before"
    assert found[-1] == b"after"
    assert found.count(b"lost?") <= 1


def test_a_connection_that_breaks_in_the_middle_is_made_anew_and_nothing_stands_twice(
    log: KafkaEventLog, where: KafkaSettings, proxy: Proxy
) -> None:
    with opened(topics.settings(where.topic, address=proxy.address)) as far:
        for number in range(20):
            far.append(records_of("k", b"%d" % number), timeout_s=WAIT_S)
            if number % 7 == 3:
                threading.Timer(0.001, proxy.cut).start()

    assert topics.payloads(log, log.partition_of("k")) == [b"%d" % number for number in range(20)]


def test_a_reader_goes_on_after_its_connection_broke(log: KafkaEventLog, where: KafkaSettings, proxy: Proxy) -> None:
    with opened(topics.settings(where.topic, address=proxy.address)) as far:
        for number in range(3):
            log.append(records_of("k", b"%d" % number, partition=0), timeout_s=WAIT_S)
            assert topics.payloads(far, 0) == [b"%d" % n for n in range(number + 1)]
            proxy.cut()


@pytest.mark.usefixtures("impatient")
def test_a_server_that_accepts_and_never_answers_is_told_to_be_unavailable() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(StoreUnavailable, match=f"{address} does not answer"):
            KafkaEventLog.open(topics.settings(address=address), create=True)


@pytest.mark.usefixtures("impatient")
def test_clients_that_cannot_connect_leave_no_threads_behind() -> None:
    before = threading.active_count()
    with pytest.raises(StoreUnavailable):
        KafkaEventLog.open(topics.settings(address="127.0.0.1:1"), create=True)

    deadline = time.monotonic() + WAIT_S
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() <= before


def test_a_log_that_is_closed_leaves_no_threads_behind(where: KafkaSettings) -> None:
    before = threading.active_count()
    with opened(where) as log:
        log.append(records_of("k", b"", partition=0), timeout_s=WAIT_S)
        log.read(0, after=BEFORE_FIRST)

    deadline = time.monotonic() + WAIT_S
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() <= before


def test_an_oversized_record_leaves_the_log_usable(log: KafkaEventLog) -> None:
    log.append(records_of("k", b"before"), timeout_s=WAIT_S)
    with pytest.raises(InvalidInput, match=r"900,001 bytes; at most 900,000"):
        log.append(records_of("k", b"x" * (EVENT_BYTES_MAX + 1)), timeout_s=WAIT_S)
    log.append(records_of("k", b"after"), timeout_s=WAIT_S)

    assert topics.payloads(log, log.partition_of("k")) == [b"before", b"after"]


def test_a_record_that_the_topic_refuses_leaves_the_log_usable(log: KafkaEventLog, where: KafkaSettings) -> None:
    topics.set_config(where.topic, max_message_bytes="1000")
    with pytest.raises(DurabilityUnknown, match="MessageSizeTooLargeError"):
        log.append(records_of("k", b"x" * 5000), timeout_s=WAIT_S)
    log.append(records_of("k", b"small"), timeout_s=WAIT_S)

    assert topics.payloads(log, log.partition_of("k")) == [b"small"]


def test_the_largest_append_arrives_in_order(log: KafkaEventLog) -> None:
    size = BYTES_PER_APPEND_MAX // RECORDS_PER_APPEND_MAX
    given = [b"%08d" % number + b"x" * (size - 8) for number in range(RECORDS_PER_APPEND_MAX)]

    log.append(records_of("k", *given), timeout_s=WAIT_S)

    assert topics.payloads(log, log.partition_of("k")) == given


def test_partitions_are_those_that_any_other_client_chooses(log: KafkaEventLog, where: KafkaSettings) -> None:
    with closing(KafkaProducer(bootstrap_servers=where.servers)) as other:
        for number in range(30):
            key = f"collection:e/p/ünï{number}"
            stored = other.send(where.topic, b"", key.encode()).get(WAIT_S)
            assert stored.partition == log.partition_of(key)


def test_a_confirmed_append_is_there_for_a_process_that_ends_at_once(log: KafkaEventLog) -> None:
    child = os.fork()
    if not child:
        try:
            log.append(records_of("k", b"child"), timeout_s=WAIT_S)
        finally:
            os._exit(0)
    os.waitpid(child, 0)

    assert topics.payloads(log, log.partition_of("k")) == [b"child"]


def test_a_child_appends_while_threads_of_its_parent_are_appending(log: KafkaEventLog) -> None:
    stop = threading.Event()
    numbers = [0]

    def append() -> None:
        while not stop.is_set():
            log.append(records_of("parent", b"%d" % numbers[0], partition=0), timeout_s=WAIT_S)
            numbers[0] += 1

    thread = threading.Thread(target=append)
    thread.start()
    statuses = []
    for _ in range(5):
        child = os.fork()
        if not child:
            status = 1
            try:
                log.append(records_of("child", b"!", partition=1), timeout_s=WAIT_S)
                log.read(1, after=BEFORE_FIRST)
                status = 0
            finally:
                os._exit(status)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    stop.set()
    thread.join(WAIT_S)

    assert statuses == [0] * 5
    assert topics.payloads(log, 0) == [b"%d" % number for number in range(numbers[0])]
    assert topics.payloads(log, 1) == [b"!"] * 5


def test_closing_while_others_append_loses_nothing_that_was_confirmed(where: KafkaSettings) -> None:
    confirmed: list[bytes] = []
    refused: list[StoreError] = []
    with opened(where) as log:

        def append(name: int) -> None:
            for number in range(10_000):
                payload = b"%d/%d" % (name, number)
                try:
                    log.append(records_of("k", payload), timeout_s=WAIT_S)
                except StoreError as error:
                    refused.append(error)
                    return
                confirmed.append(payload)

        threads = [threading.Thread(target=append, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        log.close()
        for thread in threads:
            thread.join(WAIT_S)

    assert len(refused) == 4
    assert all("closed" in str(error) for error in refused)
    with opened(where) as again:
        assert set(confirmed) <= set(topics.payloads(again, again.partition_of("k")))


def test_who_does_not_get_a_turn_in_time_has_written_nothing(
    log: KafkaEventLog, where: KafkaSettings, proxy: Proxy
) -> None:
    with opened(topics.settings(where.topic, address=proxy.address)) as far:
        far.append(records_of("k", b"before"), timeout_s=WAIT_S)
        proxy.is_silent = True
        with ThreadPoolExecutor() as threads:
            hanging = threads.submit(far.append, records_of("k", b"lost?"), timeout_s=3.0)
            time.sleep(0.5)
            with pytest.raises(StoreUnavailable, match=r"kept .* busy: nothing was written"):
                far.append(records_of("k", b"late"), timeout_s=0.5)
            assert isinstance(hanging.exception(), DurabilityUnknown)

    assert b"late" not in topics.payloads(log, log.partition_of("k"))


@pytest.mark.usefixtures("impatient")
def test_no_secret_is_shown_or_logged(caplog: pytest.LogCaptureFixture, proxy: Proxy) -> None:
    """The password is sent, and refused, which is what shows most."""
    caplog.set_level(logging.DEBUG)
    secretive = KafkaSettings(
        proxy.address,
        "t",
        client={
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": "reader",
            "sasl_plain_password": CANARY,
        },
    )
    with pytest.raises(StoreError) as refused:
        KafkaEventLog.open(secretive, create=True)
    assert CANARY in proxy.passwords.decode()

    findings = describe(secretive)
    assert [finding.is_good for finding in findings] == [False]
    for shown in (repr(secretive), str(secretive), str(refused.value), repr(findings), caplog.text):
        assert CANARY not in shown
    assert "reader" in repr(secretive)
    assert secretive.client["sasl_plain_password"] == CANARY


def test_an_operator_is_told_what_is_right_and_what_is_wrong(log: KafkaEventLog, where: KafkaSettings) -> None:
    good = describe(where)
    assert all(finding.is_good for finding in good)
    assert log.generation in " ".join(finding.text for finding in good)

    topics.set_config(where.topic, retention_ms="60000", compression_type="producer")
    wanted = KafkaSettings(where.servers, where.topic, replication=2, min_insync_replicas=2)
    bad = " ".join(finding.text for finding in describe(wanted) if not finding.is_good)
    for advice in ("retention.ms is 60000", "compression.type is producer", "min.insync.replicas", "replication is 1"):
        assert advice in bad


def test_throughput(log: KafkaEventLog) -> None:
    """Printed, for whoever looks; only that all arrives is checked."""
    started = time.monotonic()
    for _ in range(100):
        log.append(records_of("k", b"x" * 300, partition=0), timeout_s=WAIT_S)
    single_s = (time.monotonic() - started) / 100
    batch = [NewRecord("k", b"x" * 300, (("ce_id", b"x" * 36),), 1)] * RECORDS_PER_APPEND_MAX
    started = time.monotonic()
    for _ in range(10):
        log.append(batch, timeout_s=WAIT_S)
    bulk_s = time.monotonic() - started
    started = time.monotonic()
    count = len(topics.payloads(log, 1))
    read_s = time.monotonic() - started
    print(f"one: {single_s * 1000:.1f} ms; bulk: {count / bulk_s:,.0f}/s; read: {count / read_s:,.0f}/s")
    assert count == 10 * RECORDS_PER_APPEND_MAX
