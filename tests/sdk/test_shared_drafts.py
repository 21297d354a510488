"""One version from many writers. With real processes: tests/faults/test_shared_drafts.py."""

from concurrent.futures import ThreadPoolExecutor
from typing import SupportsIndex

import headwater
import numpy
import pytest
from headwater.errors import EventRejected, InvalidInput, InvalidName, NotFound, Reason, StoreUnavailable

pytestmark = pytest.mark.usefixtures("store")


def part(path: str, text: str = "", name: str = "pets") -> headwater.Artifact:
    artifact = headwater.Artifact(name, "dataset")
    with artifact.new_file(path) as file:
        file.write(text or path)
    return artifact


def upsert(path: str, text: str = "", *, shared: str = "job-1") -> headwater.Artifact:
    with headwater.init() as run:
        return run.upsert_artifact(part(path, text), distributed_id=shared)


def finish(artifact: headwater.Artifact | None = None, *, shared: str = "job-1", **more: int) -> headwater.Artifact:
    with headwater.init() as run:
        empty = headwater.Artifact("pets", "dataset")
        return run.finish_artifact(artifact or empty, distributed_id=shared, **more).wait(30)


def finish_later(artifact: headwater.Artifact, writers: SupportsIndex) -> headwater.Artifact:
    with headwater.init() as run:
        return run.finish_artifact(artifact, distributed_id="job-1", writers=writers)  # type: ignore[arg-type]


def test_runs_fill_one_version_together_and_a_last_one_seals_it() -> None:
    upsert("image1.png")
    upsert("image2.png")
    version = finish(part("image3.png"))

    assert version.version == "v0"
    assert list(version.manifest.entries) == ["image1.png", "image2.png", "image3.png"]


def test_equal_content_of_two_parts_is_there_for_both_whichever_counts_first() -> None:
    one, other = part("a", "equal"), part("b", "equal")
    large = b"x" * (3 * 2**20)
    for artifact in (one, other):
        with artifact.new_file(f"large/{artifact.digest[:8]}", "wb") as file:
            file.write(large)
    with headwater.init() as run:
        run.upsert_artifact(one, distributed_id="job-1").wait()
        run.upsert_artifact(other, distributed_id="job-1").wait()
    version = finish()

    assert version.file_count == 4
    version.download("out")
    version.verify("out")


def test_threads_of_one_run_upsert_at_once() -> None:
    def write(number: int) -> None:
        for turn in range(5):
            run.upsert_artifact(part(f"{number}/{turn}", f"{turn}"), distributed_id="job-1").wait()

    with headwater.init() as run, ThreadPoolExecutor(16) as pool:
        list(pool.map(write, range(16)))

    assert finish().file_count == 16 * 5


def test_the_group_is_the_id_unless_one_is_given() -> None:
    for path in ("a", "b"):
        with headwater.init(group="nightly") as run:
            run.upsert_artifact(part(path))
    with headwater.init(group="nightly") as run:
        run.finish_artifact(headwater.Artifact("pets", "dataset"))

    assert list(headwater.Api().artifact("pets").manifest.entries) == ["a", "b"]


def test_without_group_and_id_the_error_names_both() -> None:
    with headwater.init() as run, pytest.raises(InvalidInput, match=r"distributed_id.*group"):
        run.upsert_artifact(part("a"))
    with headwater.init() as run, pytest.raises(InvalidInput, match=r"distributed_id.*group"):
        run.finish_artifact(part("a"))


def test_nothing_is_visible_before_the_commit() -> None:
    artifact = upsert("a")

    assert artifact.state == "open"
    assert not headwater.Api().artifact_exists("pets")
    with pytest.raises(InvalidInput, match="still open"):
        _ = artifact.version
    finish()
    assert artifact.version == "v0"


def test_a_late_upsert_is_an_error_that_names_the_version_it_missed() -> None:
    upsert("a")
    finish()

    with pytest.raises(EventRejected, match=r"'job-1'.*pets:v0.*distributed_id") as refused:
        upsert("b")

    assert refused.value.reason is Reason.DRAFT_SEALED
    assert list(headwater.Api().artifact("pets").manifest.entries) == ["a"]


def test_a_second_finish_is_the_same_version() -> None:
    upsert("a")
    first = finish(part("last"))
    again = finish(part("last"))
    empty = finish()

    assert first.version == again.version == empty.version == "v0"


def test_a_second_finish_that_would_add_something_is_late() -> None:
    upsert("a")
    finish()

    with pytest.raises(EventRejected, match="pets:v0"):
        finish(part("more"))


def test_an_artifact_that_was_upserted_can_finish_its_draft_and_finish_it_again() -> None:
    upsert("a")
    with headwater.init() as run:
        artifact = run.upsert_artifact(part("b"), distributed_id="job-1")
        artifact = run.finish_artifact(artifact, distributed_id="job-1")
        assert artifact.version == "v0"
        run.finish_artifact(artifact, distributed_id="job-1")

    assert (artifact.version, list(artifact.manifest.entries)) == ("v0", ["a", "b"])
    assert [version.version for version in run.logged_artifacts()] == ["v0"]


def test_an_artifact_whose_part_was_refused_does_not_finish_the_draft() -> None:
    upsert("a/b")
    with headwater.init() as run:
        refused = run.upsert_artifact(part("a"), distributed_id="job-1")
        with pytest.raises(EventRejected, match="'a'"):
            run.finish_artifact(refused, distributed_id="job-1").wait()

    assert not headwater.Api().artifact_exists("pets")


def test_what_was_upserted_does_not_change_and_the_error_names_the_draft() -> None:
    artifact = upsert("a")

    with headwater.init() as run, pytest.raises(InvalidInput, match=r"'job-1'.*another Artifact"):
        run.upsert_artifact(artifact, distributed_id="job-1")


def test_finishing_a_draft_that_has_nothing_in_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    upsert("a")
    version = finish(shared="jbo-1")

    assert (version.version, version.file_count) == ("v0", 0)
    assert "'jbo-1' was sealed without entries as v0" in capsys.readouterr().err


def test_a_group_that_cannot_be_an_id_is_named() -> None:
    with headwater.init(group="") as run, pytest.raises(InvalidName, match=r"group ''.*distributed_id"):
        run.upsert_artifact(part("a"))


def test_who_finishes_first_gives_a_draft_of_the_base_as_the_writers_do() -> None:
    base = part("old").save()
    waiting = finish_later(base.new_draft(), writers=2)
    for path in ("x", "y"):
        draft = base.new_draft()
        with draft.new_file(path) as file:
            file.write(path)
        with headwater.init() as run:
            run.upsert_artifact(draft, distributed_id="job-1")

    assert list(waiting.wait(timeout=30).manifest.entries) == ["old", "x", "y"]


def test_the_number_of_writers_may_be_of_any_integer_type() -> None:
    waiting = finish_later(part("a"), writers=numpy.int64(1))
    upsert("b")

    assert waiting.wait(timeout=30).file_count == 2


def test_an_id_belongs_to_its_artifact() -> None:
    upsert("a")
    finish()
    with headwater.init() as run:
        run.upsert_artifact(part("b", name="plants"), distributed_id="job-1")
        other = run.finish_artifact(headwater.Artifact("plants", "dataset"), distributed_id="job-1").wait()

    assert (other.source_name, list(other.manifest.entries)) == ("plants:v0", ["b"])


def test_the_later_of_two_writers_of_one_path_counts_and_the_version_says_so() -> None:
    upsert("a", "one")
    upsert("a", "other")
    upsert("b", "only")
    version = finish()

    assert version.contested_paths == ["a"]
    assert version.get_entry("a").digest == part("a", "other").get_entry("a").digest


def test_a_run_that_is_tried_again_contests_nothing() -> None:
    for _ in range(2):
        with headwater.init(id="writer-1") as run:
            run.upsert_artifact(part("a", "same run"), distributed_id="job-1")

    assert finish().contested_paths == []


def test_with_writers_the_seal_waits_for_the_last_of_them() -> None:
    upsert("a")
    with headwater.init() as run:
        waiting = run.finish_artifact(headwater.Artifact("pets", "dataset"), distributed_id="job-1", writers=3)
    upsert("b")
    with pytest.raises(StoreUnavailable, match="writers done: 2 of 3"):
        waiting.wait(timeout=0.2)
    assert not headwater.Api().artifact_exists("pets")

    upsert("c")

    assert waiting.wait(timeout=30).version == "v0"
    assert list(waiting.manifest.entries) == ["a", "b", "c"]


def test_a_run_that_upserts_twice_is_one_writer() -> None:
    with headwater.init(id="writer-1") as run:
        run.upsert_artifact(part("a"), distributed_id="job-1")
        run.upsert_artifact(part("b"), distributed_id="job-1")
    with headwater.init() as run:
        waiting = run.finish_artifact(headwater.Artifact("pets", "dataset"), distributed_id="job-1", writers=2)
    with pytest.raises(StoreUnavailable, match="writers done: 1 of 2"):
        waiting.wait(timeout=0.2)


def test_writers_can_start_from_drafts_of_one_base() -> None:
    upsert("old")
    upsert("kept")
    base = finish()
    for path in ("x", "y"):
        draft = base.new_draft()
        with draft.new_file(path) as file:
            file.write(path)
        if path == "y":
            draft.remove("old")
        with headwater.init() as run:
            run.upsert_artifact(draft, distributed_id="job-2")
    version = finish(shared="job-2")

    assert version.version == "v1"
    assert list(version.manifest.entries) == ["kept", "x", "y"]


def test_different_bases_for_one_id_are_refused_naming_both() -> None:
    upsert("a")
    base = finish()
    draft = base.new_draft()
    with headwater.init() as run:
        run.upsert_artifact(draft, distributed_id="job-2")

    with pytest.raises(EventRejected, match=r"v0.*no version") as refused:
        upsert("b", shared="job-2")

    assert refused.value.reason is Reason.BASE_MISMATCH


def test_paths_that_would_be_file_and_folder_at_once_are_refused_across_writers() -> None:
    upsert("a/b")

    with pytest.raises(EventRejected, match="'a'") as refused:
        upsert("a")

    assert refused.value.reason is Reason.PATH_CONFLICT
    assert list(finish().manifest.entries) == ["a/b"]


def test_open_drafts_are_listed_and_discarded() -> None:
    upsert("a")
    upsert("b", shared="job-2")
    api = headwater.Api()
    drafts = {draft.distributed_id: draft for draft in api.drafts()}
    assert sorted(drafts) == ["job-1", "job-2"]  # type: ignore[type-var]
    assert (drafts["job-1"].collection, drafts["job-1"].entries, drafts["job-1"].writers_done) == (
        "team/animals/pets",
        1,
        1,
    )

    drafts["job-1"].discard()

    assert [draft.distributed_id for draft in api.drafts()] == ["job-2"]
    with pytest.raises(EventRejected, match="discarded"):
        upsert("c")


def test_who_waits_for_a_draft_that_is_discarded_is_told() -> None:
    upsert("a")
    with headwater.init() as run:
        waiting = run.finish_artifact(headwater.Artifact("pets", "dataset"), distributed_id="job-1", writers=2)
    headwater.Api().drafts()[0].discard()

    with pytest.raises(NotFound, match=r"'job-1'.*discarded.*new distributed_id"):
        waiting.wait(timeout=30)


def test_what_is_said_is_what_the_finishing_artifact_says() -> None:
    upsert("a")
    last = headwater.Artifact("pets", "dataset", description="all parts", metadata={"parts": 1})
    last.aliases.append("done")
    version = finish(last)

    assert (version.description, version.metadata, version.aliases) == ("all parts", {"parts": 1}, ["done", "latest"])
    run = version.logged_by()
    assert run is not None


@pytest.mark.parametrize("writers", [0, -1, True, "3", 1.5, 10**12])
def test_a_number_of_writers_that_makes_no_sense_is_refused(writers: object) -> None:
    with headwater.init() as run, pytest.raises(InvalidInput, match="writer"):
        run.finish_artifact(part("a"), distributed_id="x", writers=writers)  # type: ignore[arg-type]


def test_a_part_that_was_refused_is_no_writer_that_is_done() -> None:
    upsert("a/b")
    with headwater.init() as run:
        waiting = run.finish_artifact(headwater.Artifact("pets", "dataset"), distributed_id="job-1", writers=2)
    with pytest.raises(EventRejected):
        upsert("a")
    with pytest.raises(StoreUnavailable, match="writers done: 1 of 2"):
        waiting.wait(timeout=0.2)

    upsert("c")

    assert list(waiting.wait(timeout=30).manifest.entries) == ["a/b", "c"]


def test_a_finish_whose_own_part_is_refused_seals_nothing() -> None:
    upsert("a/b")
    with pytest.raises(EventRejected, match="'a'"):
        finish(part("a"))
    assert not headwater.Api().artifact_exists("pets")

    assert list(finish(part("c")).manifest.entries) == ["a/b", "c"]
