"""Be another user, and run `headwater` or a script: `python -m tests.support.as_user UID GROUPS UMASK ARGUMENTS…`.

Everything is imported before, as root: what another user may not read, such as the interpreter's folder in root's home,
is needed no more. GROUPS are separated by commas, the first is the process's own.
"""

import os
import pkgutil
import runpy
import sys
from importlib import import_module

from headwater.cli import main

# Loaded when they are first needed, by the standard library and by the libraries.
_LATER = ("encodings.idna", "encodings.unicode_escape", "getpass", "grp", "pwd", "rich.traceback", "stringprep")


def import_all() -> None:
    """Import what a process may import later."""
    for name in _LATER:
        import_module(name)
    for module in pkgutil.walk_packages(import_module("headwater").__path__, "headwater."):
        if not module.name.endswith("__main__"):
            import_module(module.name)


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
