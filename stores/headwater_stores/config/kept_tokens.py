"""Keep and forget tokens, as `headwater login` and `headwater logout` do. `logins` says where they are."""

import os
from pathlib import Path

from headwater_runtime.files import write_atomically
from headwater_schemas.errors import InvalidSettings

from headwater_stores.config.logins import login_path


def keep_token(url: str, token: str) -> str:
    """Keep a token for the server at `url`, instead of the one before. Returns the file. Raises: InvalidSettings."""
    path = login_path(url)
    if path is None:
        raise InvalidSettings("the token cannot be kept: there is no home folder. Set HOME, or HEADWATER_TOKEN.")
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        write_atomically(Path(path), f"{token}\n".encode(), is_secret=True)
    except OSError as error:
        raise InvalidSettings(
            f"the token cannot be kept in {path!r}: {error.strerror}. Make the folder writable, or set HEADWATER_TOKEN."
        ) from error
    return path


def forget_token(url: str) -> bool:
    """Delete the token for the server at `url`; returns whether there was one. Raises: InvalidSettings."""
    path = login_path(url)
    try:
        os.unlink(path or "")
    except FileNotFoundError:
        return False
    except OSError as error:
        raise InvalidSettings(f"the token in {path!r} cannot be deleted: {error.strerror}. Delete the file.") from error
    return True
