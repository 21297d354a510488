"""Be another user, and run `headwater` or a script: `python -m tests.support.as_user UID GROUPS UMASK ARGUMENTS…`.

Everything is imported before, as root: what another user may not read, such as the interpreter's folder in root's home
or a private checkout, is needed no more. GROUPS are separated by commas, the first is the process's own.
"""

import os
import pkgutil
import runpy
import sys
from contextlib import suppress
from importlib import import_module, metadata
from types import SimpleNamespace

import click
from headwater.cli import cli, main
from headwater_consumer.database.ahead import texts_ahead
from headwater_consumer.database.connection import POSTGRESQL, SQLITE
from headwater_schemas.codec import MAGIC, decode
from headwater_schemas.errors import UndecodableEvent
from headwater_schemas.fingerprints import FINGERPRINTS
from headwater_schemas.frozen_unicode import is_printable

# Loaded when they are first needed, by the standard library and by the libraries.
_LATER = ("encodings.idna", "encodings.unicode_escape", "getpass", "grp", "pwd", "rich._emoji_codes", "stringprep")
_PACKAGES = ("headwater", "headwater_stores", "headwater_server", "rich")


def import_all() -> None:
    """Import and read what a process may need later: another user may be kept out of the installation."""
    known = SimpleNamespace(version=metadata.version("headwater"))
    find = metadata.distribution
    metadata.distribution = lambda name: known if name == "headwater" else find(name)
    for name in _LATER:
        import_module(name)
    for package in _PACKAGES:
        for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                with suppress(ImportError):  # of another system
                    import_module(module.name)
    for fingerprint in FINGERPRINTS.values():
        with suppress(UndecodableEvent):
            decode(MAGIC + bytes.fromhex(fingerprint))  # reads the schema
    is_printable("é")  # reads the table
    cli.list_commands(click.Context(cli))  # looks for those of other packages
    for dialect in (SQLITE, POSTGRESQL):
        texts_ahead(dialect)


def become(uid: int, groups: list[int], umask: int) -> None:
    """From now on be that user."""
    os.setgroups(groups)
    os.setgid(groups[0])
    os.setuid(uid)
    os.umask(umask)


if __name__ == "__main__":
    _, user, groups, umask, *arguments = sys.argv
    import_all()
    become(int(user), [int(group) for group in groups.split(",")], int(umask, 8))
    if arguments[0] == "headwater":
        sys.argv = arguments
        main()
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")
