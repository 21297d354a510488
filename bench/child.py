"""A measured process: import everything, say "ready", wait for "go", run one function, print what it gave.

It ends when it is told to: others are measured until then.
"""

import importlib
import json
import pkgutil
import sys

OURS = (
    "headwater_schemas",
    "headwater_runtime",
    "headwater_blobs",
    "headwater_eventlog",
    "headwater_producer",
    "headwater_consumer",
    "headwater_stores",
    "headwater",
)
# What is imported inside of functions, there and in what they use.
OTHERS = (
    "encodings.idna",
    "numpy",
    "platformdirs",
    "rich.progress",
    "secrets",
    "tempfile",
    "tomllib",
    "concurrent.futures.thread",
    "sqlite3",
    "kafka",
    "minio",
    "psycopg",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.dialects.postgresql.psycopg",
)


def main() -> None:
    module_name, _, function_name = sys.argv[1].partition(":")
    arguments = json.loads(sys.stdin.readline())
    function = getattr(importlib.import_module(module_name), function_name)
    import_everything()
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(function(**arguments)), flush=True)
    sys.stdin.readline()


def import_everything(*also: str) -> None:
    """Import every module of a client and of the packages `also`, and what it imports inside of functions."""
    for package in (*OURS, *also):
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)
    for name in OTHERS:
        importlib.import_module(name)


if __name__ == "__main__":
    main()
