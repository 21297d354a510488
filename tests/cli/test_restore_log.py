"""`headwater restore-log`: an archive becomes the log of a new store, which tells the same history."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import ask, headwater, refused
from tests.cli.places import projector
from tests.support.modes import schema_of
from tests.support.servers import fresh_topic_name
from tests.support.stores import StoreUnderTest

pytestmark = [pytest.mark.on_stores, pytest.mark.usefixtures("store")]

Mover = Callable[..., AbstractContextManager[None]]


def events(*arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in headwater("events", *arguments).splitlines()]


def files_in(archive: str, ending: str) -> list[Path]:
    return sorted(Path(archive).rglob(f"records/*/*/*.{ending}"))


def log_pets(images: Path, versions: int = 2) -> None:
    for n in range(versions):
        (images / "cat.txt").write_text(f"cat {n}")
        headwater("log", str(images), "-n", "pets", "--run", "photos")


def versions_of_pets() -> list[str]:
    return [one["artifact"].rpartition(":")[2] for one in ask("ls", "pets")]


def fingerprint_now() -> str:
    """Of everything that was written."""
    ask("ls", "pets")  # which waits for the projection
    replayed = ask("replay")
    assert replayed["same"] is True
    return str(replayed["new"])


@pytest.fixture
def moved(store: StoreUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mover:
    """Commands are about a new store from then on, with the content of the old one; servers have a projector."""

    def environment() -> dict[str, str]:
        if store.is_folder:
            return {"HEADWATER_URL": str(tmp_path / "new")}
        topic = fresh_topic_name()
        _, schema = schema_of(tmp_path / topic)
        names = {"HEADWATER_KAFKA_TOPIC": topic, "HEADWATER_DATABASE_SCHEMA": schema}
        return {**store.environment, **names, "HEADWATER_URL": "profile:new"}

    @contextmanager
    def moved(archive: str, *arguments: str) -> Iterator[None]:
        there = environment()
        for name, value in there.items():
            monkeypatch.setenv(name, value)
        with monkeypatch.context() as restoring:  # the archive says how many
            restoring.setenv("HEADWATER_KAFKA_PARTITIONS", "7")
            headwater("restore-log", archive, *arguments)
        if store.is_folder:
            shutil.copytree(store.folder / "blobs", tmp_path / "new" / "blobs", dirs_exist_ok=True)
        with nullcontext() if store.is_folder else projector():
            yield

    return moved


def test_a_restored_store_has_the_same_fingerprint_events_and_content(
    images: Path, tmp_path: Path, moved: Mover
) -> None:
    log_pets(images)
    headwater("alias", "pets:v0", "prod")
    headwater("archive", "backup")
    told, versions, fingerprint = events(), ask("ls", "pets"), fingerprint_now()

    with moved("backup"):
        assert ask("ls", "pets") == versions
        assert fingerprint_now() == fingerprint
        assert [one["id"] for one in events()] == [one["id"] for one in told]
        cursor = told[2]["cursor"]
        assert [one["id"] for one in events("--after", cursor)] == [one["id"] for one in told[3:]]
        headwater("get", "pets:prod", "there")
        assert (tmp_path / "there" / "cat.txt").read_text() == "cat 0"

        log_pets(images, 3)
        assert versions_of_pets() == ["v2", "v1", "v0"]
        assert ask("replay")["same"] is True


def test_what_was_restored_is_archived_and_restored_again(images: Path, moved: Mover) -> None:
    log_pets(images, 1)
    first = ask("archive", "backup")
    with moved("backup"):
        log_pets(images, 2)
        second = ask("archive", "backup")
        fingerprint = fingerprint_now()

    assert first["log"] != second["log"]
    assert f"has 2 logs: {', '.join(sorted((first['log'], second['log'])))}. Say which" in refused(
        "restore-log", "backup"
    )
    assert "has no log 'x'" in refused("restore-log", "backup", "--log", "x")
    shutil.rmtree("new", ignore_errors=True)
    with moved("backup", "--log", second["log"]):
        assert fingerprint_now() == fingerprint
        assert versions_of_pets() == ["v1", "v0"]


def test_programs_get_what_was_restored(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: StoreUnderTest
) -> None:
    log_pets(images, 1)
    archived = ask("archive", "backup")
    monkeypatch.setenv("HEADWATER_URL", str(tmp_path / "new") if store.is_folder else "profile:new")
    monkeypatch.setenv("HEADWATER_KAFKA_TOPIC", fresh_topic_name())
    monkeypatch.setenv("HEADWATER_DATABASE_SCHEMA", "not_there_yet")

    said = ask("restore-log", "backup")

    assert said == {
        "archive": archived["archive"],
        "log": archived["log"],
        "new_log": said["new_log"],
        "records": archived["records"],
        "replay": False,
        "missing": [],
    }


def test_a_store_that_has_a_log_is_left_alone(images: Path) -> None:
    log_pets(images, 1)
    headwater("archive", "backup")
    before = ask("replay")

    said = refused("restore-log", "backup")

    assert "records are restored into a new" in said
    assert "Nothing was changed" in said
    assert ask("replay") == before


def test_nothing_is_written_where_a_file_is_damaged_or_missing(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: StoreUnderTest
) -> None:
    log_pets(images, 1)
    headwater("archive", "backup")
    monkeypatch.setenv("HEADWATER_URL", str(tmp_path / "new") if store.is_folder else "profile:new")
    monkeypatch.setenv("HEADWATER_KAFKA_TOPIC", topic := fresh_topic_name())
    last = files_in("backup", "avro")[-1]
    content = last.read_bytes()

    last.write_bytes(content[:-1] + b"x")
    assert f"{last.name} in {(tmp_path / 'backup').as_uri()} is damaged" in refused("restore-log", "backup")
    last.unlink()
    assert f"{last.name} is not in" in refused("restore-log", "backup")

    assert not (tmp_path / "new").exists()
    if not store.is_folder:
        assert f"no topic '{topic}'" in refused("archive")


def test_a_gap_is_named_and_mended_by_archiving_again(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: StoreUnderTest
) -> None:
    log_pets(images, 1)
    headwater("archive", "backup")
    log_pets(images, 1)
    headwater("archive", "backup")
    of_partition = {path.parent.name: path for path in reversed(files_in("backup", "json"))}
    partition, lost = next((n, p) for n, p in of_partition.items() if len(list(p.parent.glob("*.json"))) > 1)
    manifest = json.loads(lost.read_text())
    lost.unlink()

    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("HEADWATER_URL", str(tmp_path / "new") if store.is_folder else "profile:new")
        elsewhere.setenv("HEADWATER_KAFKA_TOPIC", fresh_topic_name())
        said = refused("restore-log", "backup")
    again = ask("archive", "backup")

    last = f"{manifest['last_offset']:,} of partition {int(partition)} of log {manifest['generation']}"
    assert f"lacks offsets 0 to {last}. Nothing was restored" in said
    assert again["records"] == manifest["records"]
    assert lost.read_text() == json.dumps(manifest, indent=1) + "\n"


def test_a_projection_that_survived_names_what_is_missing(
    images: Path, monkeypatch: pytest.MonkeyPatch, store: StoreUnderTest
) -> None:
    log_pets(images, 1)
    headwater("archive", "backup")
    headwater("log", str(images / "dog.txt"), "-n", "lost")
    assert ask("ls", "lost")
    if store.is_folder:
        shutil.rmtree(store.folder / "log")
    else:  # with the same database
        monkeypatch.setenv("HEADWATER_KAFKA_TOPIC", fresh_topic_name())

    said = headwater("restore-log", "backup")

    assert "what was written between is missing" in said
    if store.is_folder:  # the old projection was put aside
        assert [one["artifact"] for one in ask("ls")] == ["team/animals/pets"]
        assert fingerprint_now()
    else:
        assert "run `headwater replay --replace` before anything else" in said
        assert ask("replay", "--replace")["replaced"] is True


def test_there_is_nothing_to_restore_in_an_empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_URL", str(tmp_path / "new"))

    assert "there is no archive at file:///" in refused("restore-log", "nowhere")
    assert not (tmp_path / "new").exists()
