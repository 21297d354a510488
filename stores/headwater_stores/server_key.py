"""The key of the servers of one store: what one of them signs, all of them believe.

It is 32 random bytes in a file that its operator gives to each of them, HEADWATER_SERVER_KEY_FILE. On a folder one is
made on first use, beside the operational tables, which hold its fingerprint: a server with another key is not ready.
"""

import hmac
import os
from hashlib import sha256
from pathlib import Path

from headwater_runtime.files import make_folders, write_atomically
from headwater_schemas.errors import InvalidSettings

from headwater_stores.config.settings import Settings

VARIABLE = "HEADWATER_SERVER_KEY_FILE"
KEY_BYTES = 32
FILE = "operational/server.key"  # in the folder of a store
_FINGERPRINT_DIGITS = 32


class ServerKey:
    """A secret. Nothing that is derived for one purpose tells anything about another. Prints nothing of it."""

    def __init__(self, secret: bytes) -> None:
        assert len(secret) == KEY_BYTES
        self._secret = secret

    def derived(self, purpose: str) -> bytes:
        """The key for one purpose: 32 bytes."""
        return hmac.new(self._secret, b"headwater/" + purpose.encode(), sha256).digest()

    @property
    def fingerprint(self) -> str:
        """By which two keys are told apart, and nobody learns the key."""
        return self.derived("fingerprint/1").hex()[:_FINGERPRINT_DIGITS]


def key_file(settings: Settings) -> tuple[Path, bool]:
    """Where the key of a store's servers is, and whether one is made where there is none. Raises: InvalidSettings."""
    path = key_file_named(settings)
    if path is not None:
        return path, not os.environ.get(VARIABLE)
    raise InvalidSettings(
        f"the servers of a profile share one key. Set {VARIABLE} to its file for each of them; `headwater setup` makes "
        "it where there is none."
    )


def key_file_named(settings: Settings) -> Path | None:
    """Where the key of a store's servers is; None for a profile where nobody says."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    return settings.store / FILE if settings.is_folder else None


def read_key(path: Path, create: bool) -> ServerKey:
    """The key in a file; with `create` one that is made where there is none, mode 0600. Raises: InvalidSettings."""
    try:
        if create and not path.exists():
            _make(path)
        text = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise InvalidSettings(
            f"the server's key file {str(path)!r} cannot be read: {error.strerror}. Set {VARIABLE} to the key file of "
            "this store's servers; `openssl rand -hex 32` makes one."
        ) from error
    if mode & 0o077:
        raise InvalidSettings(
            f"the server's key file {str(path)!r} can be read by others. Run `chmod 600` on it, and make another key "
            "if somebody may have."
        )
    try:
        secret = bytes.fromhex(text.decode("ascii").strip())
        if len(secret) != KEY_BYTES:
            raise ValueError
    except ValueError:
        raise InvalidSettings(
            f"the server's key file {str(path)!r} does not hold {KEY_BYTES} bytes in hexadecimal. `openssl rand -hex "
            "32` makes a key."
        ) from None
    return ServerKey(secret)


def _make(path: Path) -> None:
    """Of several servers that begin at once, the first file stays. Raises: OSError."""
    make_folders(path.parent)
    write_atomically(path, os.urandom(KEY_BYTES).hex().encode() + b"\n", overwrite=False, is_secret=True)
