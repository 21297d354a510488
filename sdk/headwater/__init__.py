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
    from headwater._run.init import init as init
    from headwater._run.run import Run as Run
    from headwater._tables.partitioned import PartitionedTable as PartitionedTable
    from headwater._tables.table import Table as Table

_HOMES = {
    "Api": "headwater._api.api",
    "Artifact": "headwater._artifact.artifact",
    "HeadwaterError": "headwater_schemas.errors",
    "PartitionedTable": "headwater._tables.partitioned",
    "Run": "headwater._run.run",
    "Table": "headwater._tables.table",
    "init": "headwater._run.init",
}

_MODULES = ("data_types", "errors")

_RESOLVER = "headwater._run.resolver"  # lets artifacts find their runs, whichever name is used first

__all__ = ["Api", "Artifact", "HeadwaterError", "PartitionedTable", "Run", "Table", "data_types", "errors", "init"]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"headwater.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'headwater' has no attribute {name!r}")
    import_module(_RESOLVER)
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
