"""Open the log of a profile, together with what was deleted from its beginning and is in an archive."""

from functools import partial

from headwater_consumer.archive.archived_records import ArchivedRecords
from headwater_eventlog.kafka import KafkaEventLog
from headwater_eventlog.port import LogIdentity

from headwater_stores.archive_places import archives_of
from headwater_stores.config.profile import Profile
from headwater_stores.server_settings import kafka_settings


def open_kafka_log(
    profile: Profile, *, create: bool, read_only: bool = False, expect: LogIdentity | None = None
) -> KafkaEventLog:
    """As `KafkaEventLog.open`. No archive is looked for before a record is needed that the topic does not have."""
    earlier = ArchivedRecords(partial(archives_of, profile))
    settings = kafka_settings(profile)
    return KafkaEventLog.open(settings, create=create, read_only=read_only, expect=expect, earlier=earlier)
