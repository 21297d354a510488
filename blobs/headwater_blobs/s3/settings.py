"""Where a bucket is, and the keys for it. Secrets are in no `repr` and no message."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from headwater_schemas.errors import InvalidSettings

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")  # S3 user guide, "General purpose bucket naming rules"
_REGION = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where a bucket is. Raises: InvalidSettings, when created, for values that can never work."""

    endpoint: str  # "https://host" or "http://host:port"
    bucket: str
    access_key: str | None = field(default=None, repr=False)  # None: from where AWS tools find it, see `client`
    secret_key: str | None = field(default=None, repr=False)
    region: str | None = None  # None: requested from the server
    session_token: str | None = field(default=None, repr=False)  # of keys that expire

    def __post_init__(self) -> None:
        _check_endpoint(self.endpoint)
        if not _BUCKET.fullmatch(self.bucket):
            raise InvalidSettings(
                f"{self.bucket[:100]!r} is not the name of a bucket: 3 to 63 of a-z, 0-9, '.' and '-', "
                "beginning and ending with a letter or digit."
            )
        if self.region is not None and not _REGION.fullmatch(self.region):
            raise InvalidSettings(f"{self.region[:100]!r} is not the name of a region, such as 'us-east-1'.")
        if bool(self.access_key) != bool(self.secret_key):
            there, lacking = ("access", "secret") if self.access_key else ("secret", "access")
            raise InvalidSettings(
                f"{self} has an S3 {there} key and no {lacking} key. Give both, or neither to use those of AWS tools."
            )

    def __str__(self) -> str:
        return f"bucket {self.bucket!r} at {self.endpoint}"

    @property
    def host(self) -> str:
        """`host` or `host:port`."""
        return urlsplit(self.endpoint).netloc

    @property
    def is_secure(self) -> bool:
        """Whether the endpoint uses TLS."""
        return urlsplit(self.endpoint).scheme == "https"


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
