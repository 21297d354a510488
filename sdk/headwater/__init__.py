"""Versioned artifacts and their lineage.

    import headwater

    with headwater.init(project="digits") as run:
        artifact = headwater.Artifact("images", type="dataset")
        artifact.add_dir("images")
        run.log_artifact(artifact)

Names are imported on first use, which keeps `import headwater` fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headwater_schemas.errors import HeadwaterError as HeadwaterError

    from headwater import data_types as data_types
    from headwater import errors as errors
    from headwater._api.api import Api as Api
    from headwater._artifact.artifact import Artifact as Artifact
    from headwater._run.active import finish as finish
    from headwater._run.init import init as init
    from headwater._run.other_trackers import define_metric as define_metric
    from headwater._run.other_trackers import log as log
    from headwater._run.other_trackers import login as login
    from headwater._run.other_trackers import watch as watch
    from headwater._run.run import Run as Run
    from headwater._subscriptions.subscribe import subscribe as subscribe
    from headwater._tables.partitioned import PartitionedTable as PartitionedTable
    from headwater._tables.table import Table as Table

    run: Run | None  # the active run
    config: Any  # its config
    __version__: str

_HOMES = {
    "Api": "headwater._api.api",
    "Artifact": "headwater._artifact.artifact",
    "HeadwaterError": "headwater_schemas.errors",
    "PartitionedTable": "headwater._tables.partitioned",
    "Run": "headwater._run.run",
    "Table": "headwater._tables.table",
    "define_metric": "headwater._run.other_trackers",
    "finish": "headwater._run.active",
    "init": "headwater._run.init",
    "log": "headwater._run.other_trackers",
    "login": "headwater._run.other_trackers",
    "subscribe": "headwater._subscriptions.subscribe",
    "watch": "headwater._run.other_trackers",
}
_OF_ACTIVE_RUN = {"run": "current_run", "config": "current_config"}  # asked for anew each time

_MODULES = ("data_types", "errors")

_RESOLVER = "headwater._run.resolver"  # lets artifacts find their runs, whichever name is used first

# Without `run` and `config`, which `from headwater import *` would give as they are at that moment.
__all__ = [
    "Api",
    "Artifact",
    "HeadwaterError",
    "PartitionedTable",
    "Run",
    "Table",
    "data_types",
    "define_metric",
    "errors",
    "finish",
    "init",
    "log",
    "login",
    "subscribe",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"headwater.{name}")
    if name in _OF_ACTIVE_RUN:
        return getattr(import_module("headwater._run.active"), _OF_ACTIVE_RUN[name])()
    if name == "__version__":
        return import_module("importlib.metadata").version("headwater")
    if name not in _HOMES:
        advice = "" if name.startswith("_") else import_module("headwater._run.other_trackers").advice(name)
        raise AttributeError(f"module 'headwater' has no attribute {name!r}{advice}")
    import_module(_RESOLVER)
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__", "run"])
