"""The topic that version events are told in: others read it, headwater only writes it.

It has as many partitions as the log, and the events of each in their order. What was not confirmed is sent again, all
that followed it, too, so that within a partition an event may come twice, and none is missing before another.
"""

import time
from collections.abc import Iterator, Sequence

from headwater_runtime.closing import closed_on_failure
from headwater_schemas.errors import InvalidSettings, StoreMissing

from headwater_eventlog.kafka.sender import OutgoingRecord, Sender
from headwater_eventlog.kafka.settings import KafkaSettings
from headwater_eventlog.kafka.topic import Topic
from headwater_eventlog.port import BYTES_AT_ONCE_MAX

__all__ = ("EventTopic", "OutgoingRecord")


class EventTopic:
    """Writes to the topic. For one thread. After an error, close it and open another."""

    def __init__(self, topic: Topic) -> None:
        self.name = topic.settings.topic
        self._topic = topic
        self._sender = Sender(topic)

    @classmethod
    def open(cls, settings: KafkaSettings) -> "EventTopic":
        """Open the topic that `event_topic_settings` made; create it if it is missing, keeping records for ever.

        Raises: InvalidSettings where it has another number of partitions; StoreUnavailable, StoreReadOnly.
        """
        with closed_on_failure(Topic(settings)) as topic:
            try:
                topic.verify()
            except StoreMissing:
                topic.create()
                topic.verify()
            if topic.identity.partitions != settings.partitions:
                raise InvalidSettings(
                    f"topic {settings.topic!r} of Kafka at {settings.servers} has {topic.identity.partitions} "
                    f"partitions, and the log has {settings.partitions}. Delete it, or name another with "
                    "kafka_events_topic."
                )
            return cls(topic)

    @property
    def id(self) -> str:
        """Tells it from a topic that is created under its name after it was deleted."""
        return self._topic.identity.generation

    def send(self, records: Sequence[OutgoingRecord], *, timeout_s: float) -> None:
        """Return when all are confirmed.

        Raises: DurabilityUnknown, StoreUnavailable, StoreReadOnly; then some may be there, of each partition the first
        ones. Send all of them again.
        """
        deadline = time.monotonic() + timeout_s
        for piece in _pieces(records):
            self._sender.append(piece, deadline)

    def close(self) -> None:
        """Closing twice is fine."""
        self._sender.close()
        self._topic.close()


def _pieces(records: Sequence[OutgoingRecord]) -> Iterator[list[OutgoingRecord]]:
    """What is stored whole or not at all, one after the other: else a later record could outlive an earlier one."""
    piece: list[OutgoingRecord] = []
    size = 0
    for record in records:
        bytes_more = record.size
        if piece and size + bytes_more > BYTES_AT_ONCE_MAX:
            yield piece
            piece, size = [], 0
        piece.append(record)
        size += bytes_more
    if piece:
        yield piece
