"""`headwater copy`: a whole store becomes another one, which tells the same history, until somebody writes there."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from headwater_stores.config.settings import read_settings
from headwater_stores.opening import open_stores

from tests.cli.commands import ask, headwater, refused, run
from tests.cli.places import Places, fingerprint_now
from tests.support import buckets
from tests.support.modes import EMBEDDED, MODES, stores_recycled

LARGE = 20_000_000  # bytes: more than a pack has
SONG = 900_000  # bytes: it is in a pack, and not read at once


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each way to run, of the copy."""
    with stores_recycled():
        yield request.param


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("HEADWATER_ENTITY", "team")
    monkeypatch.setenv("HEADWATER_PROJECT", "animals")
    monkeypatch.chdir(tmp_path)
    return Places(tmp_path, monkeypatch)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Small files, one of some size, and a large one."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("cat", "dog", "cow"):
        (folder / f"{name}.txt").write_text(name)
    (folder / "song.bin").write_bytes(b"".join(n.to_bytes(4, "big") for n in range(SONG // 4)))
    (folder / "film.bin").write_bytes(bytes(range(256)) * (LARGE // 256))
    return folder


@pytest.fixture
def source(places: Places, images: Path) -> str:
    """A folder with two versions of one artifact."""
    url = places.new(EMBEDDED, "source")
    places.go_to(url)
    log_pets(images, 0)
    log_pets(images, 1)
    headwater("alias", "pets:v0", "prod")
    return url


def log_pets(images: Path, n: int) -> None:
    (images / "cat.txt").write_text(f"cat {n}")
    headwater("log", str(images), "-n", "pets", "--run", "photos")


def events(*arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in headwater("events", *arguments).splitlines()]


def objects_of(url: str) -> list[str]:
    stores = open_stores(read_settings(url=url), create=False)
    try:
        return [one.name for one in stores.blobs.list_objects()]
    finally:
        stores.close()


def test_a_copy_has_the_same_history_fingerprint_and_content(
    source: str, places: Places, mode: str, images: Path, tmp_path: Path
) -> None:
    versions, fingerprint, told = ask("ls", "pets"), fingerprint_now(), events()
    target = places.new(mode, "target")

    said = ask("copy", "--from", source, "--to", target)

    assert (said["from"], said["to"], said["lost"]) == (source, target, 0)
    with places.there(target):
        assert ask("ls", "pets") == versions
        assert fingerprint_now() == fingerprint
        assert [one["id"] for one in events()] == [one["id"] for one in told]
        after = [one["id"] for one in events("--after", told[2]["cursor"])]
        assert after == [one["id"] for one in told[3:]]
        headwater("get", "pets:prod", "there")
        assert (tmp_path / "there" / "cat.txt").read_text() == "cat 0"
        assert (tmp_path / "there" / "film.bin").read_bytes() == (images / "film.bin").read_bytes()
        assert objects_of(target) == objects_of(source)
        assert "no object is lost" in headwater("doctor", "--verify")


def test_a_copy_follows_its_source_until_somebody_writes_there(
    source: str, places: Places, mode: str, images: Path
) -> None:
    target = places.new(mode, "target")
    ask("copy", "--from", source, "--to", target)
    log_pets(images, 2)
    fingerprint = fingerprint_now()

    more = ask("copy", "--from", source, "--to", target)
    nothing = ask("copy", "--from", source, "--to", target)

    assert (more["objects"], nothing["events"], nothing["objects"]) == (1, 0, 0)
    with places.there(target):
        assert fingerprint_now() == fingerprint
        log_pets(images, 3)
        assert [one["artifact"].rpartition(":")[2] for one in ask("ls", "pets")] == ["v3", "v2", "v1", "v0"]
        assert ask("replay")["same"] is True
    said = refused("copy", "--from", source, "--to", target)
    assert "something was logged there. Nothing more is copied into it" in said


def test_a_copy_is_copied_on(source: str, places: Places, mode: str, images: Path) -> None:
    second, third = places.new(mode, "second"), places.new(mode, "third")
    ask("copy", "--from", source, "--to", second)
    ask("copy", "--from", second, "--to", third)
    with places.there(second):
        log_pets(images, 2)
        fingerprint = fingerprint_now()

    more = ask("copy", "--from", second, "--to", third)

    assert more["objects"] == 1
    with places.there(third):
        assert fingerprint_now() == fingerprint


def test_a_store_with_a_log_of_its_own_is_left_alone(source: str, places: Places, mode: str, images: Path) -> None:
    other = places.new(mode, "other")
    with places.there(other):
        log_pets(images, 5)
        before = fingerprint_now()

        said = refused("copy", "--from", source, "--to", other)

        assert "has a log that is no copy of" in said
        assert fingerprint_now() == before
    assert "is the source itself" in refused("copy", "--from", source, "--to", source)
    assert "nowhere. Check --from." in refused("copy", "--from", "nowhere", "--to", other)


def test_what_the_source_has_lost_ends_the_copy_unless_it_may_be_missing(
    source: str, places: Places, mode: str, tmp_path: Path
) -> None:
    target = places.new(mode, "target")
    (lost,) = [name for name in objects_of(source) if name.startswith("files/")]
    next((tmp_path / "source" / "blobs" / "objects").rglob(lost.rpartition("/")[2])).unlink()

    said = refused("copy", "--from", source, "--to", target)
    done = run("copy", "--from", source, "--to", target, "--without-lost")

    assert f"object {lost!r} is not in {source}" in said
    assert done.code == 1
    assert "1 content could not be copied" in done.out
    with places.there(target):
        headwater("get", "pets:v1", "there", "--path", "cat.txt")


def test_damaged_content_is_never_copied_as_if_it_were_good(
    source: str, places: Places, mode: str, tmp_path: Path
) -> None:
    target = places.new(mode, "target")
    pack = next(path for path in (tmp_path / "source" / "blobs" / "objects" / "packs").rglob("*") if path.is_file())
    pack.chmod(0o600)
    pack.write_bytes(pack.read_bytes()[:-1] + b"?")

    said = refused("copy", "--from", source, "--to", target)

    assert f"in {source} is damaged" in said
    assert objects_of(source)


def test_a_copy_through_a_server_is_refused(source: str, places: Places) -> None:
    said = refused("copy", "--from", source, "--to", "http://127.0.0.1:9")

    assert "--to names a server" in said
    assert "Copy where that server runs" in said


@pytest.mark.parametrize("mode", ["service"], indirect=True, ids=["servers"])
def test_servers_are_copied_to_servers_with_all_partitions(places: Places, mode: str, images: Path) -> None:
    source, target = places.new(mode, "source"), places.new(mode, "target")
    with places.there(source):
        for name in ("pets", "fish", "birds", "trees"):
            headwater("log", str(images / "cow.txt"), "-n", name)
        fingerprint = fingerprint_now()

    headwater("copy", "--from", source, "--to", target)

    with places.there(target):
        assert fingerprint_now() == fingerprint
    assert "has 3 partitions, and that of a folder has one" in refused(
        "copy", "--from", source, "--to", places.new(EMBEDDED, "folder")
    )


@pytest.mark.parametrize("mode", ["service"], indirect=True, ids=["servers"])
def test_a_source_keeps_its_bucket(places: Places, mode: str, images: Path) -> None:
    bucket = buckets.fresh()
    source, target = places.new(mode, "source", bucket=bucket), places.new(mode, "target", bucket=bucket)
    with places.there(source):
        log_pets(images, 0)

        said = refused("copy", "--from", source, "--to", target)
        log_pets(images, 1)

    assert "has the content of log" in said
