"""The loop of a relay: take the lease, read on from the position of the topic, write, remember, and so on.

After every failure all of it begins anew: the lease, the topic, and the position as it is in the operational tables.
"""

import logging
import time
from contextlib import closing
from dataclasses import dataclass

from headwater_consumer.database import Database
from headwater_consumer.operational.database import OperationalDatabase
from headwater_consumer.operational.leases import HeldLease, LeaseLost
from headwater_consumer.operational.relay_positions import LEASE, move_relay, relay_position
from headwater_consumer.queries.results import EventFilter, VersionEventPage
from headwater_consumer.service.watchdog import Heartbeat
from headwater_consumer.subscriptions.following import EventReader
from headwater_consumer.subscriptions.starting import check_cursor
from headwater_eventlog.kafka.event_topic import EventTopic
from headwater_eventlog.kafka.settings import KafkaSettings
from headwater_eventlog.port import EventLog
from headwater_runtime.retries import Backoff
from headwater_schemas.errors import HeadwaterError, InvalidInput, StoreUnavailable
from headwater_schemas.event_cursors import EventCursor
from headwater_stores.stores import Projection

from headwater_server.relay.records import records_of
from headwater_server.relay.status import RelayStatus

PAGE = 256  # events that are read and written at once
SEND_S = 10.0  # for Kafka to confirm them
WAIT_S = 0.5  # how soon a stop is noticed while there is nothing to do
STANDBY_S = 1.0  # between two attempts to get the lease
OUTAGE = Backoff(pause_s_min=0.1, pause_s_max=5.0)  # between attempts while there is trouble
STUCK_S = 300.0  # longer than all that the clients wait for by themselves

_log = logging.getLogger("headwater.relay")


@dataclass(frozen=True, slots=True)
class Relayed:
    """What a relay reads, where it writes, and where it remembers."""

    log: EventLog
    database: Database
    projection: Projection
    operational: OperationalDatabase
    topic: KafkaSettings


class Relay:
    """One relay. `run` belongs to one thread; `stop` is for any, and for a signal handler."""

    def __init__(self, relayed: Relayed) -> None:
        self.status = RelayStatus()
        self.heartbeat = Heartbeat()
        self._relayed = relayed
        self._stopping = False
        self._failures = 0

    def stop(self) -> None:
        """Have `run` return after the events in hand."""
        self._stopping = True

    def run(self) -> None:
        """Relay until `stop`. Trouble is logged and in `status`, never raised."""
        while not self._stopping:
            try:
                self._take_turn()
            except LeaseLost as lost:
                _log.warning("%s", lost)
                self.status.stands_by()
            except HeadwaterError as error:
                self._back_off(error)
        _log.info("Stopped after %d events.", self.status.now.events)

    def _take_turn(self) -> None:
        """Relay while this process holds the lease. Raises: LeaseLost; HeadwaterError."""
        self.heartbeat.begin("take the lease", STUCK_S)
        held = HeldLease.take(self._relayed.operational, LEASE)
        if held is None:
            self._failures = 0
            self.status.stands_by()
            self._pause(STANDBY_S)
            return
        with held, closing(EventTopic.open(self._relayed.topic)) as topic:
            self._relay(held, topic, self._reader(topic))

    def _reader(self, topic: EventTopic) -> EventReader:
        """It reads on after what is in the topic. Raises: StoreError."""
        relayed = self._relayed
        position = relay_position(relayed.operational, topic.id)
        cursor = EventCursor(relayed.log.generation) if position is None else EventCursor.decode(position)
        try:
            check_cursor(relayed.log, relayed.projection, cursor)
        except InvalidInput as error:
            raise StoreUnavailable(
                f"topic {topic.name!r} has version events that this log does not have: {error} Delete the topic, and "
                "it gets all events of this log; or name another with kafka_events_topic."
            ) from error
        _log.info("Relaying to topic %r, %s.", topic.name, "from the first event" if position is None else "going on")
        return EventReader(
            relayed.database, relayed.projection, cursor, wanted=EventFilter(), projects=False, is_remote=True
        )

    def _relay(self, held: HeldLease, topic: EventTopic, reader: EventReader) -> None:
        """Raises: LeaseLost; StoreError."""
        while not self._stopping:
            self.heartbeat.begin("read version events", STUCK_S)
            page = reader.next_page(PAGE)
            held.check()
            if page.events:
                self._write(page, held, topic)
            self.status.relays(topic.name)
            self._failures = 0
            if not page.more:
                reader.wait(WAIT_S)

    def _write(self, page: VersionEventPage, held: HeldLease, topic: EventTopic) -> None:
        """Raises: LeaseLost; StoreError, after which some of the page may be in the topic."""
        self.status.read(min(event.time_us for event in page.events))
        self.heartbeat.begin("write them to Kafka", STUCK_S)
        topic.send(records_of(page), timeout_s=SEND_S)
        move_relay(self._relayed.operational, held.lease, topic.id, topic.name, page.cursor.encode())
        self.status.confirmed(len(page.events))

    def _back_off(self, error: HeadwaterError) -> None:
        self._failures += 1
        if self.status.now.trouble != str(error):
            _log.warning("Trying again: %s", error)
        self.status.has_trouble(str(error))
        self._pause(OUTAGE.pause_s(self._failures))

    def _pause(self, seconds: float) -> None:
        self.heartbeat.begin("wait", seconds + STUCK_S)
        deadline = time.monotonic() + seconds
        while not self._stopping and (left_s := deadline - time.monotonic()) > 0:
            time.sleep(min(left_s, WAIT_S))
