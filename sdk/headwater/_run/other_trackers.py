"""Calls of experiment trackers that scripts bring along: what can be done is done, and the rest says what to do."""

from collections.abc import Mapping
from typing import Any, NoReturn

from headwater_schemas.errors import InvalidInput
from headwater_stores.config.settings import read_settings, redact
from headwater_stores.telling.progress import notify

_FILE = "Add the file to an artifact with `artifact.add_file`."
_MODEL = 'A model is an artifact: `run.log_artifact(path, name=…, type="model")` logs it, `run.use_artifact` uses it.'
_NO_SWEEPS = "headwater starts no runs by itself. Runs that belong together share a `group=`."
_INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(("log_model", "use_model", "link_model"), _MODEL),
    **dict.fromkeys(("Image", "Video", "Audio", "Html", "Object3D", "Molecule", "Plotly", "Histogram"), _FILE),
    **dict.fromkeys(("sweep", "agent"), _NO_SWEEPS),
    "save": "Add the files to an artifact with `artifact.add_file`, and log it with `run.log_artifact`.",
    "restore": "Download a file of a version with `run.use_artifact(name).get_entry(path).download()`.",
    "alert": "headwater sends no notifications.",
    "url": "`run.path` identifies the run; `headwater runs ID` shows it.",
    "get_url": "`run.path` identifies the run; `headwater runs ID` shows it.",
    "notes": "Keep notes in `run.config` or `run.summary`.",
    "dir": "A run has no folder of its own. Set HEADWATER_CACHE_DIR for temporary files.",
}


def advice(name: str) -> str:
    """What to use instead of an attribute of other trackers, to follow a sentence; empty where there is nothing."""
    return f". {_INSTEAD[name]}" if name in _INSTEAD else ""


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
