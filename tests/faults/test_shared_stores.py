"""A store that several users have: whatever one of them does, the others go on, and `doctor` says what is in the way.

Real processes under other user ids, so only where the tests run as root.
"""

import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.processes import ROOT, Ended, Started
from tests.support.forked import PIPE, ForkedProcess

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")

GROUP = 54400
DATABASES = ("log/log.db", "projection/projection.db")


@dataclass(frozen=True)
class User:
    """Who runs a process."""

    uid: int
    groups: tuple[int, ...]
    umask: int = 0o022


ADA, BOB = User(54321, (54321, GROUP)), User(54322, (54322, GROUP))
GUEST, ROOT_USER = User(54323, (54323,)), User(0, (0,))


@dataclass
class Shared:
    """A folder in which a store is made, and what users do with it."""

    folder: Path
    store: Path = field(init=False)

    def __post_init__(self) -> None:
        self.store = self.folder / "team" / "store"

    def start(self, user: User, *arguments: str) -> Started:
        """Start `headwater`, or a script in the folder, as somebody."""
        home = self.folder / f"home-{user.uid}"
        home.mkdir(exist_ok=True)
        os.chown(home, user.uid, user.groups[0])
        environment = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HEADWATER_URL": str(self.store),
            "HEADWATER_ENTITY": "team",
            "HEADWATER_PROJECT": "shared",
        }
        who = [str(user.uid), ",".join(map(str, user.groups)), f"{user.umask:o}"]
        command = ["-m", "tests.support.as_user", *who, *arguments]
        return Started(ForkedProcess(command, cwd=home, env=environment, stdin=PIPE, stdout=PIPE, stderr=PIPE))

    def run(self, user: User, *arguments: str) -> Ended:
        """As `start`, and wait for its end."""
        return self.start(user, *arguments).wait()

    def log(self, user: User, name: str) -> Ended:
        """Log an artifact of two files, one of them large enough to be an object of its own."""
        data = self.folder / f"data-{name}"
        data.mkdir(exist_ok=True)
        (data / "small").write_text(name)
        (data / "large").write_bytes(name.encode() * 500_000)
        return self.run(user, "headwater", "log", str(data), "--name", name)

    def names(self, user: User) -> set[str]:
        """The artifacts that somebody sees."""
        listed = self.run(user, "headwater", "ls").succeeded().out
        return {line.split()[0] for line in listed.splitlines()[2:]}

    def files(self) -> list[Path]:
        """Everything in the store."""
        return [self.store, *self.store.rglob("*")]


@pytest.fixture
def shared() -> Iterator[Shared]:
    """A folder of the group, as an administrator makes one; other users may pass through what is above it."""
    folder = Path(tempfile.mkdtemp(prefix="headwater-shared-"))
    folder.chmod(0o755)
    (folder / "team").mkdir()
    os.chown(folder / "team", ADA.uid, GROUP)
    (folder / "team").chmod(0o2775)
    yield Shared(folder)
    shutil.rmtree(folder)


def make_private(store: Path) -> None:
    """As SQLite itself makes databases, and headwater did: only their owner may write them."""
    for name in DATABASES:
        (store / name).chmod(0o644)


def mend(doctor: Ended) -> None:
    """Run the command that `doctor` names, as an administrator."""
    (command,) = re.findall(r"To change that: (.*)", doctor.out)
    subprocess.run(command.replace("sudo ", ""), shell=True, check=True)


@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077], ids=oct)
def test_members_of_a_group_write_by_turns_whatever_their_umask(shared: Shared, umask: int) -> None:
    ada, bob = (User(user.uid, user.groups, umask) for user in (ADA, BOB))

    for turn, user in enumerate((ada, bob, ada)):
        shared.log(user, f"turn{turn}").succeeded()

    assert shared.names(bob) == {"turn0", "turn1", "turn2"}
    for path in shared.files():
        found = path.stat()
        assert found.st_gid == GROUP, path
        assert found.st_mode & stat.S_IRGRP, path
        assert found.st_mode & stat.S_IWGRP or "objects" in path.parts, path
        assert umask != 0o077 or not found.st_mode & stat.S_IRWXO, path
    assert "permissions" not in shared.run(bob, "headwater", "doctor").succeeded().out


@pytest.mark.parametrize(("umask", "bits"), [(0o022, 0o644), (0o077, 0o600)])
def test_outside_of_a_groups_folder_the_umask_decides(shared: Shared, umask: int, bits: int) -> None:
    (shared.folder / "team").chmod(0o755)
    shared.log(User(ADA.uid, ADA.groups, umask), "mine").succeeded()

    for name in (*DATABASES, "log/log.lock", "headwater.json"):
        assert stat.S_IMODE((shared.store / name).stat().st_mode) == bits, name


def test_a_reader_who_may_not_write_leaves_nothing_behind_and_the_owner_goes_on(shared: Shared) -> None:
    shared.log(ADA, "first").succeeded()
    make_private(shared.store)
    before = sorted(shared.files())

    for user in (BOB, GUEST):
        assert shared.names(user) == {"first"}
        shared.run(user, "headwater", "get", "first", "out").succeeded()
    refused = shared.log(BOB, "second")

    assert sorted(shared.files()) == before
    assert refused.code == 1
    assert f"{shared.store}/log/log.db belongs to user id {ADA.uid}" in refused.err
    shared.log(ADA, "second").succeeded()


WRITING = """
import sys, headwater
for number in range(int(sys.argv[1])):
    artifact = headwater.Artifact(f"number{number}", "dataset")
    with artifact.new_file("f") as file:
        file.write(str(number))
    artifact.save()
    print(number, flush=True)
"""


def test_a_reader_does_not_disturb_a_writer_who_is_at_it(shared: Shared) -> None:
    shared.log(ADA, "first").succeeded()
    make_private(shared.store)
    script = shared.folder / "writing.py"
    script.write_text(WRITING)

    writer = shared.start(ADA, str(script), "30")
    writer.read_line()
    seen = [shared.names(BOB) for _ in range(2)]
    ended = writer.wait()

    assert (ended.code, ended.out.split()[-1]) == (0, "29"), ended
    assert all("first" in names for names in seen)
    shared.log(ADA, "last").succeeded()
    assert {path.stat().st_uid for path in shared.files()} == {ADA.uid}


def test_journals_that_a_reader_left_are_named_with_their_owner_and_the_command_helps(shared: Shared) -> None:
    shared.log(ADA, "first").succeeded()
    make_private(shared.store)
    for name in DATABASES:
        for suffix in ("-wal", "-shm"):
            journal = shared.store / (name + suffix)
            journal.touch(mode=0o644)
            os.chown(journal, BOB.uid, GROUP)

    assert shared.names(ADA) == {"first"}
    refused = shared.log(ADA, "second")
    doctor = shared.run(ADA, "headwater", "doctor")

    assert refused.code == doctor.code == 1
    assert f"{shared.store}/log/log.db-wal belongs to user id {BOB.uid}" in refused.err
    for name in DATABASES:
        assert f"{shared.store}/{name}-shm belongs to user id {BOB.uid}" in doctor.out
    mend(doctor)
    shared.log(ADA, "second").succeeded()
    assert "permissions: the group of this store cannot write" in shared.run(ADA, "headwater", "doctor").succeeded().out


def test_an_owner_hears_that_the_group_is_kept_out_and_the_command_helps(shared: Shared) -> None:
    shared.log(ADA, "first").succeeded()
    make_private(shared.store)

    mend(shared.run(ADA, "headwater", "doctor").succeeded())

    shared.log(BOB, "second").succeeded()


def test_what_root_writes_into_somebodys_store_stays_theirs(shared: Shared) -> None:
    (shared.folder / "team").chmod(0o755)
    shared.log(ADA, "first").succeeded()

    shared.log(ROOT_USER, "second").succeeded()
    shared.names(ROOT_USER)

    assert {path.stat().st_uid for path in shared.files()} == {ADA.uid}
    shared.log(ADA, "third").succeeded()


@pytest.mark.parametrize("what", ["whole", "folder"])
def test_a_store_of_root_is_read_and_the_command_makes_it_writable(shared: Shared, what: str) -> None:
    shared.log(ROOT_USER, "first").succeeded()
    paths = shared.files() if what == "whole" else [shared.store / "blobs" / "staging"]
    for path in shared.files():
        os.chown(path, ADA.uid, ADA.uid)
        path.chmod(path.stat().st_mode & ~(stat.S_IWGRP | stat.S_ISGID))
    for path in paths:
        os.chown(path, 0, 0)

    assert shared.names(ADA) == {"first"}
    refused, doctor = shared.log(ADA, "second"), shared.run(ADA, "headwater", "doctor")

    assert refused.code == 1
    assert f"{paths[0]} belongs to root" in refused.err
    assert f"{paths[0]} belongs to root" in doctor.out
    mend(doctor)
    shared.log(ADA, "second").succeeded()


def test_an_object_that_cannot_be_read_is_named_with_its_owner(shared: Shared) -> None:
    shared.log(ADA, "first").succeeded()
    (large,) = (path for path in shared.store.glob("blobs/objects/files/**/*") if path.is_file())
    os.chown(large, BOB.uid, BOB.uid)
    large.chmod(0o400)

    doctor = shared.run(ADA, "headwater", "doctor")

    assert doctor.code == 1
    assert f"{large} belongs to user id {BOB.uid}" in doctor.out
    mend(doctor)
    shared.run(ADA, "headwater", "get", "first", "out").succeeded()


def test_a_reader_is_told_how_to_join_the_group(shared: Shared) -> None:
    shared.log(ADA, "first").succeeded()

    doctor = shared.run(GUEST, "headwater", "doctor").succeeded()

    assert f"{shared.store} belongs to user id {ADA.uid}, group id {GROUP}" in doctor.out
    assert f"sudo usermod -aG {GROUP} {GUEST.uid}" in doctor.out
