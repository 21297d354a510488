"""What is shown of adding, hashing and downloading, and what a download says at its end."""

import os
import re
import sys
from pathlib import Path

import headwater
import pytest
from headwater_stores.lost_content import lost_objects

from tests.sdk.downloads import LARGE, logged
from tests.sdk.screens import Screen, Watching
from tests.sdk.screens import watching as watching
from tests.support.stores import StoreUnderTest

pytestmark = pytest.mark.usefixtures("store")


def test_adding_a_large_file_shows_bytes_and_its_name(tmp_path: Path, watching: Watching) -> None:
    (tmp_path / "weights.bin").write_bytes(os.urandom(4 * LARGE))
    artifact = headwater.Artifact("model", "model")
    screen = watching()

    artifact.add_file(tmp_path / "weights.bin")

    shown = [line for line in screen.lines() if re.match(r"headwater: (adding|hashing|storing|uploading) ", line)]
    assert any(re.search(r"(storing|uploading) weights.bin: [24]\.\d MB of 4\.2 MB", line) for line in shown), shown
    assert screen.now()[-1] == "", "it is gone at the end"


def test_adding_a_folder_shows_files_and_bytes(tmp_path: Path, watching: Watching) -> None:
    for name in ("a.bin", "b.bin"):
        (tmp_path / name).write_bytes(os.urandom(LARGE))
    (tmp_path / "notes.txt").write_text("small")
    artifact = headwater.Artifact("model", "model")
    screen = watching()

    artifact.add_dir(tmp_path)

    shown = "\n".join(screen.lines())
    assert "headwater: adding: 1 of 3 files, 5 B of 2.1 MB" in shown
    assert re.search(r"adding: \d of 3 files, .*, (storing|uploading) [ab].bin \d+%", shown), shown
    assert "headwater: adding: 3 of 3 files, 2.1 MB of 2.1 MB" in shown


def test_what_is_added_as_immutable_shows_how_far_it_is_hashed_and_then_stored(
    tmp_path: Path, watching: Watching
) -> None:
    (tmp_path / "weights.bin").write_bytes(os.urandom(2 * LARGE))
    screen = watching()

    with headwater.init() as run:
        artifact = headwater.Artifact("model", "model")
        artifact.add_file(tmp_path / "weights.bin", policy="immutable")
        assert "headwater: hashing weights.bin: 2.1 MB of 2.1 MB" in screen.lines()
        run.log_artifact(artifact).wait()

    assert any(re.match("headwater: (storing|uploading) weights.bin: ", line) for line in screen.lines())


@pytest.mark.parametrize("of", ["a file", "a folder"])
def test_a_reference_to_local_files_shows_how_far_they_are_hashed(tmp_path: Path, watching: Watching, of: str) -> None:
    (tmp_path / "data").mkdir()
    (path := tmp_path / "data" / "weights.bin").write_bytes(os.urandom(2 * LARGE))
    artifact = headwater.Artifact("model", "model")
    screen = watching()

    artifact.add_reference((path if of == "a file" else path.parent).as_uri())

    assert any(re.search(r"headwater: hashing.* weights.bin", line) for line in screen.lines()), screen.lines()


def test_a_download_shows_bytes_and_names_and_says_at_its_end_how_much_how_fast_and_where(
    tmp_path: Path, watching: Watching
) -> None:
    artifact = logged({"README": b"what this is", "large.bin": os.urandom(4 * LARGE)})
    screen = watching()

    artifact.download(tmp_path / "root")

    shown = "\n".join(screen.lines())
    assert re.search(r"headwater: downloading: 1 of 2 files, .* of 4.2 MB.*, downloading large.bin \d+%", shown), shown
    (last,) = screen.now()[:-1]
    assert re.fullmatch(
        rf"headwater: downloaded 2 files, 4.2 MB in \d+\.\d s \(\d[\d.,]* [kMG]B/s\) to {tmp_path / 'root'}", last
    )


def test_a_download_says_what_was_there_already(tmp_path: Path, watching: Watching) -> None:
    artifact = logged({"README": b"what this is", "large.bin": os.urandom(LARGE)})
    root = tmp_path / "root"
    artifact.download(root)
    screen = watching()

    artifact.download(root)
    assert screen.now()[-2] == f"headwater: nothing to download: 2 files, 1.1 MB, already in {root}"
    assert any("checking large.bin" in line for line in screen.lines())

    (root / "README").write_text("changed")
    artifact.checkout(root)
    assert re.search(r"downloaded 1 file, 12 B in .*, 1 already there", screen.now()[-2])


def test_a_verification_shows_what_it_has_read(tmp_path: Path, watching: Watching, store: StoreUnderTest) -> None:
    artifact = logged({"README": b"what this is", "large.bin": os.urandom(LARGE)})
    artifact.download(tmp_path / "root")
    screen = watching()

    artifact.verify(tmp_path / "root")
    assert "headwater: checking: 2 of 2 files, 1.1 MB of 1.1 MB" in "\n".join(screen.lines())
    assert any(re.search(r", (checking)? ?large.bin", line) for line in screen.lines())

    with store.opened() as stores:
        assert lost_objects(stores, verify=True) == []
    assert any(line.startswith("headwater: verifying: 1.1 MB of 1.1 MB") for line in screen.lines())


def test_a_large_file_that_is_written_here_shows_how_far_it_is_stored(watching: Watching) -> None:
    artifact = headwater.Artifact("model", "model")
    screen = watching()

    with artifact.new_file("weights.bin", "wb") as file:
        file.write(os.urandom(2 * LARGE))

    assert any(re.match("headwater: (storing|uploading) weights.bin: ", line) for line in screen.lines())


def test_one_entry_says_so_only_if_it_took_long(tmp_path: Path, watching: Watching) -> None:
    artifact = logged({"README": b"what this is"})
    screen = watching()

    artifact.get_entry("README").download(tmp_path / "root")

    assert "downloaded" not in screen.getvalue()


def test_nothing_is_shown_to_those_who_want_quiet(
    tmp_path: Path, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_QUIET", "true")
    (tmp_path / "weights.bin").write_bytes(os.urandom(2 * LARGE))
    screen = watching()

    logged({"large.bin": os.urandom(2 * LARGE)}).download(tmp_path / "root")
    artifact = headwater.Artifact("model", "model")
    artifact.add_dir(tmp_path / "root")
    artifact.add_file(tmp_path / "weights.bin", policy="immutable")
    artifact.save()

    assert screen.getvalue() == ""


def test_short_work_shows_no_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = logged({"large.bin": os.urandom(2 * LARGE)})
    screen = Screen(is_terminal=True)
    monkeypatch.setattr(sys, "stderr", screen)

    artifact.download(tmp_path / "root")

    (line,) = screen.lines()
    assert line.startswith("headwater: downloaded 1 file")
