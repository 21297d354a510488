"""Which files of a folder store this process may not use, whose they are, and the command that changes that."""

import grp
import os
import pwd
import shlex
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from headwater_runtime.shared_databases import files_of
from headwater_runtime.shared_files import denied, is_of_a_group, stat_if_there

PATHS_NAMED_MAX = 8  # in a command; more are mended as a whole


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A file or folder of the store that this process may not use as it should."""

    path: Path
    found: os.stat_result

    def __str__(self) -> str:
        owner = _account_name(self.found.st_uid) or f"user id {self.found.st_uid}"
        group = _group_name(self.found.st_gid) or f"id {self.found.st_gid}"
        return f"{self.path} belongs to {owner}, group {group}, with mode {stat.filemode(self.found.st_mode)}"


def first_obstacle(store: Path, databases: Iterable[Path]) -> Obstacle | None:
    """What keeps this process from writing to the store, if anything does. Asks the system about a dozen paths."""
    return next(_denied(_fixed_paths(store, databases), os.W_OK), None)


def obstacles(store: Path, databases: Iterable[Path], *, limit: int) -> list[Obstacle]:
    """All that keeps this process from writing, or from reading an object; at most `limit`. Cost: lists all objects."""
    fixed = dict.fromkeys(_fixed_paths(store, databases))
    folders: list[Path] = []
    unreadable: list[Obstacle] = []
    for folder, _, names in os.walk(store / "blobs"):
        folders.append(Path(folder))
        unreadable += _denied((Path(folder, name) for name in names), os.R_OK)
    unwritable = _denied([*fixed, *(folder for folder in folders if folder not in fixed)], os.W_OK)
    return list(islice(chain(unwritable, unreadable), limit))


def kept_from_group(store: Path, databases: Iterable[Path]) -> list[Obstacle]:
    """What this user made in a store that a group shares, and the group cannot write."""
    if not is_of_a_group(shared := os.stat(store)):
        return []
    paths = _fixed_paths(store, databases)
    seen = [Obstacle(path, found) for path in paths if (found := stat_if_there(path)) is not None]
    mine = [one for one in seen if one.found.st_uid == os.geteuid()]
    return [one for one in mine if not one.found.st_mode & stat.S_IWGRP or one.found.st_gid != shared.st_gid]


def mending_command(store: Path, found: list[Obstacle]) -> str:
    """The command that lets this user write what `found` names. It takes nothing away from somebody else but root."""
    above, whole = os.stat(store), shlex.quote(str(store))
    if store in (one.path for one in found):
        return _joining_command(above, whole)
    sudo = "" if all(one.found.st_uid == os.geteuid() for one in found) else "sudo "
    is_many = len(found) > PATHS_NAMED_MAX
    recursive, paths = ("-R ", whole) if is_many else ("", shlex.join(str(one.path) for one in found))
    if not above.st_mode & stat.S_IWGRP or above.st_gid not in {os.getegid(), *os.getgroups()}:
        return f"{sudo}chown {recursive}{os.geteuid()} {paths}"
    chmod = f"{sudo}chmod {recursive}g+rwX {paths}"
    if all(one.found.st_gid == above.st_gid for one in found):
        return chmod
    return f"{sudo}chgrp {recursive}{above.st_gid} {paths} && {chmod}"


def _joining_command(store: os.stat_result, path: str) -> str:
    """For who may not write to the store's folder itself."""
    if is_of_a_group(store):
        group, user = _group_name(store.st_gid) or store.st_gid, _account_name(os.geteuid()) or os.geteuid()
        return f"sudo usermod -aG {group} {user}"
    if store.st_uid == 0:
        return f"sudo chown -R {os.geteuid()} {path}"
    group = os.getegid()
    return (
        f"sudo chgrp -R {group} {path} && sudo chmod -R g+rwX {path} && sudo find {path} -type d -exec chmod g+s {{}} +"
    )


def _account_name(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _group_name(gid: int) -> str | None:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return None


def _fixed_paths(store: Path, databases: Iterable[Path]) -> Iterator[Path]:
    yield store
    for database in databases:
        yield database.parent
        yield from files_of(database)
    yield from (store / "blobs", store / "blobs" / "staging", store / "blobs" / "objects")


def _denied(paths: Iterable[Path], mode: int) -> Iterator[Obstacle]:
    return (Obstacle(path, found) for path in paths if (found := denied(path, mode)) is not None)
