"""The user's own folders for headwater's data, caches and configuration, where the platform wants them."""

import os
import sys

from headwater_stores.config.local_paths import home_folder, with_home

_XDG_DEFAULTS = {"data": "~/.local/share", "cache": "~/.cache", "config": "~/.config"}


def user_folder(kind: str) -> str | None:
    """The one for "data", "cache" or "config"; None where the user has no home."""
    given = os.environ.get(f"XDG_{kind.upper()}_HOME", "")
    if home_folder() is None and not os.path.isabs(given):
        return None
    if sys.platform == "linux" and "ANDROID_DATA" not in os.environ:  # what platformdirs says, which takes long to load
        return os.path.join(given if os.path.isabs(given) else with_home(_XDG_DEFAULTS[kind]), "headwater")
    import platformdirs

    folders = {
        "data": platformdirs.user_data_dir,
        "cache": platformdirs.user_cache_dir,
        "config": platformdirs.user_config_dir,
    }
    return folders[kind]("headwater", appauthor=False)
