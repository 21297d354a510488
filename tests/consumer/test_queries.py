"""Questions about versions, collections and runs, and an operator's."""

from pkgutil import iter_modules
from types import ModuleType

import pytest
from headwater_consumer import queries
from headwater_schemas.errors import NotFound
from headwater_schemas.events import (
    AliasMoved,
    ArtifactUsed,
    DeadLetterResolved,
    VersionDeleted,
    VersionDescribed,
    VersionRecalled,
    VersionRestored,
)

from tests.support.history import History

PROJECT = "team/vision"
DIGITS, MODEL = f"{PROJECT}/digits", f"{PROJECT}/model"
NIGHTLY, TRAINING = f"{PROJECT}/nightly", f"{PROJECT}/training"


def _info(history: History, version: int, collection: str = DIGITS, *, at: int | None = None) -> queries.VersionInfo:
    info = queries.version_info(history.database, collection, version, at=at)
    assert info is not None
    return info


def _resolve(history: History, selector: str, *, at: int | None = None) -> int | None:
    version = queries.resolve_version(history.database, DIGITS, selector, at=at)
    if at is None:  # what it names comes with all that is recorded about it
        info = None if version is None else queries.version_info(history.database, DIGITS, version)
        assert queries.version_named(history.database, DIGITS, selector) == info
    return version


def _three_versions(history: History) -> list[int]:
    """The position of each commit."""
    return [history.commit(DIGITS, {"a": content}) for content in (b"0", b"1", b"2")]


def test_no_query_has_the_name_of_a_module_which_would_hide_it() -> None:
    assert {module.name for module in iter_modules(queries.__path__)}.isdisjoint(queries.__all__)
    assert [name for name in queries.__all__ if isinstance(getattr(queries, name), ModuleType)] == []


# --- versions ---------------------------------------------------------------------------------------------------


def test_a_version_is_found_by_its_number_and_by_an_alias(history: History) -> None:
    _three_versions(history)
    history.write(AliasMoved(collection=DIGITS, alias="best", version=1))

    assert [_resolve(history, selector) for selector in ("v0", "best", "latest")] == [0, 1, 2]


@pytest.mark.parametrize("selector", ["v3", "v01", "v999999999999999999", "worst", ""])
def test_what_nobody_recorded_is_not_found(history: History, selector: str) -> None:
    _three_versions(history)

    assert _resolve(history, selector) is None


def test_a_deleted_version_is_not_found_but_still_known(history: History) -> None:
    _three_versions(history)
    history.write(VersionDeleted(collection=DIGITS, version=2, delete_aliases=True))

    assert (_resolve(history, "v2"), _resolve(history, "latest")) == (None, 1)
    assert _info(history, 2).deleted
    assert not _info(history, 1).deleted


def test_a_restored_version_is_found_again(history: History) -> None:
    _three_versions(history)
    history.write(
        VersionDeleted(collection=DIGITS, version=1, delete_aliases=True), VersionRestored(collection=DIGITS, version=1)
    )

    assert _resolve(history, "v1") == 1


def test_the_past_is_as_it_was(history: History) -> None:
    first, second, _ = _three_versions(history)
    deleted = history.write(VersionDeleted(collection=DIGITS, version=0, delete_aliases=True))

    assert [_resolve(history, "latest", at=at) for at in (first - 1, first, second)] == [None, 0, 1]
    assert [_resolve(history, "v1", at=at) for at in (first, second)] == [None, 1]
    assert [_resolve(history, "v0", at=at) for at in (deleted - 1, deleted)] == [0, None]
    assert queries.version_info(history.database, DIGITS, 1, at=first) is None


def test_a_version_comes_with_all_that_is_said_about_it(history: History) -> None:
    history.commit(
        DIGITS,
        {"a": b"12", "b": b"345"},
        run=NIGHTLY,
        aliases=("best", "a-first"),
        tags=("raw", "checked"),
        description="all of them",
        metadata='{"score":1}',
        ttl_seconds=60,
    )
    history.write(VersionRecalled(collection=DIGITS, version=0, reason="mislabelled"))

    info = _info(history, 0)

    assert (info.collection, info.type, info.version, info.base) == (DIGITS, "dataset", 0, None)
    assert (info.entry_count, info.size_bytes, info.run, info.author) == (2, 5, NIGHTLY, "ada")
    assert (info.aliases, info.tags) == (("a-first", "best", "latest"), ("checked", "raw"))
    assert (info.description, info.metadata, info.ttl_seconds) == ("all of them", '{"score":1}', 60)
    assert (info.recalled, info.deleted) == ("mislabelled", False)


def test_nothing_said_is_told_as_nothing(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})

    info = _info(history, 0)

    assert (info.tags, info.description, info.metadata, info.ttl_seconds) == ((), None, "{}", None)
    assert (info.run, info.recalled, info.message, info.contested_count) == (None, None, None, 0)


def test_what_is_said_about_a_version_can_be_asked_as_of_then(history: History) -> None:
    before = history.commit(DIGITS, {"a": b"1"}, tags=("raw",), description="one", ttl_seconds=60)
    described = VersionDescribed(
        collection=DIGITS,
        version=0,
        description="two",
        metadata='{"k":1}',
        tags_added=("ready",),
        tags_removed=("raw",),
        ttl_seconds=0,
    )
    after = history.write(described)

    then, now = _info(history, 0, at=before), _info(history, 0, at=after)

    assert (then.description, then.tags, then.metadata, then.ttl_seconds) == ("one", ("raw",), "{}", 60)
    assert (now.description, now.tags, now.metadata, now.ttl_seconds) == ("two", ("ready",), '{"k":1}', None)
    assert now == _info(history, 0)


def test_an_empty_version_has_no_layers_and_no_entries(history: History) -> None:
    history.commit(DIGITS)

    info = _info(history, 0)

    assert (info.entry_count, info.layers) == (0, ())
    assert queries.entries_page(history.database, info.layers) == []
    assert queries.entry(history.database, info.layers, "a") is None


def test_live_versions_are_paged_from_either_end(history: History) -> None:
    _three_versions(history)
    history.commit(DIGITS, {"a": b"3"})
    history.write(VersionDeleted(collection=DIGITS, version=1, delete_aliases=True))

    def page(**wanted: int | bool) -> list[int]:
        infos = queries.version_infos(history.database, DIGITS, limit=2, **wanted)  # type: ignore[arg-type]
        return [info.version for info in infos]

    assert [page(), page(after=2), page(after=0)] == [[3, 2], [0], []]
    assert [page(newest_first=False), page(newest_first=False, after=2)] == [[0, 2], [3]]


def test_a_page_says_of_each_version_what_a_single_look_says(history: History) -> None:
    _three_versions(history)
    history.write(VersionDescribed(collection=DIGITS, version=1, tags_added=("x", "y"), description="d"))

    infos = queries.version_infos(history.database, DIGITS)

    assert infos == [_info(history, version) for version in (2, 1, 0)]


def test_content_is_found_in_the_live_versions_of_a_collection(history: History) -> None:
    _three_versions(history)
    digest = _info(history, 1).digest

    assert queries.version_with_digest(history.database, DIGITS, digest) == 1
    history.write(VersionDeleted(collection=DIGITS, version=1, delete_aliases=True))

    assert queries.version_with_digest(history.database, DIGITS, digest) is None
    assert queries.version_with_digest(history.database, MODEL, digest) is None


def test_content_is_known_to_the_whole_project_even_when_it_was_deleted(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.commit(DIGITS, {"a": b"2"})
    digest = _info(history, 0).digest
    history.write(VersionDeleted(collection=DIGITS, version=0, delete_aliases=True))

    assert queries.layers_with_digest(history.database, PROJECT, digest)
    assert queries.layers_with_digest(history.database, "team/vision-2", digest) is None
    assert queries.layers_with_digest(history.database, PROJECT, "0" * 64) is None


# --- collections ------------------------------------------------------------------------------------------------


def test_collections_are_listed_by_name_with_their_live_versions(history: History) -> None:
    _three_versions(history)
    history.write(VersionDeleted(collection=DIGITS, version=0, delete_aliases=True))
    history.commit(MODEL, {"m": b"1"}, type="model")
    history.commit("team/vision-2/digits", {"a": b"1"})
    history.commit("other/vision/digits", {"a": b"1"})

    listed = queries.collections(history.database, PROJECT)

    assert [(info.collection, info.type, info.versions) for info in listed] == [
        (DIGITS, "dataset", 2),
        (MODEL, "model", 1),
    ]
    assert listed[0] == queries.collection_info(history.database, DIGITS)


def test_collections_of_all_projects_are_paged_by_name(history: History) -> None:
    names = [f"team/p{i}/c" for i in range(5)]
    for name in names:
        history.commit(name, {"a": b"1"})

    first = queries.collections(history.database, None, limit=3)
    rest = queries.collections(history.database, None, limit=3, after=first[-1].collection)

    assert [info.collection for info in first + rest] == names


def test_collections_of_a_type_are_listed(history: History) -> None:
    _three_versions(history)
    history.commit(MODEL, {"m": b"1"}, type="model")

    listed = queries.collections(history.database, PROJECT, type="model")

    assert [info.collection for info in listed] == [MODEL]


def test_a_collection_without_a_commit_is_not_there(history: History) -> None:
    history.write(*history.draft(DIGITS, {"a": b"1"})[1])

    assert queries.collection_info(history.database, DIGITS) is None


# --- runs -------------------------------------------------------------------------------------------------------


def test_a_run_is_told_as_its_last_start_described_it(history: History) -> None:
    history.run(NIGHTLY, job_type="prep", state="failed")
    history.run(NIGHTLY, job_type="train", group="g", display_name="n", config='{"lr":1}', tags=("b", "a"), state=None)

    info = queries.run_info(history.database, NIGHTLY)

    assert info is not None
    assert (info.job_type, info.group, info.display_name, info.config) == ("train", "g", "n", '{"lr":1}')
    assert (info.tags, info.state, info.finished_us) == (("b", "a"), "running", None)


@pytest.mark.parametrize("state", ["finished", "failed"])
def test_a_run_that_ended_says_how_and_when(history: History, state: str) -> None:
    history.run(NIGHTLY, state=state)

    info = queries.run_info(history.database, NIGHTLY)

    assert info is not None
    assert info.state == state
    assert info.finished_us is not None
    assert info.finished_us >= info.started_us


def test_a_run_that_never_started_is_not_there(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"}, run=NIGHTLY)

    assert queries.run_info(history.database, NIGHTLY) is None


def test_runs_are_paged_with_the_last_started_first(history: History) -> None:
    names = [f"{PROJECT}/r{i}" for i in range(5)]
    for name in names:
        history.run(name)
    history.run("team/other/r9")

    first = queries.runs(history.database, PROJECT, limit=3)
    rest = queries.runs(history.database, PROJECT, limit=3, after=first[-1].run)

    assert [info.run for info in first + rest] == names[::-1]


def test_runs_are_chosen_by_job_type_and_group(history: History) -> None:
    history.run(f"{PROJECT}/a", job_type="train", group="x")
    history.run(f"{PROJECT}/b", job_type="train", group="y")
    history.run(f"{PROJECT}/c", job_type="prep", group="x")

    trained = queries.runs(history.database, PROJECT, job_type="train")
    both = queries.runs(history.database, PROJECT, job_type="train", group="x")

    assert ([info.run[-1] for info in trained], [info.run[-1] for info in both]) == (["b", "a"], ["a"])


def test_a_page_after_a_run_that_is_not_there_is_an_error_that_names_it(history: History) -> None:
    with pytest.raises(NotFound, match=f"{PROJECT}/gone"):
        queries.runs(history.database, PROJECT, after=f"{PROJECT}/gone")


def test_every_purpose_that_a_run_gave_for_a_use_is_known_once_in_order(history: History) -> None:
    _three_versions(history)
    for run, purpose in (
        (TRAINING, "train"),
        (TRAINING, None),
        (TRAINING, "test"),
        (TRAINING, "train"),
        (NIGHTLY, None),
    ):
        history.write(ArtifactUsed(collection=DIGITS, version=1, run=run, requested="digits:v1", use_as=purpose))

    found = queries.RunInputInfo(DIGITS, 1, TRAINING, ("digits:v1",), ("train", "test"))
    assert queries.inputs_of(history.database, TRAINING) == [found]
    assert queries.input_of(history.database, TRAINING, DIGITS, 1) == found
    assert queries.input_of(history.database, NIGHTLY, DIGITS, 1).use_as == ()
    assert queries.input_of(history.database, NIGHTLY, DIGITS, 2).requested == ()
    many = [TRAINING, NIGHTLY, *(f"{PROJECT}/r{number}" for number in range(300))]
    assert queries.purposes_of(history.database, many) == {(DIGITS, 1, TRAINING): ("train", "test")}


def test_what_a_run_used_and_logged_is_known_from_both_sides(history: History) -> None:
    _three_versions(history)
    for version, requested in ((0, "digits:v0"), (2, "digits:latest"), (2, "digits:v2")):
        history.write(ArtifactUsed(collection=DIGITS, version=version, run=TRAINING, requested=requested))
    history.commit(MODEL, {"m": b"1"}, run=TRAINING)

    assert queries.inputs_of(history.database, TRAINING) == [
        queries.RunInputInfo(DIGITS, 0, TRAINING, ("digits:v0",)),
        queries.RunInputInfo(DIGITS, 2, TRAINING, ("digits:latest", "digits:v2")),
    ]
    assert queries.outputs_of(history.database, TRAINING) == [(MODEL, 0)]
    assert queries.used_by(history.database, DIGITS, 2) == [TRAINING]
    assert queries.used_by(history.database, DIGITS, 1) == []
    assert queries.producers_of(history.database, MODEL, 0) == [TRAINING]


def test_the_first_to_log_a_content_is_named_first(history: History) -> None:
    for run in ("z", "a", "m"):
        history.commit(DIGITS, {"a": b"same"}, run=f"{PROJECT}/{run}")

    assert queries.producers_of(history.database, DIGITS, 0) == [f"{PROJECT}/{run}" for run in "zam"]


def test_uses_can_be_asked_as_of_then(history: History) -> None:
    before = history.commit(DIGITS, {"a": b"1"}, run=NIGHTLY)
    history.write(ArtifactUsed(collection=DIGITS, version=0, run=TRAINING, requested="digits:v0"))
    history.commit(DIGITS, {"a": b"1"}, run=TRAINING)

    assert queries.used_by(history.database, DIGITS, 0, at=before) == []
    assert queries.producers_of(history.database, DIGITS, 0, at=before) == [NIGHTLY]


def test_a_long_list_of_edges_is_cut_at_the_limit(history: History) -> None:
    for i in range(3):
        history.commit(f"{PROJECT}/c{i}", {"a": b"1"}, run=NIGHTLY)

    assert queries.outputs_of(history.database, NIGHTLY, limit=2) == [(f"{PROJECT}/c{i}", 0) for i in range(2)]


# --- for operators ----------------------------------------------------------------------------------------------


def test_health_counts_what_waits_for_somebody(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.write(AliasMoved(collection=DIGITS, alias="best", version=99))
    letter = history.append_undecodable(f"collection:{MODEL}")
    last = history.commit(MODEL, {"m": b"1"})

    waiting = queries.health(history.database)
    resolved = DeadLetterResolved(key=f"collection:{MODEL}", epoch=0, partition=0, offset=letter, decision="skip")
    end = history.write(resolved, by="operator")
    after = queries.health(history.database)

    assert (waiting.rejections, waiting.open_dead_letters, waiting.parked_records) == (1, 1, 3)
    assert (after.rejections, after.open_dead_letters, after.parked_records) == (1, 0, 0)
    assert (waiting.offsets, after.offsets) == ({0: last}, {0: end})
