"""Every limit of names, keys, ids, texts and numbers: one table, which `docs/formats.md` shows.

What is longer or larger is refused by whoever writes, and again by the projector before it makes a row. Text is counted
in characters (code points) where people see the number, and in bytes of UTF-8 where a format or a file system does.
Limits may rise in a later release and never fall: what was recorded stays valid.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """A row of the table."""

    most: int
    unit: str
    subject: str


LIMITS = (
    Limit(
        NAME_LENGTH_MAX := 128,
        "characters",
        "entity, project, collection, run id, alias, tag, type, purpose of a use, rule, issuer, subscription",
    ),
    Limit(PRINCIPAL_LENGTH_MAX := 256, "characters", "principal: who is granted a role, as `issuer|subject`"),
    Limit(OWN_DRAFT_ID_LENGTH_MAX := 64, "characters", "id of a draft with one writer, after `own:`"),
    Limit(DISTRIBUTED_ID_LENGTH_MAX := 256, "characters", "id of a shared draft, after `shared:`"),
    Limit(SESSION_DIGITS := 48, "hexadecimal digits", "session (exactly)"),
    Limit(KEY_LENGTH_MAX := 397, "characters", "key of a record"),
    Limit(OBJECT_NAME_LENGTH_MAX := 345, "characters", "name of an object in a blob store"),
    Limit(ATTEMPT_MAX := 999_999_999, "attempts", "number at the end of the name of a large file's object"),
    Limit(VERSION_DIGITS_MAX := 18, "digits", "number of a version"),
    Limit(
        LABEL_LENGTH_MAX := 1024,
        "characters",
        "job type, group, display name, author, git remote, git branch, name of a config's or summary's value",
    ),
    Limit(TEXT_LENGTH_MAX := 65_536, "characters", "description, reason, message"),
    Limit(PATH_BYTES_MAX := 2048, "bytes", "path in a version"),
    Limit(SEGMENT_BYTES_MAX := 255, "bytes", "name between the slashes of a path, as common file systems have it"),
    Limit(PATH_DEPTH_MAX := 128, "levels", "path in a version"),
    Limit(URI_BYTES_MAX := 8192, "bytes", "URI of a reference; web servers rarely accept longer ones (RFC 9110, 4.1)"),
    Limit(CHECKSUM_LENGTH_MAX := 2048, "characters", "checksum of a reference"),
    Limit(OBJECT_VERSION_LENGTH_MAX := 1024, "characters", "object version of a reference"),
    Limit(
        METADATA_BYTES_MAX := 262_144,
        "bytes",
        "JSON of metadata, a config, a summary, an environment, settings, a rule",
    ),
    Limit(METADATA_DEPTH_MAX := 32, "levels", "JSON"),
    Limit(INTEGER_DIGITS_MAX := 640, "digits", "integer in JSON: what every Python converts, whatever its settings"),
    Limit(EVENT_BYTES_MAX := 900_000, "bytes", "event, encoded: below Kafka's default of 1 MiB"),
    Limit(HEADERS_BYTES_MAX := 65_536, "bytes", "headers of a record"),
    Limit(ENTRIES_PER_EVENT_MAX := 8192, "entries", "added or removed by one event"),
    Limit(WRITERS_MAX := 100_000, "writers", "that a commit can wait for"),
    Limit(TAGS_MAX := 256, "tags", "per event; so many aliases, too"),
    Limit(RUN_VALUES_REMOVED_MAX := 4096, "names", "removed from a config, or a summary, by one event"),
    Limit(HEARTBEAT_SECONDS_MAX := 86_400, "seconds", "until the next heartbeat of a run is due"),
    Limit(EXPIRES_MS_MAX := 253_402_300_799_999, "milliseconds", "from 1970 until a token expires: the year 9999"),
    Limit(PARTITIONS_MAX := 1 << 12, "partitions", "log; 12 bits of a position's number"),
    Limit(EPOCHS_MAX := 1 << 8, "epochs", "log and the logs that it was restored from; 8 bits of a position's number"),
    Limit(OFFSETS_MAX := 1 << 43, "offsets", "partition; 43 bits of a position's number"),
    Limit(DRAFT_IDLE_DAYS_MAX := 36_500, "days", "setting `draft_idle_days`"),
    Limit(RESTORE_DAYS_MAX := 36_500, "days", "setting `restore_days`"),
    Limit(KEEP_LAST_MAX := 10_000, "versions", "rule `keep_last` of a retention policy"),
    Limit(KEEP_NEWER_SECONDS_MAX := 3_153_600_000, "seconds", "rule `keep_newer_than` of a retention policy"),
    Limit(RETENTION_CHANGES_MAX := 256, "policies", "set or removed by one event"),
)
