"""Calls of experiment trackers that scripts bring along: what can be done is done, and the rest says what to do."""

from typing import Any, NoReturn

from headwater_schemas.errors import InvalidInput

from headwater._config.settings import read_settings, redact
from headwater._progress import notify


def login(*_ignored: Any, **_options: Any) -> bool:
    """Do nothing and return True, for scripts that sign in first: who may use the store needs no key here.

    Raises: InvalidSettings.
    """
    settings = read_settings()
    if not settings.quiet:
        notify(f"there is nothing to sign in to and no key is kept: the store is {redact(settings.url)}")
    return True


def log(*_ignored: Any, **_options: Any) -> NoReturn:
    """Raises: InvalidInput, which says what headwater records and what not."""
    raise _not_recorded("log")


def watch(*_ignored: Any, **_options: Any) -> NoReturn:
    """Raises: InvalidInput, as `log`."""
    raise _not_recorded("watch")


def define_metric(*_ignored: Any, **_options: Any) -> NoReturn:
    """Raises: InvalidInput, as `log`."""
    raise _not_recorded("define_metric")


def _not_recorded(call: str) -> InvalidInput:
    return InvalidInput(
        f"`{call}` has no counterpart: headwater records files with `run.log_artifact`, inputs with "
        "`run.use_artifact`, settings in `run.config` and final results in `run.summary`, but no metrics over time and "
        "no gradients. Keep an experiment tracker for these, or write them to a file or table of an artifact."
    )
