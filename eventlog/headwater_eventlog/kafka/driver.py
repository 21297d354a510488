"""The client library of Kafka: the only module that names it, and its errors in our words."""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from headwater_schemas.errors import StoreError, StoreReadOnly, StoreUnavailable
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
    "errors",
    "fail",
    "let_go",
    "made",
    "murmur2",
    "options",
    "told",
    "words",
)

CONNECT_WAIT_S = 10.0  # for a first answer; one that is up gives it in milliseconds
REQUEST_WAIT_S = 15.0  # for the answer to one request, before it is tried elsewhere
RECONNECT_PAUSE_S_MAX = 1.0  # between attempts; a broker that is back should be found soon

_TELL_TALES = ("kafka.protocol.parser", "kafka.net.connection")  # they log what is sent byte for byte, passwords too

_NOT_READABLE = (errors.CorruptRecordError, UnicodeDecodeError)  # a header that is not text, for example
_NOT_PERMITTED = (errors.AuthorizationError,)
_NOT_ANSWERING = (
    errors.KafkaTimeoutError,
    errors.KafkaConnectionError,
    errors.NodeNotReadyError,
    errors.Cancelled,
    errors.BrokerNotAvailableError,
)


def options(settings: KafkaSettings) -> dict[str, Any]:
    """What every client is given."""
    return {
        "bootstrap_servers": settings.server_list,
        "client_id": f"headwater-{os.getpid()}",
        "bootstrap_timeout_ms": int(CONNECT_WAIT_S * 1000),
        "request_timeout_ms": int(REQUEST_WAIT_S * 1000),
        "reconnect_backoff_max_ms": int(RECONNECT_PAUSE_S_MAX * 1000),
        **settings.client,
    }


def made(make: Callable[..., Any], settings: KafkaSettings, **more: Any) -> Any:
    """A client. Two things are put right here: one that cannot connect would leave its thread running, and asking for
    what is known of a topic would make the topic where brokers allow that, whatever the client is told.
    """
    nets: list[Any] = []
    if any(settings.client.get(name) for name in SECRETS):
        for name in _TELL_TALES:
            logging.getLogger(name).setLevel(logging.INFO)

    def net_client(**given: Any) -> Any:
        nets.append(KafkaNetClient(**given))
        nets[-1].cluster.config["allow_auto_create_topics"] = False
        return nets[-1]

    try:
        return make(kafka_client=net_client, **{**options(settings), **more})
    except BaseException:
        for net in nets:
            net.close()
        raise


def let_go(name: str, end: Callable[[], object]) -> threading.Thread:
    """End a client in a thread of its own: it may wait for servers that are gone, and nobody should wait for that."""

    def quietly() -> None:
        with contextlib.suppress(errors.KafkaError, OSError, RuntimeError):
            end()

    thread = threading.Thread(target=quietly, name=f"headwater-kafka-{name}", daemon=True)
    thread.start()
    return thread


@contextmanager
def told(settings: KafkaSettings, outcome: str) -> Iterator[None]:
    """Raises: what Kafka says in our words; `outcome` is what the caller can rely on."""
    try:
        yield
    except (errors.KafkaError, OSError, UnicodeDecodeError) as error:
        fail(error, settings, outcome)


def fail(error: BaseException, settings: KafkaSettings, outcome: str) -> NoReturn:
    raise _in_our_words(error, settings, outcome) from error


def _in_our_words(error: BaseException, settings: KafkaSettings, outcome: str) -> StoreError:
    where, what = f"Kafka at {settings.servers}", words(error)
    if isinstance(error, errors.SaslAuthenticationFailedError):
        return StoreUnavailable(f"{where} does not accept the user name or password: {outcome}. Correct them.")
    if isinstance(error, _NOT_PERMITTED):
        return StoreReadOnly(
            f"{where} does not permit this on topic {settings.topic!r} ({what}): {outcome}. "
            "Have the user granted READ, WRITE, DESCRIBE and DESCRIBE_CONFIGS on it."
        )
    if isinstance(error, _NOT_ANSWERING):
        return StoreUnavailable(
            f"{where} does not answer ({what}): {outcome}. "
            "Check that it runs, that the address is right, and that security_protocol is what it expects."
        )
    if isinstance(error, _NOT_READABLE):
        return StoreUnavailable(
            f"topic {settings.topic!r} of {where} holds a record that is damaged or was not made by headwater "
            f"({str(error)[:200]}): {outcome}. Restore the others from the archive into a new topic."
        )
    if isinstance(error, OSError):
        return StoreUnavailable(f"{where} cannot be reached ({error.strerror or what}): {outcome}. Check the settings.")
    return StoreUnavailable(f"{where} failed for topic {settings.topic!r} ({what}): {outcome}. See the broker's log.")


def words(error: BaseException) -> str:
    """What an error of the client says, without the requests that it quotes."""
    if isinstance(error, errors.BrokerResponseError):
        return f"{type(error).__name__}: {error.description}" if error.description else type(error).__name__
    text = str(error).splitlines()[0] if str(error) else ""
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
