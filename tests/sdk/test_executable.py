"""Whether a file is executable is part of a version: it is kept, compared, downloaded and reported."""

import os
from collections.abc import Callable
from pathlib import Path

import headwater
import pytest
from headwater.errors import Differences
from headwater_blobs.port import PACKED_FILE_BYTES_MAX

from tests.sdk.downloads import check, fetch
from tests.support.modes import EMBEDDED

pytestmark = pytest.mark.usefixtures("store")

LARGE = os.urandom(PACKED_FILE_BYTES_MAX + 2)
Tools = Path  # a folder with executable files


@pytest.fixture(autouse=True)
def _quiet(store: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_QUIET", "true")


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    """A folder with executable files and others, small and large."""
    folder = tmp_path / "tools"
    (folder / "bin").mkdir(parents=True)
    for path, content in {"README": b"read", "bin/run": b"#!/bin/sh\n", "bin/big": LARGE, "data": LARGE[1:]}.items():
        (folder / path).write_bytes(content)
    for path in ("bin/run", "bin/big"):
        (folder / path).chmod(0o755)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def ignore_chmod(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on no file system keeps which files are executable."""
    monkeypatch.setattr(os, "fchmod", lambda _file, _mode: None)


def logged(folder: Path, name: str = "tools") -> headwater.Artifact:
    artifact = headwater.Artifact(name, "code")
    artifact.add_dir(folder)
    return artifact.save()


def executable_in(artifact: headwater.Artifact) -> list[str]:
    return [entry.path for entry in artifact.files() if entry.executable]


def executable_below(root: Path) -> list[str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return [path.relative_to(root).as_posix() for path in files if path.stat().st_mode & 0o100]


def add_folder(artifact: headwater.Artifact, tools: Tools) -> None:
    artifact.add_dir(tools)


def add_folder_as_immutable(artifact: headwater.Artifact, tools: Tools) -> None:
    artifact.add_dir(tools, policy="immutable")


def add_each_file(artifact: headwater.Artifact, tools: Tools) -> None:
    for path in ("README", "bin/run", "bin/big", "data"):
        artifact.add_file(tools / path, path)


def add_each_file_as_immutable(artifact: headwater.Artifact, tools: Tools) -> None:
    for path in ("README", "bin/run", "bin/big", "data"):
        artifact.add_file(tools / path, path, policy="immutable")


WAYS_TO_ADD = [add_folder, add_folder_as_immutable, add_each_file, add_each_file_as_immutable]


@pytest.mark.parametrize("add", WAYS_TO_ADD)
def test_executable_files_are_executable_in_the_version_and_in_its_download(
    tools: Tools, root: Path, add: Callable[[headwater.Artifact, Tools], None]
) -> None:
    artifact = headwater.Artifact("tools", "code")
    add(artifact, tools)
    before = executable_in(artifact), artifact.digest
    artifact.save()
    artifact.download(root)

    assert (executable_in(artifact), artifact.digest) == before == (["bin/big", "bin/run"], before[1])
    assert executable_below(root) == ["bin/big", "bin/run"]
    assert (root / "bin/run").stat().st_mode & 0o777 == 0o755 & ~umask()
    check(artifact, root)


def umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def test_a_version_differs_where_only_the_executable_bit_does(tools: Tools) -> None:
    first = logged(tools)
    (tools / "bin/run").chmod(0o644)
    (tools / "README").chmod(0o700)
    second = logged(tools)
    (tools / "README").chmod(0o600)
    (tools / "bin/run").chmod(0o500)
    third = logged(tools)

    assert [one.version for one in (first, second, third)] == ["v0", "v1", "v0"]
    assert first.digest != second.digest
    assert executable_in(second) == ["README", "bin/big"]


def test_one_of_many_files_that_becomes_executable_is_the_only_change(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number:03}").write_bytes(b"%d" % number)
    logged(folder, "many")
    (folder / "077").chmod(0o755)
    monkeypatch.setenv("HEADWATER_QUIET", "false")
    known = logged(folder, "many")
    (folder / "078").chmod(0o755)
    listed = headwater.Artifact("many", "code")
    for path in sorted(folder.iterdir()):  # without the scan of a folder, what differs is found in the listing
        listed.add_file(path)
    listed.save()

    assert executable_in(known) == ["077"]
    assert executable_in(listed) == ["077", "078"]
    assert capfd.readouterr().err.count(", 1 of 200 files new,") == 2


def test_a_download_changes_only_the_bit_of_a_file_that_is_there(tools: Tools, root: Path) -> None:
    artifact = logged(tools)
    artifact.download(root)
    inodes = {path: (root / path).stat().st_ino for path in ("README", "bin/run", "bin/big")}
    (root / "README").chmod(0o744)
    (root / "bin/run").chmod(0o640)
    (root / "bin/big").chmod(0o600)

    artifact.download(root)

    modes = {path: (root / path).stat().st_mode & 0o777 for path in inodes}
    assert modes == {"README": 0o644, "bin/run": 0o750, "bin/big": 0o700}
    assert {path: (root / path).stat().st_ino for path in inodes} == inodes


@pytest.mark.parametrize("mode", [EMBEDDED], ids=["folder"])  # hard links lead into a folder alone
def test_a_hard_link_to_the_store_is_never_made_executable_and_gives_way_to_a_copy(tools: Tools, root: Path) -> None:
    logged(tools).download(root, hard_links=True)
    linked = root / "data"
    stored = linked.with_name("another name of the object in the store")
    os.link(linked, stored)
    mode = stored.stat().st_mode
    links = {path: (root / path).stat().st_nlink for path in ("data", "bin/big")}
    (tools / "data").chmod(0o755)

    logged(tools).download(root, hard_links=True)

    assert links == {"data": 3, "bin/big": 1}  # in the store, in the folder, and under another name
    assert (linked.stat().st_nlink, linked.read_bytes()) == (1, LARGE[1:])
    assert executable_below(root) == ["bin/big", "bin/run", "data"]
    assert stored.stat().st_mode == mode


def test_verify_names_what_is_executable_on_one_side_only_and_checkout_repairs_it(tools: Tools, root: Path) -> None:
    artifact = logged(tools)
    artifact.download(root)
    (root / "README").chmod(0o755)
    (root / "bin/run").chmod(0o644)
    (root / "data").write_bytes(b"other")

    with pytest.raises(Differences, match="2 differently executable: 'README', 'bin/run'") as found:
        artifact.verify(root)
    artifact.checkout(root)

    assert (found.value.executable, found.value.changed) == (["README", "bin/run"], ["data"])
    check(artifact, root)


def test_what_is_not_added_from_a_file_is_not_executable(tools: Tools) -> None:
    draft = logged(tools).new_draft()
    with draft.new_file("bin/run") as file:
        file.write("#!/bin/sh\n")
    draft.add_reference("https://example.org/big", "bin/big", checksum=False)
    digest = draft.digest
    draft.save()

    assert (executable_in(draft), draft.digest) == ([], digest)


def test_a_draft_keeps_what_is_executable_in_its_base_until_it_is_added_again_or_removed(
    tools: Tools, tmp_path: Path
) -> None:
    draft = logged(tools).new_draft()
    plain = tmp_path / "plain"
    plain.write_bytes(b"#!/bin/sh\n")
    plain.chmod(0o644)
    before = executable_in(draft)
    draft.add_file(plain, "bin/run")
    draft.save()
    last = draft.new_draft()
    last.remove("bin/big")
    last.save()

    assert (before, executable_in(draft), executable_in(last)) == (["bin/big", "bin/run"], ["bin/big"], [])


def test_a_draft_that_goes_to_another_project_takes_along_what_is_executable(tools: Tools, root: Path) -> None:
    draft = logged(tools).new_draft()
    draft.add_file(tools / "README", "more")

    with headwater.init(project="elsewhere") as run:
        run.log_artifact(draft).wait()

    assert (draft.project, draft.version, executable_in(draft)) == ("elsewhere", "v0", ["bin/big", "bin/run"])
    fetch(draft, root)
    assert executable_below(root) == ["bin/big", "bin/run"]


def test_what_writers_add_to_a_shared_draft_is_executable(tools: Tools) -> None:
    with headwater.init() as run:
        part = headwater.Artifact("shared", "code")
        part.add_dir(tools / "bin", "bin")
        run.upsert_artifact(part, distributed_id="one")
        last = headwater.Artifact("shared", "code")
        last.add_file(tools / "bin/run", "run")
        run.finish_artifact(last, distributed_id="one").wait()
        again = headwater.Artifact("shared", "code")
        again.add_file(tools / "bin/run", "run")
        run.finish_artifact(again, distributed_id="one").wait()  # adds nothing that is not there

    assert executable_in(last) == ["bin/big", "bin/run", "run"]
    assert again.version == last.version


def test_a_reference_to_an_executable_entry_of_another_version_is_downloaded_executable(
    tools: Tools, root: Path
) -> None:
    other = headwater.Artifact("links", "code")
    other.add_reference(logged(tools).get_entry("bin/run"), "tool")
    other.save().download(root)

    assert executable_below(root) == ["tool"]
    assert executable_in(other) == []
    other.verify(root)


# --- file systems that do not keep it


def test_where_every_file_is_executable_none_is_and_a_draft_keeps_what_its_base_has(
    tools: Tools, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = logged(tools)
    for path in ("README", "data"):
        (tools / path).chmod(0o755)
    ignore_chmod(monkeypatch)

    new = logged(tools, "new")
    draft = base.new_draft()
    draft.add_dir(tools)
    draft.add_file(tools / "README", "new")
    draft.save()

    assert executable_in(new) == []
    assert executable_in(draft) == ["bin/big", "bin/run"]
    assert new.wait().digest != draft.digest


def test_where_no_file_can_be_executable_a_draft_keeps_what_its_base_has(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = logged(tools)
    for path in ("bin/run", "bin/big"):
        (tools / path).chmod(0o644)
    ignore_chmod(monkeypatch)

    draft = base.new_draft()
    draft.add_dir(tools)
    draft.add_file(tools / "bin/run", "bin/run")
    draft.save()

    assert (executable_in(draft), draft.version) == (["bin/big", "bin/run"], "v0")


def test_a_folder_whose_files_are_all_executable_says_so_where_the_file_system_keeps_it(tools: Tools) -> None:
    before = {path.name for path in (tools / "bin").iterdir()}

    assert executable_in(logged(tools / "bin")) == ["big", "run"]
    assert {path.name for path in (tools / "bin").iterdir()} == before


def test_a_file_system_without_unnamed_files_is_tried_with_a_named_one_that_is_gone_at_once(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)  # as where they do not exist: opens a folder, for writing
    before = {path.name for path in (tools / "bin").iterdir()}

    assert executable_in(logged(tools / "bin")) == ["big", "run"]
    assert {path.name for path in (tools / "bin").iterdir()} == before


def test_where_it_is_not_kept_a_download_writes_nothing_twice_and_verify_finds_no_difference(
    tools: Tools, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = logged(tools)
    artifact.download(root)
    for path in ("README", "data"):
        (root / path).chmod(0o755)
    inodes = [(root / path).stat().st_ino for path in ("README", "data")]
    ignore_chmod(monkeypatch)

    artifact.download(root)
    artifact.verify(root)

    assert [(root / path).stat().st_ino for path in ("README", "data")] == inodes
