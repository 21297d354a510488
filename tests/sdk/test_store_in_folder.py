"""A store below the folder that is added, or given itself. Nothing here differs between the ways to run."""

import json
from pathlib import Path

import headwater
import pytest
from headwater.errors import InvalidFile

from tests.sdk.conftest import store as store
from tests.sdk.downloads import put, refusal
from tests.support.modes import EMBEDDED
from tests.support.stores import StoreUnderTest

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture
def mode() -> str:
    return EMBEDDED


def added(root: Path, *ignore: str) -> headwater.Artifact:
    artifact = headwater.Artifact("all", "dataset")
    artifact.add_dir(root, ignore=ignore)
    return artifact


def test_the_store_below_the_folder_is_left_out_and_said_so_and_nothing_grows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, {"data.csv": b"1", "more/data.csv": b"2"})

    with headwater.init() as run:
        versions = [run.log_artifact(added(tmp_path)).wait() for _ in range(3)]

    assert [version.version for version in versions] == ["v0"] * 3
    assert [path for path in versions[0].manifest.entries if path.startswith("store/")] == []
    assert "store (a headwater store)" in capsys.readouterr().err


def test_a_store_is_added_where_a_pattern_asks_for_it(tmp_path: Path) -> None:
    other = tmp_path / "other"
    put(other, {"archive/headwater.json": json.dumps({"store": "headwater", "format": 1}).encode(), "archive/x": b"x"})

    assert list(added(other).manifest.entries) == []
    assert list(added(other, "!archive/").manifest.entries) == ["archive/headwater.json", "archive/x"]


@pytest.mark.parametrize("content", [b"{}", b'{"store": "of another tool"}', b"[]", b"not JSON", b"1" * 5000])
def test_a_file_of_another_program_with_the_name_of_the_marker_is_a_file_like_any_other(
    tmp_path: Path, content: bytes
) -> None:
    put(tmp_path / "in", {"sub/headwater.json": content, "sub/x": b"x"})

    assert list(added(tmp_path / "in").manifest.entries) == ["sub/headwater.json", "sub/x"]


@pytest.mark.parametrize("below", ["", "log", "blobs/staging"])
def test_a_store_that_is_given_itself_is_an_error_that_says_so(
    store: StoreUnderTest, tmp_path: Path, below: str
) -> None:
    headwater.init().finish()
    given = tmp_path / "store" / below

    message = refusal(InvalidFile, lambda: added(given))

    assert repr(str(given)) in message
    assert "headwater store" in message


def test_a_folder_in_a_store_is_no_reference_either(tmp_path: Path) -> None:
    headwater.init().finish()
    artifact = headwater.Artifact("all", "dataset")

    assert "headwater store" in refusal(InvalidFile, lambda: artifact.add_reference((tmp_path / "store").as_uri()))


def test_references_to_a_folder_leave_the_store_in_it_out(tmp_path: Path) -> None:
    put(tmp_path, {"data.csv": b"1", ".headwaterignore": b"*.tmp", "x.tmp": b"x"})
    headwater.init().finish()
    artifact = headwater.Artifact("all", "dataset")

    artifact.add_reference(tmp_path.as_uri())

    assert list(artifact.manifest.entries) == [".headwaterignore", "data.csv"]
