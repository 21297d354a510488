"""A profile: where the servers are that keep everything for many. Named by `HEADWATER_URL=profile:NAME`.

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


class ProfileRow(NamedTuple):
    """One line of the table of what a profile holds."""

    key: str
    default: str | None  # None: it must be given; "": there is none
    meaning: str
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that comes before the file."""
        return _VARIABLE_PREFIX + self.key.upper()


_TABLE = (
    ProfileRow("kafka_servers", None, "`host:port` of some brokers, with commas between"),
    ProfileRow("kafka_topic", "headwater", "the topic that holds the events; made where it is missing"),
    ProfileRow("kafka_partitions", "32", "how many partitions the topic gets when it is made; it keeps them"),
    ProfileRow("kafka_replication", "1", "how many brokers hold each record, when the topic is made; 3 on a cluster"),
    ProfileRow("kafka_min_insync_replicas", "1", "how many of them must have it before it counts; 2 on a cluster"),
    ProfileRow("kafka_security_protocol", "PLAINTEXT", "or `SSL`, `SASL_PLAINTEXT`, `SASL_SSL`"),
    ProfileRow("kafka_sasl_mechanism", "", "such as `SCRAM-SHA-512`"),
    ProfileRow("kafka_sasl_username", "", "who signs in"),
    ProfileRow("kafka_sasl_password", "", "the password", secret=True),
    ProfileRow("kafka_ssl_cafile", "", "file of the authorities to trust"),
    ProfileRow("kafka_ssl_certfile", "", "file of the client's certificate"),
    ProfileRow("kafka_ssl_keyfile", "", "file of its key"),
    ProfileRow("database_url", None, "`postgresql://user:password@host:port/database`", secret=True),
    ProfileRow("database_schema", "headwater", "the schema in it that is the projection; made where it is missing"),
    ProfileRow("s3_endpoint", None, "`https://host` or `http://host:port`"),
    ProfileRow("s3_bucket", "headwater", "the bucket that holds the bytes; made where it is missing"),
    ProfileRow("s3_access_key", "", "the access key; without one, those of AWS tools are used", secret=True),
    ProfileRow("s3_secret_key", "", "its secret", secret=True),
    ProfileRow("s3_session_token", "", "of keys that end by themselves", secret=True),
    ProfileRow("s3_region", "", "the bucket's region; asked unless given"),
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

    def shown(self) -> dict[str, str]:
        """What is set, for people: secrets are hidden, and of a URL its user and password."""
        return {key: _shown(_ROWS[key], value) for key, value in self.values.items() if value}

    def number(self, key: str) -> int:
        """A value that is a whole number. Raises: InvalidSettings."""
        text = self.values[key]
        if not text.isdecimal():
            raise InvalidSettings(f"{key} of profile {self.name!r} is {text!r}. Write a whole number.")
        return int(text)


def profile_table() -> tuple[ProfileRow, ...]:
    """Everything that a profile can say, for people."""
    return _TABLE


def make_profile(name: str, said: Mapping[str, object], environ: Mapping[str, str], file: str) -> Profile:
    """The profile `name`: what the environment says, else the settings file (`said`), else the default.

    Raises: InvalidSettings for a key that is not known, a value that is no text, and one that is missing.
    """
    unknown = next((key for key in said if key not in _ROWS), None)
    if unknown is not None:
        raise InvalidSettings(
            f"{unknown!r} in [profiles.{name}] of {file!r} is not a setting of a profile. Known: {', '.join(_ROWS)}."
        )
    return Profile(name, {row.key: _value(row, name, said, environ, file) for row in _TABLE})


def _value(row: ProfileRow, name: str, said: Mapping[str, object], environ: Mapping[str, str], file: str) -> str:
    found: object = environ.get(row.variable) or said.get(row.key)
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if found is None:
        found = row.default
    if found is None:
        raise InvalidSettings(
            f"profile {name!r} does not say its {row.key}: {row.meaning}. Write {row.key} under [profiles.{name}] in "
            f"{file!r}, or set {row.variable}."
        )
    if not isinstance(found, str):
        raise InvalidSettings(f"{row.key} in [profiles.{name}] of {file!r} must be text in quotes.")
    return found


def _shown(row: ProfileRow, value: str) -> str:
    if row.key == "database_url":
        return _USER_INFO.sub("", value).partition("?")[0]
    return HIDDEN if row.secret else value
