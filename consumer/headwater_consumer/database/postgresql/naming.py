"""Names of schemas, and URLs of databases, which may hold a password."""

import re
import uuid
from urllib.parse import unquote, urlsplit

from headwater_schemas.errors import InvalidSettings

SCHEMA_NAME = "headwater"
NAME_LENGTH_MAX = 63  # PostgreSQL cuts longer ones

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SCHEMES = ("postgresql", "postgres")


def new_schema_name(beside: str) -> str:
    """The name for a projection that is built beside another."""
    return f"{beside[: NAME_LENGTH_MAX - 33]}_{uuid.uuid4().hex}"


def check_schema_name(name: str) -> str:
    """Return `name` if a schema can be called so without quotes. Raises: InvalidSettings."""
    if not _NAME.fullmatch(name):
        raise InvalidSettings(
            f"{name[:100]!r} is not the name of a schema: 1 to {NAME_LENGTH_MAX} of a-z, 0-9 and '_', not beginning "
            "with a digit."
        )
    return name


def check_url(url: str) -> str:
    """Return `url` if it names a PostgreSQL database. Raises: InvalidSettings, without the password."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.path.strip("/"):
        raise InvalidSettings(
            f"{redacted(url)!r} is not the URL of a PostgreSQL database. "
            "Write postgresql://user:password@host:port/database."
        )
    return url


def redacted(url: str) -> str:
    """`url` for messages: without user, password and options."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the database"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def secrets_of(url: str) -> set[str]:
    """What a message must not show: the password, as it is written and as it is meant."""
    user_info = url.partition("://")[2].rpartition("@")[0]
    password = user_info.partition(":")[2]
    return {password, unquote(password)} - {""}
