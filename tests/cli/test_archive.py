"""`headwater archive`, on stores of each kind, to places of each kind."""

import json
import signal
from pathlib import Path

import pytest

from tests.cli.commands import ask, headwater, refused, run
from tests.support import buckets
from tests.support.forked import PIPE, ForkedProcess
from tests.support.stores import StoreUnderTest

WAIT_S = 90.0
on_stores = pytest.mark.on_stores


@on_stores
def test_the_log_is_archived_beside_the_content_of_the_store(images: Path, store: StoreUnderTest) -> None:
    headwater("log", str(images), "-n", "pets")
    before = [name for name in store.objects() if not name.startswith("archive/")]

    said = headwater("archive")

    where = f"file://{store.folder}/blobs/archive" if store.is_folder else "s3://"
    assert f"to {where}" in said
    assert said.startswith("archived ")
    assert headwater("archive").startswith("nothing new; everything up to now is in ")
    assert [name for name in store.objects() if not name.startswith("archive/")] == before
    with store.opened() as opened:
        assert [found.name for found in opened.blobs.list_objects()] == before
    headwater("gc", "--grace", "0s")
    assert headwater("archive").startswith("nothing new"), "its last files are still there"
    assert "broken" not in {check["state"] for check in ask("doctor")}


@on_stores
def test_the_log_is_archived_in_any_folder(images: Path, tmp_path: Path) -> None:
    headwater("log", str(images), "-n", "pets")

    first = ask("archive", "backups/log")
    again = ask("archive", (tmp_path / "backups" / "log").as_uri())

    assert first["archive"] == again["archive"] == (tmp_path / "backups" / "log").as_uri()
    assert (first["records"] > 0, again["records"], again["files"], again["bytes"]) == (True, 0, 0, 0)
    manifests = [json.loads(path.read_bytes()) for path in (tmp_path / "backups/log/records").rglob("*.json")]
    assert {manifest["generation"] for manifest in manifests} == {first["log"]}
    assert sum(manifest["size"] for manifest in manifests) == first["bytes"]
    assert sum(manifest["records"] for manifest in manifests) == first["records"]


@on_stores
def test_the_log_is_archived_in_any_bucket(
    images: Path, monkeypatch: pytest.MonkeyPatch, store: StoreUnderTest
) -> None:
    headwater("log", str(images), "-n", "pets")
    bucket = buckets.fresh()
    if store.is_folder:  # which says nothing about buckets
        assert "Set HEADWATER_S3_ENDPOINT" in refused("archive", f"s3://{bucket.bucket}/there")
        monkeypatch.setenv("HEADWATER_S3_ENDPOINT", bucket.endpoint)
        monkeypatch.setenv("HEADWATER_S3_ACCESS_KEY", str(bucket.access_key))
        monkeypatch.setenv("HEADWATER_S3_SECRET_KEY", str(bucket.secret_key))
    assert "there is no bucket" in refused("archive", f"s3://{bucket.bucket}/there")
    buckets.client_of(bucket).make_bucket(bucket.bucket)

    said = ask("archive", f"s3://{bucket.bucket}/there/")

    assert said["archive"] == f"s3://{bucket.bucket}/there"
    found = [str(one.object_name) for one in buckets.client_of(bucket).list_objects(bucket.bucket, recursive=True)]
    assert sum(name.startswith(f"there/records/{said['log']}/") for name in found) == 2 * said["files"]
    assert all(name.startswith("there/") for name in found)
    buckets.remove(bucket)


@on_stores
@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("gs://bucket/x", "'gs://bucket/x' is no place for an archive"),
        ("s3://bucket/packs/a/b", "neither 'packs' nor 'files'"),
        ("s3://bucket/a//b", "no empty parts"),
        ("s3://bucket/../b", "no empty parts"),
        ("s3://b", "'b' is not the name of a bucket"),
        ("images", "holds 'cat.txt' and is no archive; nothing was changed"),
        ("/", "names the root of the file system"),
    ],
)
def test_a_place_that_cannot_be_an_archive_is_refused(
    target: str, says: str, images: Path, monkeypatch: pytest.MonkeyPatch, store: StoreUnderTest
) -> None:
    if store.is_folder:
        monkeypatch.setenv("HEADWATER_S3_ENDPOINT", "http://127.0.0.1:1")
    headwater("log", str(images), "-n", "pets")

    assert says in refused("archive", target)


@on_stores
def test_there_is_nothing_to_archive_where_nothing_was_logged(store: StoreUnderTest) -> None:
    if store.is_folder:
        assert "no headwater store" in refused("archive")
        assert not store.folder.exists()


@on_stores
def test_a_check_reads_everything_and_names_what_is_wrong(images: Path) -> None:
    headwater("log", str(images), "-n", "pets")
    archived = ask("archive", "backup")
    good = ask("archive", "backup", "--check")
    headwater("log", str(images / "cat.txt"), "-n", "cats")
    behind = ask("archive", "backup", "--check")
    (first, *others) = sorted(Path("backup").rglob("*.avro"))
    first.write_bytes(first.read_bytes()[:-1])
    done = run("archive", "backup", "--check", "--json")
    said = run("archive", "backup", "--check")

    assert good == {
        "archive": archived["archive"],
        "log": archived["log"],
        "files": archived["files"],
        "records": archived["records"],
        "behind": 0,
        "problems": [],
    }
    assert behind["behind"] > 0
    assert (behind["problems"], behind["records"]) == ([], archived["records"])
    assert done.code == said.code == 1
    (problem,) = json.loads(done.out)["problems"]
    assert f"{first.name} in file:///" in problem
    assert problem in said.out
    assert json.loads(done.out)["files"] == 1 + len(others)


@on_stores
def test_archiving_goes_on_until_it_is_told_to_stop(images: Path, tmp_path: Path) -> None:
    headwater("log", str(images), "-n", "pets")
    command = ["-m", "headwater", "archive", "backup", "--follow", "--pause", "1s"]
    process = ForkedProcess(command, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    first = process.stdout.readline()
    headwater("log", str(images / "cat.txt"), "-n", "cats")
    second = process.stdout.readline()

    process.send_signal(signal.SIGTERM)
    code = process.wait(WAIT_S)

    assert first.startswith("archived ")
    assert second.startswith("archived ")
    assert code == 0
    assert ask("archive", "backup", "--check")["problems"] == []


@on_stores
@pytest.mark.parametrize("options", [("--follow", "--check"), ("--pause", "1m"), ("--follow", "--pause", "soon")])
def test_options_that_make_no_sense_are_refused(options: tuple[str, ...]) -> None:
    refused("archive", *options, code=2)
