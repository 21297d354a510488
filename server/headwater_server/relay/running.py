"""Running a relay: as a process of its own, or in a thread of a server."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from headwater_consumer.projection.remote import RemoteProjection
from headwater_consumer.service.http_endpoint import HttpEndpoint
from headwater_consumer.service.signals import stopped_by_signals
from headwater_consumer.service.watchdog import Watchdog
from headwater_runtime.daemon_threads import start_daemon
from headwater_schemas.errors import InvalidSettings
from headwater_stores.config.profile import Profile
from headwater_stores.config.settings import Settings, redact
from headwater_stores.operational import open_operational
from headwater_stores.outages import ride_out
from headwater_stores.server_settings import events_topic
from headwater_stores.servers import open_log_and_database
from headwater_stores.stores import Stores

from headwater_server.relay.relaying import Relay, Relayed
from headwater_server.relay.status import relay_pages

STOP_S = 5.0  # for the events in hand, where the process ends with a server

_log = logging.getLogger("headwater.relay")


def relayed_profile(settings: Settings) -> Profile:
    """The profile to relay. Raises: InvalidSettings where the settings name none."""
    if settings.profile is None:
        raise InvalidSettings(
            f"HEADWATER_URL names {redact(settings.url)}, which has no Kafka that a relay could write to. Follow the "
            "version events with `headwater events --follow`, or set HEADWATER_URL=profile:NAME."
        )
    return settings.profile


def run_relay(settings: Settings, *, host: str, port: int) -> None:
    """Relay the version events of a profile until SIGTERM or SIGINT. Call it in the main thread.

    Raises: InvalidSettings, also when the endpoint cannot be opened; StoreError when the servers cannot be opened.
    """
    with ExitStack() as stack:
        relay = Relay(ride_out(lambda: _opened(settings, stack), name=settings.url, outage_s=settings.outage_s))
        endpoint = stack.enter_context(HttpEndpoint(relay_pages(relay.status, relay.heartbeat), host=host, port=port))
        stack.enter_context(Watchdog(relay.heartbeat, "relay"))
        stack.enter_context(stopped_by_signals(relay.stop))
        _log.info("Health and metrics are at http://%s:%d/health and /metrics.", endpoint.host, endpoint.port)
        relay.run()


@contextmanager
def relaying(settings: Settings, stores: Stores) -> Iterator[Relay]:
    """Relay the version events of `stores`, which `settings` name, in a thread, until the end of the block.

    Raises: as `run_relay`.
    """
    profile = relayed_profile(settings)
    with ExitStack() as stack:
        operational = open_operational(settings)
        stack.callback(operational.close)
        topic = events_topic(profile, partitions=stores.log.partitions)
        relay = Relay(Relayed(stores.log, stores.database, stores.projection, operational, topic))
        thread = start_daemon(relay.run, "relay")
        try:
            yield relay
        finally:
            relay.stop()
            if thread is not None:
                thread.join(STOP_S)


def _opened(settings: Settings, stack: ExitStack) -> Relayed:
    profile = relayed_profile(settings)
    with ExitStack() as attempt:
        database, log = open_log_and_database(profile, attempt, create=True)
        operational = open_operational(settings)
        attempt.callback(operational.close)
        topic = events_topic(profile, partitions=log.partitions)
        stack.push(attempt.pop_all())
        return Relayed(log, database, RemoteProjection(log, database), operational, topic)
