"""The server of a shared store, `HEADWATER_URL=https://…`, and the token that says who asks."""

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from headwater_runtime.shared_files import stat_if_there
from headwater_schemas.errors import InvalidSettings

TOKEN_LENGTH_MAX = 16 * 1024  # characters; servers rarely take longer headers
PORT_MAX = 65_535
_DEFAULT_PORTS = {"http": 80, "https": 443}
_TOKEN = re.compile(r"[\x21-\x7e]+")  # what a header can have, without spaces
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_BASE = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """Where a server is, whom it must be, and where the token is. Prints nothing that is secret."""

    url: str  # scheme://host[:port][/base]: lower case but for the base, no slash at the end
    token: str | None = field(default=None, repr=False)
    token_file: str | None = None  # absolute; read again when it changes
    ca_file: str | None = None  # certificates to trust instead of the machine's; absolute

    @property
    def parts(self) -> SplitResult:
        """The URL's parts."""
        return urlsplit(self.url)

    @property
    def is_secure(self) -> bool:
        """Whether it is spoken to by TLS."""
        return self.url.startswith("https:")

    @property
    def port(self) -> int:
        """The port, also where the URL does not say it."""
        parts = self.parts
        return parts.port or _DEFAULT_PORTS[parts.scheme]

    @property
    def place(self) -> str:
        """Two addresses with one place mean the same store, asked by the same. Has secrets."""
        return f"{self.url} {self.token} {self.token_file} {self.ca_file}"


def server_url(text: str, source: str) -> str:
    """A server's URL in its canonical form. Raises: InvalidSettings, which does not repeat what may be a secret."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise _invalid(source, "its host or port is not valid") from None
    if parts.username is not None or parts.password is not None:
        raise InvalidSettings(
            f"{source}: a server's URL must not contain a user or a password. Set HEADWATER_TOKEN to the token."
        )
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise _invalid(source, "it has a query or a fragment")
    host, base = parts.hostname or "", parts.path.rstrip("/")
    if not _HOST.fullmatch(host) or port == 0:
        raise _invalid(source, "its host or port is not valid")
    if not _BASE.fullmatch(base) or any(part in (".", "..") for part in base.split("/")):
        raise _invalid(source, "its path is not valid")
    shown = f"[{host}]" if ":" in host else host
    at = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{shown.lower()}{at}{base}"


def check_token(text: str, source: str) -> str:
    """Return `text` without white space around it. Raises: InvalidSettings, which does not show it."""
    token = text.strip()
    if not _TOKEN.fullmatch(token) or len(token) > TOKEN_LENGTH_MAX:
        raise InvalidSettings(
            f"{source} holds no token: one has 1 to {TOKEN_LENGTH_MAX:,} visible ASCII characters. Write the token as "
            "`headwater token create` showed it."
        )
    return token


def read_token_file(path: str) -> str:
    """The token in a file. Raises: InvalidSettings."""
    try:
        with open(path, "rb") as file:
            content = file.read(TOKEN_LENGTH_MAX + 3)  # with a line's end
    except OSError as error:
        raise InvalidSettings(
            f"the token file {path!r} cannot be read: {error.strerror}. Correct HEADWATER_TOKEN_FILE, or make the "
            "file readable."
        ) from error
    return check_token(content.decode("latin-1"), f"the token file {path!r}")


class Token:
    """The token to send, as it is now. Safe to use from threads: each change is one assignment."""

    def __init__(self, address: ServerAddress) -> None:
        self._address = address
        self._read: tuple[tuple[int, ...], str] | None = None  # what tells the file from a later one, and its token

    def now(self) -> str | None:
        """The token; None where none is set. Costs one question to the system. Raises: InvalidSettings."""
        path = self._address.token_file
        if path is None:
            return self._address.token
        identity = _identity(path)
        if self._read is None or self._read[0] != identity:
            self._read = identity, read_token_file(path)
        return self._read[1]


def _identity(path: str) -> tuple[int, ...]:
    found = stat_if_there(path)
    return () if found is None else (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _invalid(source: str, why: str) -> InvalidSettings:
    return InvalidSettings(f"{source} is not the URL of a server: {why}. Write https://host[:port][/path].")
