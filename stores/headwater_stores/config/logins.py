"""Tokens that `headwater login` keeps: a file for each server, which its user alone may read."""

import os
from urllib.parse import quote

from headwater_stores.config.user_folders import user_folder

_FOLDER = "tokens"


def login_file(url: str) -> str | None:
    """The file with the token for the server at `url`; None where nobody has logged in there."""
    path = login_path(url)
    return path if path is not None and os.path.exists(path) else None


def login_path(url: str) -> str | None:
    """Where it would be; None for a user without a home."""
    folder = user_folder("config")
    return None if folder is None else os.path.join(folder, _FOLDER, quote(url, safe=""))
