"""Things done wrongly on purpose: each message names the thing, what was found and what to do; nothing else changes."""

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.processes import NAMESPACE, Ended, Workspace
from tests.faults.stores import inspect_store
from tests.support.disks import read_only

ERROR, USAGE, NOT_FOUND = 1, 2, 3


def with_data(workspace: Workspace) -> Workspace:
    """A workspace with `data:v0` in its store."""
    workspace.fill("data", files=5)
    workspace.command("log", "data", "--name", "data", "--type", "dataset").succeeded()
    return workspace


@pytest.fixture
def filled_workspace(workspace: Workspace) -> Workspace:
    return with_data(workspace)


@pytest.fixture(scope="module")
def kept_workspace(module_path: Path) -> Workspace:
    """One for all mistakes: after each of them it is as it was."""
    return with_data(Workspace.in_folder(module_path))


def snapshot(folder: Path) -> dict[str, str]:
    """Every file with a digest of its bytes."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def assert_refused(ended: Ended, code: int, *words: str) -> None:
    assert ended.code == code, ended
    assert "Traceback" not in ended.err
    for word in words:
        assert word in ended.err, f"{word!r} is not said: {ended.err}"
    assert len(ended.err.strip()) > 40 or code == USAGE, "a message is a sentence"


@dataclass(frozen=True)
class Mistake:
    """A command that cannot work, and what must be said."""

    command: tuple[str, ...]
    code: int
    words: tuple[str, ...]


MISTAKES = {
    "a bad artifact name": Mistake(("log", "data", "--name", "no/slash"), ERROR, ("no/slash", "artifact")),
    "a bad project": Mistake(("log", "data", "--name", "x", "--project", "a b"), ERROR, ("a b", "project")),
    "a bad type": Mistake(("log", "data", "--name", "x", "--type", "a\tb"), ERROR, ("type",)),
    "a bad alias": Mistake(("log", "data", "--name", "x", "--alias", "v7"), ERROR, ("v7", "alias")),
    "metadata that is no JSON": Mistake(("log", "data", "--name", "x", "--metadata", "{a"), ERROR, ("--metadata",)),
    "an unknown artifact": Mistake(("get", "nothing"), NOT_FOUND, (f"{NAMESPACE}/nothing", "headwater ls")),
    "an unknown version": Mistake(("get", "data:v9"), NOT_FOUND, ("v9", "latest is v0", "headwater ls")),
    "an unknown alias": Mistake(("show", "data:best"), NOT_FOUND, ("best", "latest is v0")),
    "a missing file": Mistake(("log", "no-such.txt", "--name", "x"), ERROR, ("no-such.txt",)),
    "an unknown command": Mistake(("lag",), USAGE, ("lag",)),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_and_what_was_there_stays(kept_workspace: Workspace, mistake: Mistake) -> None:
    before = inspect_store(kept_workspace.store).versions

    ended = kept_workspace.command(*mistake.command)

    assert_refused(ended, mistake.code, *mistake.words)
    assert inspect_store(kept_workspace.store).versions == before


def test_another_type_for_an_artifact_is_refused_naming_both(filled_workspace: Workspace) -> None:
    before = inspect_store(filled_workspace.store).versions

    ended = filled_workspace.command("log", "data", "--name", "data", "--type", "model")

    assert_refused(ended, ERROR, f"{NAMESPACE}/data", "dataset", "model")
    assert inspect_store(filled_workspace.store, refused=True).versions == before


def test_the_errors_of_the_sdk_say_the_same(filled_workspace: Workspace) -> None:
    filled_workspace.run("""
        import headwater
        from headwater import errors

        def refused(kind, action, *words):
            try:
                action()
            except kind as error:
                for word in words:
                    assert word in str(error), (word, str(error))
            else:
                raise AssertionError(f"{words} did not raise")

        api = headwater.Api()
        refused(errors.InvalidName, lambda: headwater.Artifact("no/slash", "dataset"), "no/slash")
        refused(errors.InvalidName, lambda: headwater.init(project=""), "project")
        refused(errors.InvalidMetadata, lambda: headwater.init(config={"a": object()}), "config", "a")
        refused(errors.NotFound, lambda: api.artifact("nothing"), "team/faults/nothing")
        refused(errors.NotFound, lambda: api.artifact("data:v9"), "v9", "v0")
        refused(errors.NotFound, lambda: api.run("nobody"), "team/faults/nobody")
        refused(errors.InvalidInput, lambda: api.artifact("data", type="model"), "dataset", "model")
        with headwater.init() as run:
            artifact = headwater.Artifact("new", "dataset")
            refused(errors.InvalidFile, lambda: artifact.add_file("no-such.txt"), "no-such.txt")
            refused(errors.InvalidFile, lambda: artifact.add_dir("no-such"), "no-such")
            refused(errors.InvalidPath, lambda: artifact.add_file(__file__, name="../up"), "../up")
            refused(errors.InvalidInput, lambda: artifact.version, "new", "log")
            other = headwater.Artifact("data", "model")
            other.add_dir("data")
            run.log_artifact(other)
            refused(errors.EventRejected, run.finish, "team/faults/data", "dataset", "model")
            refused(errors.EventRejected, other.wait, "team/faults/data", "dataset", "model")
        refused(errors.InvalidInput, lambda: run.log_artifact("data"), run.path, "failed")
    """).succeeded()

    assert inspect_store(filled_workspace.store, refused=True).numbers("data") == 1


# Stores that are not what they should be


@pytest.mark.parametrize(("command", "code"), [(("ls",), 0), (("runs",), 0), (("doctor",), ERROR)])
def test_a_store_that_is_not_there_is_said_and_not_made(
    workspace: Workspace, command: tuple[str, ...], code: int
) -> None:
    ended = workspace.command(*command)

    assert ended.code == code
    assert str(workspace.store) in ended.err + ended.out
    assert "HEADWATER_URL" in ended.err + ended.out
    assert not workspace.store.exists()


def test_a_store_that_is_not_there_has_nothing_in_it(workspace: Workspace) -> None:
    ended = workspace.run("import headwater; print(headwater.Api().artifact_exists('x'))").succeeded()

    assert ended.out == "False\n"
    assert not workspace.store.exists()


LOG = ("log", "data", "--name", "data")


def test_a_folder_of_somebody_else_is_left_alone(workspace: Workspace) -> None:
    workspace.fill("data", files=1)
    workspace.store.mkdir()
    (workspace.store / "thesis.tex").write_text("mine")
    before = snapshot(workspace.store)

    for command in (LOG, ("ls",)):
        assert_refused(workspace.command(*command), ERROR, str(workspace.store))
    assert "thesis.tex" in workspace.command(*LOG).err
    assert snapshot(workspace.store) == before


def test_a_store_that_is_a_file_is_said(workspace: Workspace) -> None:
    workspace.fill("data", files=1)
    workspace.store.write_text("mine")

    assert_refused(workspace.command(*LOG), ERROR, str(workspace.store))
    assert workspace.store.read_text() == "mine"


def in_database(file: str, statement: str) -> Callable[[Path], None]:
    def change(store: Path) -> None:
        with closing(sqlite3.connect(store / file, isolation_level=None)) as database:
            database.execute(statement)

    return change


def in_text(file: str, old: str, new: str) -> Callable[[Path], None]:
    def change(store: Path) -> None:
        text = (store / file).read_text("utf-8")
        assert old in text
        (store / file).write_text(text.replace(old, new), "utf-8")

    return change


NEWER = {
    "marker": in_text("headwater.json", '"format": 1', '"format": 99'),
    "blobs": in_text("blobs/headwater-blobs.json", '"format": 1', '"format": 99'),
    "log": in_database("log/log.db", "UPDATE meta SET value = '99' WHERE name = 'format'"),
    "projection": in_database(
        "projection/projection.db", "UPDATE projection_meta SET value = '99' WHERE name = 'format'"
    ),
}


@pytest.mark.parametrize("part", NEWER)
def test_a_newer_format_is_refused_with_a_word_about_upgrading(filled_workspace: Workspace, part: str) -> None:
    NEWER[part](filled_workspace.store)
    before = snapshot(filled_workspace.store)

    for command in (LOG, ("ls",)):
        assert_refused(filled_workspace.command(*command), ERROR, "99", str(filled_workspace.store), "pgrade")
    assert snapshot(filled_workspace.store) == before


@pytest.mark.parametrize(
    "file", ["headwater.json", "blobs/headwater-blobs.json", "log/log.db", "projection/projection.db"]
)
def test_a_store_with_a_foreign_file_in_the_place_of_ours_is_refused_and_left_alone(
    filled_workspace: Workspace, file: str
) -> None:
    (filled_workspace.store / file).write_bytes(b"\xff\xfe this is something else entirely" * 50)
    before = snapshot(filled_workspace.store)

    for command in (LOG, ("ls",)):
        assert_refused(filled_workspace.command(*command), ERROR, str(filled_workspace.store))
    assert snapshot(filled_workspace.store) == before


def test_a_projection_that_was_thrown_away_is_built_anew_by_the_next_command(filled_workspace: Workspace) -> None:
    for file in (filled_workspace.store / "projection").iterdir():
        file.unlink()
    (filled_workspace.store / "projection").rmdir()

    assert "v0" in filled_workspace.command("ls", "data").succeeded().out


def test_a_store_that_can_only_be_read_is_read_and_refuses_to_log(filled_workspace: Workspace) -> None:
    with read_only(filled_workspace.store) as view:
        visitor = Workspace(filled_workspace.folder, view, filled_workspace.cache)
        visitor.command("get", "data", "out").succeeded()
        listed = visitor.command("ls", "data").succeeded()
        logged = visitor.command(*LOG)
        wrote = visitor.run("import headwater; headwater.init()")

    assert "v0" in listed.out
    assert (filled_workspace.folder / "out" / "00000.bin").exists()
    assert_refused(logged, ERROR, str(view), "HEADWATER_URL")
    assert "StoreReadOnly" in wrote.err
    assert inspect_store(filled_workspace.store).numbers("data") == 1


# Bytes that are not what they were


def packs(workspace: Workspace) -> list[Path]:
    return [path for path in (workspace.store / "blobs" / "objects" / "packs").rglob("*") if path.is_file()]


def test_a_flipped_byte_in_a_stored_pack_is_named_and_no_wrong_file_appears(filled_workspace: Workspace) -> None:
    (pack,) = packs(filled_workspace)
    damaged = bytearray(pack.read_bytes())
    damaged[250] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(damaged)

    ended = filled_workspace.command("get", "data", "out")

    assert_refused(ended, ERROR, pack.name)
    original = filled_workspace.folder / "data"
    for landed in (path for path in (filled_workspace.folder / "out").rglob("*") if path.is_file()):
        assert landed.read_bytes() == (original / landed.name).read_bytes(), f"{landed} is not what was logged"
    assert not (filled_workspace.folder / "out" / "00002.bin").exists()


def test_a_deleted_object_is_named_and_the_rest_of_the_store_works(filled_workspace: Workspace) -> None:
    (pack,) = packs(filled_workspace)
    pack.unlink()

    assert_refused(filled_workspace.command("get", "data", "out"), ERROR, pack.name)
    assert "v0" in filled_workspace.command("ls", "data").succeeded().out
    (filled_workspace.folder / "data" / "more.txt").write_text("more")
    filled_workspace.command("log", "data/more.txt", "--name", "other").succeeded()
    filled_workspace.command("get", "other", "out").succeeded()


def test_a_truncated_object_is_named(filled_workspace: Workspace) -> None:
    (pack,) = packs(filled_workspace)
    pack.chmod(0o644)
    with open(pack, "r+b") as file:
        file.truncate(pack.stat().st_size // 2)

    assert_refused(filled_workspace.command("get", "data", "out"), ERROR, pack.name)


def test_an_immutable_file_that_changed_before_it_was_read_is_named(workspace: Workspace) -> None:
    ended = workspace.run("""
        import headwater
        with open("large.bin", "wb") as file:
            file.write(bytes(2_000_000))
        with headwater.init(id="r") as run:
            artifact = headwater.Artifact("data", "dataset")
            artifact.add_file("large.bin", policy="immutable")
            with open("large.bin", "ab") as file:
                file.write(b"more")
            run.log_artifact(artifact)
    """)

    assert ended.code == ERROR
    assert "FileChanged" in ended.err
    assert "large.bin" in ended.err
    assert inspect_store(workspace.store).versions == {}
