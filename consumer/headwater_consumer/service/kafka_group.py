"""Sharing the partitions of a topic among projectors by a consumer group of Kafka."""

from headwater_eventlog.kafka import KafkaEventLog, KafkaGroup
from headwater_eventlog.kafka.group import POLL_INTERVAL_S, SESSION_S

from headwater_consumer.database import Database
from headwater_consumer.service.port import JoinGroup, OnAssigned, OnRevoked, PartitionGroup

GROUP_PREFIX = "headwater-projector"


def kafka_group(
    log: KafkaEventLog,
    group_id: str,
    *,
    session_timeout_s: float = SESSION_S,
    max_poll_interval_s: float = POLL_INTERVAL_S,
) -> JoinGroup:
    """Members of this group are counted as gone after `session_timeout_s`, and as stuck after `max_poll_interval_s`."""

    def join(*, on_assigned: OnAssigned, on_revoked: OnRevoked) -> PartitionGroup:
        return KafkaGroup(
            log,
            group_id,
            on_assigned=on_assigned,
            on_revoked=on_revoked,
            session_timeout_s=session_timeout_s,
            max_poll_interval_s=max_poll_interval_s,
        )

    return join


def group_id_of(log: KafkaEventLog, database: Database) -> str:
    """The group of all projectors of one topic into one database; other databases need the same records again."""
    return f"{GROUP_PREFIX}-{log.settings.topic}-{database.location}"
