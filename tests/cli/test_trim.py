"""`headwater archive --trim`: the beginning of the log is in the archive alone, and nobody notices."""

import json
import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from headwater_eventlog.kafka import KafkaEventLog
from headwater_eventlog.port import NewRecord
from headwater_stores.config.settings import read_settings
from headwater_stores.server_settings import kafka_settings

from tests.cli.commands import ask, headwater, refused, run
from tests.consumer.test_archive import manifests_in
from tests.kafka import topics
from tests.support.forked import DEVNULL, ForkedProcess
from tests.support.modes import EMBEDDED, SERVICE, schema_of
from tests.support.stores import StoreUnderTest

pytestmark = [pytest.mark.on_stores, pytest.mark.usefixtures("store")]
on_servers = pytest.mark.parametrize("mode", [SERVICE], indirect=True, ids=["servers"])

WAIT_S = 90.0
TRIM = ("--trim", "--keep", "0s")


def log_pets(images: Path, versions: int = 3) -> None:
    for n in range(versions):
        (images / "cat.txt").write_text(f"cat {n} of {versions}")
        headwater("log", str(images), "-n", "pets", "--run", "photos")
    ask("ls", "pets")  # which waits for the projection


def offsets(which: str) -> Mapping[int, int]:
    """Of the topic itself."""
    profile = read_settings().profile
    assert profile is not None
    with closing(KafkaEventLog.open(kafka_settings(profile), create=False, read_only=True, expect=None)) as log:
        found: Mapping[int, int] = getattr(log, which)()
        return found


def project_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """From here on the store has an empty database, which a projector that ends has filled as far as it could."""
    _, schema = schema_of(tmp_path / "anew")
    monkeypatch.setenv("HEADWATER_DATABASE_SCHEMA", schema)
    command = ["-m", "headwater", "projector", "--once", "--quiet", "--port", "0"]
    return ForkedProcess(command, stdout=DEVNULL).wait(WAIT_S)


def versions() -> Any:
    return [(one["artifact"], one["digest"]) for one in ask("ls", "pets")]


@pytest.mark.parametrize("mode", [EMBEDDED], indirect=True, ids=["folder"])
def test_the_log_of_a_folder_is_not_trimmed(images: Path) -> None:
    log_pets(images, 1)

    assert "has its log in one file, from which nothing is deleted" in refused("archive", "backup", *TRIM)
    assert not Path("backup").exists()


@on_servers
def test_all_that_is_archived_verified_and_projected_goes_but_the_last_event_of_each_partition(images: Path) -> None:
    log_pets(images)
    before = offsets("ends")

    trimmed = ask("archive", *TRIM)

    assert offsets("ends") == before
    assert offsets("beginnings") == {partition: max(0, end) for partition, end in before.items()}
    assert trimmed["trimmed"] == sum(max(0, end) for end in before.values()) > 0
    assert trimmed["behind"] == []
    again = ask("archive", *TRIM)
    assert (again["records"], again["trimmed"]) == (0, 0)
    assert headwater("archive", *TRIM).splitlines()[1:] == ["nothing to delete from Kafka"]


@on_servers
def test_events_that_are_to_be_kept_are_kept(images: Path) -> None:
    log_pets(images)

    assert ask("archive", "--trim")["trimmed"] == 0
    assert ask("archive", "--trim", "--keep", "1h")["trimmed"] == 0
    assert set(offsets("beginnings").values()) == {0}


@on_servers
def test_readers_writers_and_new_projections_of_a_trimmed_log_notice_nothing(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_that_nothing_is_noticed((), images, tmp_path, monkeypatch)


@on_servers
def test_an_archive_in_any_place_is_found_by_who_opens_the_log(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_that_nothing_is_noticed(("backup",), images, tmp_path, monkeypatch)


def check_that_nothing_is_noticed(
    target: tuple[str, ...], images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_pets(images)
    before, told, replayed = versions(), headwater("events"), ask("replay")
    ask("archive", *target, *TRIM)

    assert headwater("events") == told
    assert headwater("events", "--after", json.loads(told.splitlines()[0])["cursor"]) == "".join(
        told.splitlines(keepends=True)[1:]
    )
    assert ask("replay") == replayed
    checks = ask("doctor")
    assert "broken" not in {check["state"] for check in checks}
    assert [check["detail"] for check in checks if check["check"] == "archive"] == [
        f"the topic was trimmed; all that was before is in {ask('archive', *target)['archive']}."
    ]
    assert ask("archive", *target)["records"] == 0
    assert ask("archive", *target, "--check")["problems"] == []
    log_pets(images, 2)
    assert ask("replay")["same"] is True
    fingerprint = ask("replay")["new"]
    assert project_anew(tmp_path, monkeypatch) == 0
    assert versions()[-len(before) :] == before
    assert ask("replay") == {**ask("replay"), "same": True, "new": fingerprint}
    assert ask("replay", "--replace")["new"] == fingerprint


@on_servers
def test_an_archive_that_is_begun_after_a_trim_is_whole(images: Path) -> None:
    log_pets(images)
    first = ask("archive", "backup", *TRIM)
    log_pets(images, 1)

    second = ask("archive", "other", *TRIM)

    assert second["records"] > first["records"]
    assert second["trimmed"] > 0
    assert {m["after"] for m in manifests_in(Path("other"))} >= {-1}
    assert ask("archive", "other", "--check")["problems"] == []
    Path("backup").rename("gone")
    assert ask("replay")["same"] is True, "the other archive is found"


@on_servers
def test_a_gap_in_the_archive_is_an_error_that_names_it(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_pets(images)
    ask("archive", "backup")
    log_pets(images, 1)
    ask("archive", "backup", *TRIM)
    partition, lost = next(
        (manifest["partition"], manifest) for manifest in manifests_in(Path("backup")) if manifest["after"] >= 0
    )
    path = next(Path("backup").rglob(f"{lost['first_offset']:013}-{lost['last_offset']:013}.json"))
    path.rename(tmp_path / "kept.json")

    said = refused("replay")

    last = offsets("beginnings")[partition] - 1
    assert f"does not have offsets {lost['first_offset']:,} to {last:,} of partition {partition} any more" in said
    assert f"Archives that were looked at: {(tmp_path / 'blobs').as_uri()}" not in said
    assert (tmp_path / "backup").as_uri() in said
    assert f"does not have offsets {lost['first_offset']:,}" in refused("archive", "backup", *TRIM)
    first, of = f"{lost['first_offset']:,}", f"of partition {partition}"
    (check,) = [one for one in json.loads(run("doctor", "--json").out) if one["check"] == "archive"]
    assert check["state"] == "broken"
    assert re.search(rf"{(tmp_path / 'backup').as_uri()} lacks offsets {first} to [0-9,]+ {of}", check["detail"])
    assert project_anew(tmp_path, monkeypatch) == 1
    (tmp_path / "kept.json").rename(path)
    assert project_anew(tmp_path, monkeypatch) == 0
    assert len(versions()) == 4


@on_servers
def test_nothing_is_deleted_of_which_the_file_is_damaged(images: Path) -> None:
    log_pets(images)
    ask("archive", "backup")
    for file in Path("backup").rglob("*.avro"):
        file.write_bytes(file.read_bytes()[:-1] + b"x")

    assert "is damaged: its bytes are not those of its manifest" in refused("archive", "backup", *TRIM)
    assert set(offsets("beginnings").values()) == {0}


@on_servers
def test_what_is_not_projected_is_not_deleted(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log_pets(images)
    ends = offsets("ends")
    assert project_anew(tmp_path, monkeypatch) == 0  # nothing is projected into this one from here on
    write_on()

    trimmed = ask("archive", *TRIM)

    assert offsets("beginnings") == {partition: max(0, end) for partition, end in ends.items()}
    assert trimmed["behind"] == sorted(ends)
    said = headwater("archive", *TRIM)
    assert f"kept more of partitions {', '.join(map(str, sorted(ends)))}: it is not projected yet" in said


def write_on() -> None:
    """One record more in each partition."""
    profile = read_settings().profile
    assert profile is not None
    with closing(KafkaEventLog.open(kafka_settings(profile), create=False)) as log:
        log.append([NewRecord("k", b"", (), partition) for partition in range(log.partitions)], timeout_s=WAIT_S)


@on_servers
def test_several_trim_at_once(images: Path) -> None:
    log_pets(images, 2)
    command = ["-m", "headwater", "archive", "--trim", "--keep", "0s"]

    several = [ForkedProcess([*command, *where], stdout=DEVNULL, stderr=DEVNULL) for where in ((), (), ("x",), ("x",))]
    codes = [one.wait(WAIT_S) for one in several]

    assert codes == [0, 0, 0, 0]
    assert offsets("beginnings") == {partition: max(0, end) for partition, end in offsets("ends").items()}
    assert ask("replay")["same"] is True


@on_servers
def test_records_that_others_deleted_are_named(images: Path, store: StoreUnderTest) -> None:
    log_pets(images, 1)
    partition, end = next((p, end) for p, end in offsets("ends").items() if end > 0)
    topics.delete_records(store.environment["HEADWATER_KAFKA_TOPIC"], partition, before=end)

    said = refused("replay")

    assert f"does not have offsets 0 to {end - 1:,} of partition {partition} any more, and no archive has them" in said


@pytest.mark.parametrize("options", [("--keep", "1d"), ("--trim", "--keep", "soon"), ("--trim", "--check")])
def test_options_that_make_no_sense_are_refused(options: tuple[str, ...]) -> None:
    refused("archive", *options, code=2)
