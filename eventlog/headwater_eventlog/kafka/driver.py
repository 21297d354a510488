"""The client library of Kafka: the only module that imports it, uses its private names and translates its errors."""

import contextlib
import logging
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from headwater_schemas.errors import StoreError, StoreNotAnswering, StoreReadOnly, StoreUnavailable
from kafka import KafkaConsumer, KafkaProducer, TopicPartition, errors
from kafka.admin import ConfigResource, KafkaAdminClient, OffsetSpec
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.net.compat import KafkaNetClient
from kafka.partitioner.default import murmur2
from kafka.structs import OffsetAndMetadata

from headwater_eventlog.kafka.settings import SECRETS, KafkaSettings

__all__ = (
    "CONNECT_WAIT_S",
    "ConfigResource",
    "ConsumerRebalanceListener",
    "KafkaAdminClient",
    "KafkaConsumer",
    "KafkaProducer",
    "OffsetAndMetadata",
    "OffsetSpec",
    "TopicPartition",
    "abort_producer",
    "close_in_background",
    "create_client",
    "deliver_put_aside",
    "describe_error",
    "errors",
    "forget_exit_handler",
    "list_offsets",
    "murmur2",
    "resume_joining",
    "to_store_error",
    "translate_errors",
)

CONNECT_WAIT_S = 10.0  # for a first answer; a running broker answers in milliseconds
REQUEST_WAIT_S = 15.0  # for the answer to one request, before another broker is tried
RECONNECT_PAUSE_S_MAX = 1.0  # between attempts; a broker that is back should be found soon

_READ_UNCOMMITTED, _NOBODY = 0, -1  # an isolation level and a broker, as Kafka's protocol says it

_LOGGERS_OF_BYTES = ("kafka.protocol.parser", "kafka.net.connection")  # they log all bytes sent, passwords too

_NOT_READABLE = (errors.CorruptRecordError, UnicodeDecodeError)  # a header that is not text, for example
_NOT_PERMITTED = (errors.AuthorizationError,)
_NOT_ANSWERING = (
    errors.KafkaTimeoutError,
    errors.KafkaConnectionError,
    errors.NodeNotReadyError,
    errors.Cancelled,
    errors.BrokerNotAvailableError,
)


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """The options of every client."""
    return {
        "bootstrap_servers": settings.server_list,
        "client_id": f"headwater-{os.getpid()}",
        "bootstrap_timeout_ms": int(CONNECT_WAIT_S * 1000),
        "request_timeout_ms": int(REQUEST_WAIT_S * 1000),
        "reconnect_backoff_max_ms": int(RECONNECT_PAUSE_S_MAX * 1000),
        **settings.client,
    }


def create_client(
    factory: Callable[..., Any], settings: KafkaSettings, *, writes_to: str | None = None, **options: Any
) -> Any:
    """A client of the kind that `factory` makes. Two defects of the library are avoided here: a client that cannot
    connect would leave its thread running, and a request for a topic's metadata would create the topic where brokers
    allow that, whatever the client's options are.

    `writes_to`: the topic that it asks for along with the brokers, instead of once it writes.
    """
    net_clients: list[Any] = []
    if any(settings.client.get(name) for name in SECRETS):
        for name in _LOGGERS_OF_BYTES:
            logging.getLogger(name).setLevel(logging.INFO)

    def create_net_client(**given: Any) -> Any:
        net_clients.append(KafkaNetClient(**given))
        net_clients[-1].cluster.config["allow_auto_create_topics"] = False
        if writes_to is not None:
            net_clients[-1].cluster.add_topic(writes_to)
        return net_clients[-1]

    try:
        return factory(kafka_client=create_net_client, **{**client_options(settings), **options})
    except BaseException:
        for net_client in net_clients:
            net_client.close()
        raise


def close_in_background(name: str, close: Callable[[], object]) -> threading.Thread:
    """Close a client in a thread of its own: closing may wait for servers that are gone, and the caller must not."""

    def close_quietly() -> None:
        with contextlib.suppress(errors.KafkaError, OSError, RuntimeError):
            close()

    thread = threading.Thread(target=close_quietly, name=f"headwater-kafka-{name}", daemon=True)
    thread.start()
    return thread


# --- private names of the library; `tests/contract/test_private_names.py` fails when they change


def abort_producer(producer: Any) -> None:
    """Send nothing more. The library's `close` first waits for buffered records, and does not close when that fails."""
    sender = producer._sender
    forget_exit_handler(producer)
    sender.force_close()

    def close() -> None:
        sender.join()
        with suppress(errors.KafkaError):
            producer.close(timeout=0)

    close_in_background("producer", close)


def forget_exit_handler(producer: Any) -> None:
    """Do not close the producer at exit: in a forked child that would wait for a thread that only the parent has."""
    producer._unregister_cleanup()


def resume_joining(consumer: Any) -> None:
    """Join the group again if a join was cut off: the library forgets about it when `poll` returns in between, and
    then waits for ever.
    """
    coordinator = consumer._coordinator
    if coordinator.rejoining:
        coordinator.request_rejoin()


def deliver_put_aside(consumer: Any) -> None:
    """Have the next `poll` deliver what was put aside while its partition was paused. The library does so, and fetches
    that partition again, only once nothing is in line; but it leaves in line what it has delivered to the end.
    """
    fetcher = consumer._fetcher
    if not fetcher._next_partition_records:
        fetcher._next_partition_records = None


def list_offsets(admin: Any, wanted: Mapping[TopicPartition, Any], leaders: Mapping[int, int]) -> dict[Any, Any]:
    """As the library's `list_partition_offsets`, which asks first for the leaders: of one topic, whose are known.

    It is left to do so where they are others by now. Raises: as that.
    """
    by_leader: dict[int, dict[TopicPartition, Any]] = defaultdict(dict)
    for partition, spec in wanted.items():
        by_leader[leaders.get(partition.partition, _NOBODY)][partition] = spec

    async def ask() -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for leader, of_leader in by_leader.items():
            request = admin._list_partition_offsets_request(of_leader, _READ_UNCOMMITTED)
            found |= admin._list_partition_offsets_process_response(await admin._manager.send(request, node_id=leader))
        return found

    try:
        found: dict[Any, Any] = admin._manager.run(ask)
    except errors.KafkaTimeoutError:
        raise  # it was waited for
    except (errors.RetriableError, errors.UnknownBrokerIdError):
        found = admin.list_partition_offsets(wanted)
    return found


# --- errors


@contextmanager
def translate_errors(settings: KafkaSettings, outcome: str) -> Iterator[None]:
    """Raises: StoreError for an error of the library; `outcome` tells the caller what was done."""
    try:
        yield
    except (errors.KafkaError, OSError, UnicodeDecodeError) as error:
        raise to_store_error(error, settings, outcome) from error


def to_store_error(error: BaseException, settings: KafkaSettings, outcome: str) -> StoreError:
    """Our error for one of the library; `outcome` tells the caller what was done."""
    where, what = f"Kafka at {settings.servers}", describe_error(error)
    if isinstance(error, errors.SaslAuthenticationFailedError):
        return StoreUnavailable(f"{where} does not accept the user name or password: {outcome}. Correct them.")
    if isinstance(error, _NOT_PERMITTED):
        return StoreReadOnly(
            f"{where} does not permit this on topic {settings.topic!r} ({what}): {outcome}. "
            "Grant the user READ, WRITE, DESCRIBE and DESCRIBE_CONFIGS on it."
        )
    if isinstance(error, _NOT_ANSWERING):
        return StoreNotAnswering(
            f"{where} does not answer ({what}): {outcome}. "
            "Check that it runs, that the address is right, and that security_protocol is what it expects."
        )
    if isinstance(error, _NOT_READABLE):
        return StoreUnavailable(
            f"topic {settings.topic!r} of {where} holds a record that is damaged or was not written by headwater "
            f"({str(error)[:200]}): {outcome}. Restore the other records from the archive into a new topic."
        )
    if isinstance(error, OSError):
        return StoreNotAnswering(
            f"{where} cannot be reached ({error.strerror or what}): {outcome}. Check the settings."
        )
    kind = StoreNotAnswering if isinstance(error, errors.RetriableError) else StoreUnavailable
    return kind(f"{where} failed for topic {settings.topic!r} ({what}): {outcome}. See the broker's log.")


def describe_error(error: BaseException) -> str:
    """The text of an error of the library, without the requests that it quotes."""
    if isinstance(error, errors.BrokerResponseError):
        return f"{type(error).__name__}: {error.description}" if error.description else type(error).__name__
    text = str(error).splitlines()[0] if str(error) else ""
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
