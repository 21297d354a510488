"""The environment in which another process of headwater uses the very store that this one does."""

import os
from collections.abc import Mapping

from headwater_stores.config.profile import profile_keys
from headwater_stores.config.settings import Settings


def environment_for(settings: Settings, **more: str) -> Mapping[str, str]:
    """This process's environment, with `more` and all that says where the store of `settings` is. Has secrets.

    What the settings file said when it was read counts: it may say something else by now.
    """
    profile = settings.profile
    values = {} if profile is None else profile.values
    named = {row.variable: values[row.key] for row in profile_keys() if values.get(row.key)}
    return {**os.environ, **named, "HEADWATER_URL": settings.url, **more}
