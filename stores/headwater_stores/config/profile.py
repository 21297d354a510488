"""A profile: the addresses of the servers of a shared store, selected by `HEADWATER_URL=profile:NAME`.

It is a table of the settings file, `[profiles.NAME]`, and each of its values can be given by a variable instead.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from headwater_schemas.errors import InvalidSettings

HIDDEN = "***"
_VARIABLE_PREFIX = "HEADWATER_"
_USER_INFO = re.compile(r"(?<=://)[^/@]*@")


class ProfileKey(NamedTuple):
    """One key of a profile."""

    key: str
    default: str | None  # None: required; "": no value
    meaning: str
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that comes before the file."""
        return _VARIABLE_PREFIX + self.key.upper()


_TABLE = (
    ProfileKey("kafka_servers", None, "comma-separated `host:port` addresses of brokers"),
    ProfileKey("kafka_topic", "headwater", "topic that stores the events; created if missing"),
    ProfileKey(
        "kafka_events_topic",
        "",
        "topic that `headwater relay` writes version events to; default: `<kafka_topic>-events`",
    ),
    ProfileKey("kafka_partitions", "32", "partition count for a new topic; cannot be changed later"),
    ProfileKey("kafka_replication", "1", "replication factor for a new topic; 3 on a cluster"),
    ProfileKey("kafka_min_insync_replicas", "1", "minimum in-sync replicas for a new topic; 2 on a cluster"),
    ProfileKey("kafka_security_protocol", "PLAINTEXT", "or `SSL`, `SASL_PLAINTEXT`, `SASL_SSL`"),
    ProfileKey("kafka_sasl_mechanism", "", "SASL mechanism, such as `SCRAM-SHA-512`"),
    ProfileKey("kafka_sasl_username", "", "SASL user name"),
    ProfileKey("kafka_sasl_password", "", "SASL password", secret=True),
    ProfileKey("kafka_ssl_cafile", "", "file with trusted CA certificates"),
    ProfileKey("kafka_ssl_certfile", "", "file with the client certificate"),
    ProfileKey("kafka_ssl_keyfile", "", "file with the client key"),
    ProfileKey("database_url", None, "`postgresql://user:password@host:port/database`", secret=True),
    ProfileKey("database_schema", "headwater", "schema that holds the projection; created if missing"),
    ProfileKey("s3_endpoint", None, "`https://host` or `http://host:port`"),
    ProfileKey("s3_bucket", "headwater", "bucket that stores file content; created if missing"),
    ProfileKey("s3_prefix", "", "what all keys in the bucket begin with, for a bucket that several stores share"),
    ProfileKey("s3_access_key", "", "access key; default: the credentials of the AWS tools", secret=True),
    ProfileKey("s3_secret_key", "", "secret key", secret=True),
    ProfileKey("s3_session_token", "", "session token of temporary credentials", secret=True),
    ProfileKey("s3_region", "", "region of the bucket; default: looked up"),
)
_ROWS = {row.key: row for row in _TABLE}


@dataclass(frozen=True, slots=True)
class Profile:
    """Where the servers are. Prints nothing that is secret."""

    name: str
    values: Mapping[str, str] = field(repr=False)  # every key of the table; "" where there is no value

    @property
    def database_url(self) -> str:
        """The projection."""
        return self.values["database_url"]

    @property
    def database_schema(self) -> str:
        """The schema that is the projection."""
        return self.values["database_schema"]

    def redacted(self) -> dict[str, str]:
        """The values that are set, without secrets, and URLs without user and password."""
        return {key: _redacted(_ROWS[key], value) for key, value in self.values.items() if value}

    def number(self, key: str) -> int:
        """A value that is a whole number. Raises: InvalidSettings."""
        text = self.values[key]
        if not text.isdecimal():
            raise InvalidSettings(f"{key} of profile {self.name!r} is {text!r}. Write a whole number.")
        return int(text)


def profile_keys() -> tuple[ProfileKey, ...]:
    """Every key of a profile."""
    return _TABLE


def read_profile(name: str, values: Mapping[str, object], environ: Mapping[str, str], file: str) -> Profile:
    """The profile `name`: from the environment, else from the settings file (`values`), else the defaults.

    Raises: InvalidSettings for a key that is not known, a value that is no text, and one that is missing.
    """
    unknown = next((key for key in values if key not in _ROWS), None)
    if unknown is not None:
        raise InvalidSettings(
            f"{unknown!r} in [profiles.{name}] of {file!r} is not a profile key. Known keys: {', '.join(_ROWS)}."
        )
    return Profile(name, {row.key: _value(row, name, values, environ, file) for row in _TABLE})


def bucket_profile(environ: Mapping[str, str]) -> Profile:
    """What variables say, for one who uses a bucket and no profile; other keys may have no value.

    Raises: InvalidSettings without an endpoint.
    """
    found = {row.key: environ.get(row.variable) or row.default or "" for row in _TABLE}
    if not found["s3_endpoint"]:
        raise InvalidSettings(
            "for a bucket, its endpoint is needed. Set HEADWATER_S3_ENDPOINT (and HEADWATER_S3_ACCESS_KEY and "
            "HEADWATER_S3_SECRET_KEY, unless the AWS tools have keys), or HEADWATER_URL to a profile that has them."
        )
    return Profile("", found)


def _value(row: ProfileKey, name: str, values: Mapping[str, object], environ: Mapping[str, str], file: str) -> str:
    found: object = environ.get(row.variable) or values.get(row.key)
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if found is None:
        found = row.default
    if found is None:
        raise InvalidSettings(
            f"profile {name!r} has no {row.key} ({row.meaning}). Add {row.key} to [profiles.{name}] in {file!r}, or "
            f"set {row.variable}."
        )
    if not isinstance(found, str):
        raise InvalidSettings(f"{row.key} in [profiles.{name}] of {file!r} must be a string in quotes.")
    return found


def _redacted(row: ProfileKey, value: str) -> str:
    if row.key == "database_url":
        return _USER_INFO.sub("", value).partition("?")[0]
    return HIDDEN if row.secret else value
