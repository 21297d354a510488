"""The digests of a version are those of its project, wherever its content was added."""

import os
from collections.abc import Callable
from pathlib import Path

import headwater
import pytest
from headwater._artifact.artifact import state_of
from headwater._commit.client import Client, client_for
from headwater.errors import EventRejected, FileChanged, StoreUnavailable
from headwater_blobs.port import PACK_BYTES_MAX, PACKED_FILE_BYTES_MAX
from headwater_consumer.database.tables import PROJECT_FACTS
from headwater_eventlog.port import NewRecord
from headwater_schemas.errors import Reason
from headwater_schemas.events import SettingsChanged
from headwater_schemas.keys import project_key
from headwater_stores.config.settings import read_settings
from sqlalchemy import func, select

from tests.sdk.downloads import content_of, refusal
from tests.support.history import UNDECODABLE, Writer
from tests.support.statements import count_of
from tests.support.stores import StoreUnderTest

# Projects that are begun through a server are begun with BLAKE3.
begins_with_xxh3 = pytest.mark.on_stores
PROJECT, SECURE = "team/animals", "team/secure"
FILES = {
    "README": b"what this is",
    "also/README": b"what this is",
    "empty": b"",
    "large": os.urandom(PACKED_FILE_BYTES_MAX + 1),
    "bin/run": b"#!/bin/sh\n",
}


@pytest.fixture(autouse=True)
def secure(store: object, monkeypatch: pytest.MonkeyPatch) -> str:
    """A project with BLAKE3 digests."""
    monkeypatch.setenv("HEADWATER_QUIET", "true")
    choose_blake3(SECURE)
    return SECURE.partition("/")[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    for path, content in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    (root / "bin/run").chmod(0o755)
    return root


def choose_blake3(project: str) -> None:
    client().send([SettingsChanged(project=project, settings='{"digest_algorithm":"blake3"}')]).result()
    client().catch_up()


def client() -> Client:
    return client_for(read_settings(), create=True)


def filled(folder: Path, name: str = "images") -> headwater.Artifact:
    artifact = headwater.Artifact(name, "dataset")
    artifact.add_dir(folder)
    return artifact


def algorithms_of(artifact: headwater.Artifact) -> set[str]:
    return {(entry.digest or "").partition(":")[0] for entry in artifact.files()}


def add_dir(artifact: headwater.Artifact, folder: Path) -> None:
    artifact.add_dir(folder)


def add_dir_as_immutable(artifact: headwater.Artifact, folder: Path) -> None:
    artifact.add_dir(folder, policy="immutable")


def write_files(artifact: headwater.Artifact, folder: Path) -> None:
    for path, content in FILES.items():
        with artifact.new_file(path, "wb") as file:
            file.write(content)


@pytest.mark.parametrize("fill", [add_dir, add_dir_as_immutable, write_files])
def test_what_was_added_before_the_run_has_the_digests_of_the_runs_project(
    folder: Path, tmp_path: Path, secure: str, fill: Callable[[headwater.Artifact, Path], None]
) -> None:
    early, late = headwater.Artifact("images", "dataset"), headwater.Artifact("images", "dataset")
    fill(early, folder)
    with headwater.init(project=secure) as run:
        run.log_artifact(early).wait()
        fill(late, folder)
        run.log_artifact(late).wait()

    assert algorithms_of(early) == {"blake3"}
    assert (early.version, late.version, early.digest) == ("v0", "v0", late.digest)
    early.download(tmp_path / "out")
    assert content_of(tmp_path / "out") == FILES


def test_content_that_fills_packs_and_what_a_pack_has_not_got_yet_are_both_hashed_again(
    tmp_path: Path, secure: str
) -> None:
    contents = {f"{number:02}": os.urandom(PACKED_FILE_BYTES_MAX) for number in range(18)}
    assert sum(map(len, contents.values())) > PACK_BYTES_MAX
    early = headwater.Artifact("packs", "dataset")
    for path, content in contents.items():
        with early.new_file(path, "wb") as file:
            file.write(content)

    with headwater.init(project=secure) as run:
        run.log_artifact(early).wait()

    assert algorithms_of(early) == {"blake3"}
    early.download(tmp_path / "out")
    assert content_of(tmp_path / "out") == contents


def test_a_draft_of_another_project_has_the_digests_of_the_project_that_it_goes_to(
    folder: Path, tmp_path: Path, secure: str
) -> None:
    draft = filled(folder).save().new_draft()
    with draft.new_file("more") as file:
        file.write("more")
    with headwater.init(project=secure) as run:
        run.log_artifact(draft).wait()

    assert algorithms_of(draft) == {"blake3"}
    assert [entry.path for entry in draft.files() if entry.executable] == ["bin/run"]
    draft.download(tmp_path / "out")
    assert content_of(tmp_path / "out") == {**FILES, "more": b"more"}


def test_an_artifact_that_is_used_before_it_was_logged_has_the_digests_of_the_runs_project(
    folder: Path, secure: str
) -> None:
    early = filled(folder)
    with headwater.init(project=secure) as run:
        used = run.use_artifact(early)

    assert algorithms_of(used) == {"blake3"}


def test_parts_of_a_shared_draft_have_the_digests_of_its_project(folder: Path, secure: str) -> None:
    parts = [headwater.Artifact("shared", "dataset") for _ in range(2)]
    for number, part in enumerate(parts):
        part.add_dir(folder, f"{number}")
    with headwater.init(project=secure) as run:
        run.upsert_artifact(parts[0], distributed_id="one")
        run.finish_artifact(parts[1], distributed_id="one").wait()

    assert parts[1].file_count == 2 * len(FILES)
    assert algorithms_of(parts[1]) == {"blake3"}


def test_a_project_that_chooses_after_an_artifact_was_filled_is_followed(folder: Path) -> None:
    early = filled(folder)
    choose_blake3(PROJECT)
    early.save()
    late = filled(folder).save()

    assert algorithms_of(early) == {"blake3"}
    assert (early.version, late.version) == ("v0", "v0")


@begins_with_xxh3
@pytest.mark.parametrize("change", ["other bytes", "gone"])
def test_an_immutable_file_that_is_not_what_it_was_is_refused_and_nothing_is_written(
    folder: Path, secure: str, change: str
) -> None:
    early = headwater.Artifact("images", "dataset")
    early.add_dir(folder, policy="immutable")
    digest = early.digest
    if change == "gone":
        (folder / "large").unlink()
    else:
        (folder / "large").write_bytes(bytes(len(FILES["large"])))

    with headwater.init(project=secure) as run:
        said = refusal(FileChanged, lambda: run.log_artifact(early))

    assert "large" in said
    assert (early.state, early.digest) == ("draft", digest)
    assert state_of(early).stage == "draft"
    assert not client().stores.reads.collections(SECURE, limit=1)


@begins_with_xxh3
def test_projects_of_one_algorithm_hash_nothing_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    early = filled(folder)
    digest = early.digest
    for path in FILES:
        (folder / path).unlink()
    with headwater.init(project="other") as run:
        run.log_artifact(early).wait()

    assert (early.digest, algorithms_of(early)) == (digest, {"xxh3"})


# --- the first version of a project


def choose_unseen(project: str) -> None:
    """Somebody else chooses BLAKE3; where this process projects, it has not heard of it yet."""
    event = SettingsChanged(project=project, settings='{"digest_algorithm":"blake3"}')
    Writer(client().stores.log, "operator").write(event)


def rejection(act: Callable[[], object]) -> EventRejected | None:
    try:
        act()
    except EventRejected as refused:
        return refused
    return None


@begins_with_xxh3
def test_who_chose_before_the_first_version_is_followed_and_what_was_underway_is_refused(folder: Path) -> None:
    early = filled(folder, "early")
    choose_unseen(PROJECT)

    refused = rejection(early.save)

    if refused is None:  # a projector of another process was faster
        assert algorithms_of(early) == {"blake3"}
    else:
        assert refused.reason == Reason.ALGORITHM_CHOSEN
        assert "team/animals uses the digest algorithm blake3" in str(refused)
        assert not client().stores.reads.collections(PROJECT, limit=1)
    late = filled(folder, "late").save()

    assert algorithms_of(late) == {"blake3"}


@begins_with_xxh3
def test_who_logs_the_first_version_fixes_the_algorithm(folder: Path) -> None:
    filled(folder).save()

    with pytest.raises(EventRejected, match="uses the digest algorithm xxh3"):
        choose_blake3(PROJECT)

    assert algorithms_of(filled(folder, "late").save()) == {"xxh3"}


@begins_with_xxh3
@pytest.mark.parametrize("content", ["references", "nothing"])
def test_a_first_version_without_files_fixes_the_algorithm_as_well(content: str) -> None:
    artifact = headwater.Artifact("images", "dataset")
    if content == "references":
        artifact.add_reference("https://example.com/a", checksum=False)
    artifact.save()

    with pytest.raises(EventRejected, match="uses the digest algorithm xxh3"):
        choose_blake3(PROJECT)


def test_the_first_versions_of_a_project_keep_their_order_and_choose_once(store: StoreUnderTest) -> None:
    with headwater.init() as run:
        logged = [filled_with(run, f"{number}") for number in range(10)]
        for artifact in logged:
            artifact.wait()

    assert [artifact.version for artifact in logged] == [f"v{number}" for number in range(10)]
    with store.opened() as stores, stores.database.snapshot() as connection:
        of_project = PROJECT_FACTS.c.project == PROJECT
        assert count_of(connection, select(func.count()).select_from(PROJECT_FACTS).where(of_project)) == 1


def filled_with(run: headwater.Run, text: str) -> headwater.Artifact:
    artifact = headwater.Artifact("numbers", "dataset")
    with artifact.new_file("number") as file:
        file.write(text)
    return run.log_artifact(artifact)


def test_a_draft_that_is_filled_and_finished_at_once_in_a_new_project_has_all_parts(folder: Path) -> None:
    part, seal = filled(folder, "shared"), headwater.Artifact("shared", "dataset")
    with headwater.init() as run:
        run.upsert_artifact(part, distributed_id="one")
        run.finish_artifact(seal, distributed_id="one").wait()

    assert seal.file_count == len(FILES)


@begins_with_xxh3
def test_nothing_is_logged_while_the_settings_of_a_new_project_wait_behind_a_dead_letter(folder: Path) -> None:
    log = client().stores.log
    log.append([NewRecord(project_key(PROJECT), UNDECODABLE)], timeout_s=30)

    with pytest.raises(StoreUnavailable, match=r"the settings of team/animals are parked .* nothing was logged"):
        filled(folder).save()

    assert not client().stores.reads.collections(PROJECT, limit=1)
