"""Where a bucket is, and the keys for it. Secrets are in no `repr` and no message."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from headwater_schemas.archive_files import COLLECTIONS_PREFIX, OWN_PREFIX
from headwater_schemas.errors import InvalidSettings
from headwater_schemas.object_names import FILES, PACKS

RESERVED = {PACKS, FILES, OWN_PREFIX, COLLECTIONS_PREFIX}  # what names in a bucket begin with
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")  # S3 user guide, "General purpose bucket naming rules"
_REGION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PREFIX = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
PREFIX_LENGTH_MAX = 100  # with the longest name of an object, a key stays below the 1,024 bytes of S3


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where a bucket is. Raises: InvalidSettings, when created, for values that can never work."""

    endpoint: str  # "https://host" or "http://host:port"
    bucket: str
    access_key: str | None = field(default=None, repr=False)  # None: from where AWS tools find it, see `client`
    secret_key: str | None = field(default=None, repr=False)
    region: str | None = None  # None: requested from the server
    session_token: str | None = field(default=None, repr=False)  # of keys that expire
    prefix: str = ""  # what all keys in the bucket begin with, without the slash at its end; "" for none

    def __post_init__(self) -> None:
        _check_endpoint(self.endpoint)
        if not _BUCKET.fullmatch(self.bucket):
            raise InvalidSettings(
                f"{self.bucket[:100]!r} is not the name of a bucket: 3 to 63 of a-z, 0-9, '.' and '-', "
                "beginning and ending with a letter or digit."
            )
        if self.prefix:
            _check_prefix(self.prefix)
        if self.region is not None and not _REGION.fullmatch(self.region):
            raise InvalidSettings(f"{self.region[:100]!r} is not the name of a region, such as 'us-east-1'.")
        if bool(self.access_key) != bool(self.secret_key):
            there, lacking = ("access", "secret") if self.access_key else ("secret", "access")
            raise InvalidSettings(
                f"{self} has an S3 {there} key and no {lacking} key. Give both, or neither to use those of AWS tools."
            )

    def __str__(self) -> str:
        within = f" under {self.prefix + '/'!r}" if self.prefix else ""
        return f"bucket {self.bucket!r} at {self.endpoint}{within}"

    def key_of(self, name: str) -> str:
        """The key in the bucket of what is called `name` here; of a beginning of names, too."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def shown(self, name: str) -> str:
        """An object, for people: its key, and where that is."""
        return f"object {self.key_of(name)!r} in {self}"

    def name_of(self, key: str) -> str | None:
        """What has this key in the bucket, as it is called here; None where that is somebody else's."""
        if not self.prefix:
            return key
        return key[len(self.prefix) + 1 :] if key.startswith(f"{self.prefix}/") else None

    @property
    def host(self) -> str:
        """`host` or `host:port`."""
        return urlsplit(self.endpoint).netloc

    @property
    def is_secure(self) -> bool:
        """Whether the endpoint uses TLS."""
        return urlsplit(self.endpoint).scheme == "https"


def _check_prefix(prefix: str) -> None:
    parts = prefix.split("/")
    is_good = _PREFIX.fullmatch(prefix) and all(part.strip(".") for part in parts) and len(prefix) <= PREFIX_LENGTH_MAX
    # Below one of these, another installation that has the whole bucket would find its own.
    if not is_good or RESERVED.intersection(parts):
        raise InvalidSettings(
            f"{prefix[:200]!r} is not a prefix for a bucket: names of a-z, A-Z, 0-9, '.', '_' and '-' with '/' between "
            f"them, at most {PREFIX_LENGTH_MAX} characters, and none of them {', '.join(sorted(RESERVED))}."
        )


def _check_endpoint(endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_good = False
        parts = urlsplit("")
    if is_good and parts.username is None and parts.path in ("", "/") and not parts.query and not parts.fragment:
        return
    shown = f"{parts.scheme}://{parts.hostname}" if is_good else "the given value"  # the rest may hold a password
    raise InvalidSettings(
        f"the S3 endpoint must be like 'https://host' or 'http://host:port', without keys or a path; "
        f"{shown} is not, or has more than that."
    )
