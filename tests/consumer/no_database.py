"""Run a module where no database, log or store can be imported: `python -m tests.consumer.no_database MODULE`."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

BLOCKED = ("sqlalchemy", "sqlite3", "psycopg", "kafka", "minio", "headwater_blobs", "headwater_eventlog")


class Blocker(MetaPathFinder):
    """Makes each import of a blocked package fail."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in BLOCKED:
            raise ImportError(f"{fullname} is blocked")
        return None


if __name__ == "__main__":
    sys.meta_path.insert(0, Blocker())
    import_module(sys.argv[1]).main()
