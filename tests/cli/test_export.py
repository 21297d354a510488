"""`headwater export` and `import`: versions go from one store to another with all that they were made from."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import fastavro
import headwater as hw
import pytest
from headwater._commit import client as clients
from headwater_schemas.events import VersionRecalled
from headwater_stores.config.settings import read_settings
from headwater_stores.opening import open_stores
from headwater_stores.portable.writing import Writer

from tests.cli.commands import ask, headwater, refused
from tests.cli.places import Places
from tests.support.modes import EMBEDDED, MODES, stores_recycled

WAIT_S = 30.0
LARGE = 1_500_000  # bytes: more than a small content has


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each way to run, of the store on the other side."""
    with stores_recycled():
        yield request.param


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    monkeypatch.setenv("HEADWATER_ENTITY", "team")
    monkeypatch.setenv("HEADWATER_PROJECT", "animals")
    monkeypatch.chdir(tmp_path)
    yield Places(tmp_path, monkeypatch)
    for client in list(clients._clients.values()):
        clients.forget_client(client)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("cat", "dog", "cow"):
        (folder / f"{name}.txt").write_text(name)
    (folder / "film.bin").write_bytes(bytes(range(256)) * (LARGE // 256))
    return folder


def make_pipeline(images: Path) -> None:
    """Images, corrected images, and a model that was trained with them."""
    with hw.init(job_type="collect", config={"from": "camera"}) as handle:
        first = hw.Artifact("images", type="dataset", metadata={"rows": 4})
        first.add_dir(images)
        first.tags.append("small")
        handle.log_artifact(first, aliases=["raw", "good"]).wait()
        handle.summary["files"] = 4
    with hw.init(job_type="correct") as handle:
        handle.use_artifact("images:raw")
        draft = handle.use_artifact("images:raw").new_draft()
        draft.remove("cow.txt")
        with draft.new_file("dog.txt") as file:
            file.write("a better dog")
        handle.log_artifact(draft, aliases=["good"]).wait()
    with hw.init(job_type="train") as handle:
        handle.use_artifact("images:good", use_as="training data")
        model = hw.Artifact("model", type="model", description="Trained")
        with model.new_file("weights") as weights:
            weights.write("0.5")
        model.add_reference("https://example.org/paper", name="paper", checksum=False)
        handle.log_artifact(model, aliases=["best"]).wait()


@pytest.fixture
def source(places: Places, images: Path) -> str:
    """A folder with the pipeline."""
    url = places.new(EMBEDDED, "source")
    places.go_to(url)
    make_pipeline(images)
    return url


def digests_of(*names: str) -> dict[str, list[str]]:
    return {name: [one["digest"] for one in reversed(ask("ls", name))] for name in names}


def edges_of(name: str) -> set[tuple[str, ...]]:
    edges = ask("lineage", name)["edges"]
    return {(edge["artifact"], edge["run"], edge["relation"], *edge["use_as"]) for edge in edges}


def events_now() -> int:
    return len(headwater("events").splitlines())


def rewritten(archive: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """The archive with other members, or without some."""
    changed = archive.with_name("changed.zip")
    with zipfile.ZipFile(archive) as there, zipfile.ZipFile(changed, "w") as here:
        for info in there.infolist():
            content = change(info.filename, there.read(info))
            if content is not None:
                here.writestr(info, content)
    return changed


def container(schema: Any, records: list[Any], codec: str = "null") -> bytes:
    out = io.BytesIO()
    fastavro.writer(out, schema, records, codec=codec)
    return out.getvalue()


def records_in(content: bytes) -> tuple[Any, list[Any]]:
    reader: Any = fastavro.reader(io.BytesIO(content))
    return reader.writer_schema, list(reader)


def test_a_version_arrives_with_all_that_it_was_made_from(
    source: str, places: Places, mode: str, images: Path, tmp_path: Path
) -> None:
    before, edges, runs = digests_of("images", "model"), edges_of("model"), ask("runs")
    exported = ask("export", "model", "-o", "model.zip")
    target = places.new(mode, "target")

    with places.there(target):
        said = ask("import", "model.zip")

        assert (exported["versions"], len(said["imported"]), said["runs"]) == (3, 3, 3)
        assert digests_of("images", "model") == before
        assert edges_of("model") == edges
        assert ask("show", "images:good")["artifact"] == "team/animals/images:v1"
        raw = ask("show", "images:raw")
        assert (raw["artifact"], raw["tags"], raw["metadata"]) == ("team/animals/images:v0", ["small"], {"rows": 4})
        assert {one["run"]: (one["state"], one["job_type"]) for one in ask("runs")} == {
            one["run"]: (one["state"], one["job_type"]) for one in runs
        }
        headwater("get", "images:raw", "there")
        assert (tmp_path / "there" / "film.bin").read_bytes() == (images / "film.bin").read_bytes()
        assert "no object is lost" in headwater("doctor", "--verify")
        assert ask("replay")["same"] is True


def test_importing_again_adds_nothing(source: str, places: Places, mode: str) -> None:
    headwater("export", "model", "-o", "model.zip")
    target = places.new(mode, "target")

    with places.there(target):
        headwater("import", "model.zip")
        ask("ls")
        count = events_now()
        again = ask("import", "model.zip")

        assert (again["present"], again["imported"], again["runs"], again["uses"], again["aliases"]) == (3, [], 0, 0, 0)
        assert events_now() == count


def test_what_is_new_since_is_added(source: str, places: Places, mode: str, images: Path) -> None:
    target = places.new(mode, "target")
    headwater("export", "images", "--all", "-o", "images.zip")
    with places.there(target):
        headwater("import", "images.zip")
    (images / "cat.txt").write_text("another cat")
    headwater("log", str(images), "-n", "images")
    headwater("export", "images", "--all", "-o", "more.zip")

    with places.there(target):
        said = ask("import", "more.zip")
        assert (said["present"], said["imported"]) == (2, ["team/animals/images:v2"])


@pytest.mark.parametrize("mode", ["service"], indirect=True, ids=["servers"])
def test_what_is_on_servers_comes_to_a_folder(places: Places, mode: str, images: Path) -> None:
    source, target = places.new(mode, "source"), places.new(EMBEDDED, "target")
    with places.there(source):
        make_pipeline(images)
        before, edges = digests_of("images", "model"), edges_of("model")
        for client in list(clients._clients.values()):
            clients.forget_client(client)

    said = ask("copy", "--from", source, "--to", target, "--project", "team/animals")

    assert len(said["imported"]) == 3
    with places.there(target):
        assert digests_of("images", "model") == before
        assert edges_of("model") == edges


def test_a_version_says_where_it_comes_from(source: str, places: Places) -> None:
    there = ask("show", "model")
    log = ask("export", "model", "-o", "model.zip")["log"]
    target = places.new(EMBEDDED, "target")

    with places.there(target):
        headwater("import", "model.zip", "--project", "theirs")
        origin = {
            "store": log,
            "artifact": "team/animals/model:v0",
            "author": there["author"],
            "created": there["created"],
        }
        assert ask("show", "theirs/model")["imported"] == [origin]
        assert f"team/animals/model:v0 of store {log}" in headwater("show", "theirs/model")
        assert [one["imported"] for one in ask("ls", "theirs/model")] == [[origin]]
        (found,) = hw.Api().artifact("theirs/model").imported_from
        assert (found.version, found.time.isoformat()) == ("team/animals/model:v0", there["created"])

        headwater("export", "theirs/model", "-o", "again.zip")  # it is still known by where it was first
    with places.there(source):
        assert ask("import", "again.zip", "--project", "animals")["present"] == 3


def test_versions_of_the_other_store_get_numbers_of_this_one(source: str, places: Places, images: Path) -> None:
    headwater("export", "images:raw", "-o", "images.zip")
    target = places.new(EMBEDDED, "target")

    with places.there(target):
        headwater("log", str(images / "cat.txt"), "-n", "images", "--type", "dataset", "--alias", "good")
        said = ask("import", "images.zip")

        assert said["imported"] == ["team/animals/images:v1"]
        assert said["aliases_kept"] == ["team/animals/images:good"]
        assert ask("show", "images:latest")["artifact"] == "team/animals/images:v0"
        assert ask("import", "images.zip", "--aliases", "move")["aliases"] == 1
        assert ask("show", "images:good")["artifact"] == "team/animals/images:v1"


def test_content_that_is_here_is_not_stored_again(source: str, places: Places, images: Path) -> None:
    headwater("export", "images:raw", "-o", "images.zip")
    target = places.new(EMBEDDED, "target")

    with places.there(target):
        headwater("log", str(images), "-n", "mine", "--type", "dataset")
        before = ask("usage", "--project", "animals")["object_bytes"]
        headwater("import", "images.zip")
        assert ask("usage", "--project", "animals")["object_bytes"] == before


def test_a_run_whose_name_is_taken_gets_another(source: str, places: Places, images: Path) -> None:
    (collect,) = [one["run"].rpartition("/")[2] for one in ask("runs") if one["job_type"] == "collect"]
    headwater("export", "images:raw", "-o", "images.zip")
    target = places.new(EMBEDDED, "target")

    with places.there(target):
        headwater("log", str(images / "cat.txt"), "-n", "cats", "--run", collect)
        headwater("import", "images.zip")
        logged_by = ask("show", "images")["logged_by"]

        assert logged_by != f"team/animals/{collect}"
        assert logged_by.startswith(f"team/animals/{collect}-")
        assert ask("import", "images.zip")["runs"] == 0


def test_a_deleted_version_arrives_as_such(source: str, places: Places) -> None:
    headwater("rm", "images:raw", "--delete-aliases")
    headwater("export", "model", "-o", "model.zip")
    target = places.new(EMBEDDED, "target")

    with places.there(target):
        headwater("import", "model.zip")
        assert [one["artifact"] for one in ask("ls", "images")] == ["team/animals/images:v1"]
        assert "was deleted" in refused("show", "images:v0", code=3)
        headwater("restore", "images:v0")
        assert ask("import", "model.zip")["present"] == 3
        assert ask("show", "images:v0")["state"] == "committed"


def test_a_recalled_version_arrives_as_such(source: str, places: Places) -> None:
    with closing(open_stores(read_settings(url=source), create=False)) as stores:
        recalled = VersionRecalled(collection="team/animals/images", version=0, reason="wrong labels")
        Writer(stores, wait_s=WAIT_S).write([recalled])
    headwater("export", "model", "-o", "model.zip")
    target = places.new(EMBEDDED, "target")

    with places.there(target):
        headwater("import", "model.zip")
        assert ask("show", "images:raw")["recalled"] == "wrong labels"


def test_an_export_goes_through_a_pipe(source: str, places: Places) -> None:
    command = [sys.executable, "-m", "headwater"]
    written = subprocess.run([*command, "export", "model"], stdout=subprocess.PIPE, check=True).stdout
    places.go_to(places.new(EMBEDDED, "target"))
    subprocess.run([*command, "import", "-"], input=written, stdout=subprocess.DEVNULL, check=True)

    assert [one["artifact"] for one in ask("ls")] == ["team/animals/images", "team/animals/model"]


def test_an_export_is_not_written_to_a_terminal(source: str) -> None:
    _, terminal = os.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "headwater", "export", "model"], stdout=terminal, stderr=subprocess.PIPE, check=False
    )

    assert done.returncode == 2
    assert b"no text for a terminal" in done.stderr


def test_an_export_without_upstream_has_only_what_was_asked_for(source: str) -> None:
    assert ask("export", "model", "--no-upstream", "-o", "model.zip")["versions"] == 1


def test_the_same_versions_give_the_same_bytes(source: str) -> None:
    headwater("export", "model", "-o", "first.zip")
    headwater("export", "model", "-o", "second.zip")

    assert Path("first.zip").read_bytes() == Path("second.zip").read_bytes()


# --- damaged and hostile files ------------------------------------------------------------------------------------


def nothing_arrives(places: Places, archive: Path) -> str:
    """Whether an import says what is wrong; nothing of the versions is there."""
    target = places.new(EMBEDDED, "target")
    with places.there(target):
        said = refused("import", str(archive))
        assert ask("ls") == []
    return said


@pytest.fixture
def archive(source: str, tmp_path: Path) -> Path:
    headwater("export", "images:raw", "-o", "images.zip")
    return tmp_path / "images.zip"


def test_a_file_that_was_cut_short_is_refused(archive: Path, places: Places) -> None:
    archive.write_bytes(archive.read_bytes()[:-100])

    assert "is no export, or a damaged one" in nothing_arrives(places, archive)


def test_other_bytes_of_a_large_content_are_refused(archive: Path, places: Places) -> None:
    changed = rewritten(archive, lambda name, content: content[:-1] + b"!" if "xxh3-" in name else content)

    assert "has other bytes than its name says" in nothing_arrives(places, changed)


def _small(name: str, content: bytes) -> bytes:
    if "contents-" not in name:
        return content
    schema, found = records_in(content)
    return container(schema, [{**one, "content": one["content"] + b"!"} for one in found])


def _listing(name: str, content: bytes) -> bytes:
    if not name.endswith("entries.avro"):
        return content
    schema, found = records_in(content)
    found[0]["after"]["executable"] = True
    return container(schema, found)


def _escaping(name: str, content: bytes) -> bytes:
    if not name.endswith("entries.avro"):
        return content
    schema, found = records_in(content)
    found[0]["path"] = "../../outside"
    return container(schema, found)


def _compressed(name: str, content: bytes) -> bytes:
    if name != "versions.avro":
        return content
    return container(*records_in(content), codec="deflate")


def _other_schema(name: str, content: bytes) -> bytes:
    if name != "versions.avro":
        return content
    schema = {
        "type": "record",
        "name": "Nulls",
        "fields": [{"name": "all", "type": {"type": "array", "items": "null"}}],
    }
    return container(schema, [{"all": [None] * 1000}])


def _backwards(name: str, content: bytes) -> bytes:
    if name != "versions.avro":
        return content
    schema, found = records_in(content)
    return container(schema, [{**one, "base": 7} for one in found])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_small, "has other bytes than those of"),
        (_listing, "other entries than the digest of its version says"),
        (_escaping, "cannot be"),
        (_compressed, "not what it should be"),
        (_other_schema, "not what it should be"),
        (_backwards, "cannot be"),
        (lambda name, content: None if name == "complete.json" else content, "complete.json is missing"),
        (lambda name, content: None if "xxh3-" in name else content, "it lacks xxh3:"),
        (lambda name, content: b"[" * 100_000 if name.endswith("export.json") else content, "headwater-export.json"),
        (lambda name, content: content.replace(b'"headwater export"', b'"another thing"'), "not that of an export"),
        (lambda name, content: content.replace(b'"format": 1', b'"format": 9'), "Upgrade headwater"),
    ],
)
def test_a_hostile_file_is_refused_with_nothing_written(
    change: Callable[[str, bytes], bytes | None], said: str, archive: Path, places: Places
) -> None:
    assert said in nothing_arrives(places, rewritten(archive, change))


def test_a_compressed_member_is_refused(archive: Path, places: Places) -> None:
    bomb = archive.with_name("bomb.zip")
    shutil.copy(archive, bomb)
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("versions/000009/entries.avro", bytes(10_000_000))

    assert "is compressed" in nothing_arrives(places, bomb)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x05\x06" + bytes(18)], ids=["empty", "text", "empty zip"])
def test_what_is_no_export_is_refused(content: bytes, places: Places, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(content)

    assert "is no export" in nothing_arrives(places, tmp_path / "other")


def test_an_export_goes_to_what_is_there_and_no_file_as_it_is_written(source: str) -> None:
    headwater("export", "model", "-o", "model.zip")
    os.mkfifo("pipe")
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(Path("pipe").read_bytes)

        headwater("export", "model", "-o", "pipe")

        received = zipfile.ZipFile(io.BytesIO(reading.result(WAIT_S)))
    assert Path("pipe").is_fifo()
    assert received.namelist() == zipfile.ZipFile("model.zip").namelist()


def test_everything_in_a_project_is_exported(source: str) -> None:
    """And what that was made from."""
    assert "Give the NAME" in refused("export", "-o", "x.zip", code=2)
    assert "has no artifacts" in refused("export", "--all", "--project", "empty", "-o", "x.zip", code=3)
    assert not Path("x.zip").exists()

    told = ask("export", "--all", "-o", "all.zip")

    listed = [ask("ls", row["artifact"]) for row in ask("ls")]
    assert told["versions"] == sum(map(len, listed)) > 1


def test_programs_get_what_was_exported(source: str) -> None:
    assert set(ask("export", "model", "-o", "m.zip")) == {
        "log",
        "versions",
        "without_content",
        "runs",
        "contents",
        "size",
    }
    assert json.loads(zipfile.ZipFile("m.zip").read("headwater-export.json"))["kind"] == "headwater export"
