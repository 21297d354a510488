"""When a version was updated last, and how many types, collections and runs there are."""

from headwater_consumer import queries
from headwater_schemas.events import (
    AliasMoved,
    ArtifactUsed,
    VersionDeleted,
    VersionDescribed,
    VersionRecalled,
    VersionRestored,
)

from tests.support.history import History

PROJECT = "team/vision"
DIGITS, MODEL = f"{PROJECT}/digits", f"{PROJECT}/model"
NIGHTLY, TRAINING = f"{PROJECT}/nightly", f"{PROJECT}/training"


def _info(history: History, version: int, *, at: int | None = None) -> queries.VersionInfo:
    info = queries.version_info(history.database, DIGITS, version, at=at)
    assert info is not None
    return info


def _three_versions(history: History) -> None:
    for content in (b"0", b"1", b"2"):
        history.commit(DIGITS, {"a": content})


def test_a_version_is_updated_by_whatever_changes_what_is_said_about_it(history: History) -> None:
    _three_versions(history)
    created = [_info(history, version).created_us for version in range(3)]
    assert _info(history, 2).updated_us == created[2]
    assert _info(history, 0).updated_us == created[1], "`latest` went on"

    last = created[1]
    for event in (
        AliasMoved(collection=DIGITS, alias="best", version=0),
        VersionDescribed(collection=DIGITS, version=0, description="first"),
        VersionDescribed(collection=DIGITS, version=0, metadata='{"n":1}'),
        VersionDescribed(collection=DIGITS, version=0, tags_added=("t",)),
        VersionDescribed(collection=DIGITS, version=0, ttl_seconds=60),
        VersionRecalled(collection=DIGITS, version=0, reason="bad"),
        VersionDeleted(collection=DIGITS, version=0, delete_aliases=True),
        VersionRestored(collection=DIGITS, version=0),
    ):
        history.write(event)
        assert _info(history, 0).updated_us > last, event
        last = _info(history, 0).updated_us
        history.write(event)
        assert _info(history, 0).updated_us == last, "the same again changes nothing"
        assert _info(history, 0).created_us == created[0]


def test_an_alias_that_moves_away_updates_the_version_that_it_leaves(history: History) -> None:
    _three_versions(history)
    history.write(AliasMoved(collection=DIGITS, alias="best", version=0))
    before = [_info(history, version).updated_us for version in range(3)]

    position = history.write(AliasMoved(collection=DIGITS, alias="best", version=1))
    history.write(ArtifactUsed(collection=DIGITS, version=2, run=f"{PROJECT}/r", requested="digits:v2"))

    after = [_info(history, version).updated_us for version in range(3)]
    assert [now > then for now, then in zip(after, before, strict=True)] == [True, True, False]
    assert _info(history, 0, at=position - 1).updated_us == before[0]
    assert _info(history, 0, at=position).updated_us == after[0]


def test_content_that_is_logged_again_updates_its_version_where_something_new_is_said(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"}, description="first")
    created_us = _info(history, 0).created_us

    history.commit(DIGITS, {"a": b"1"}, description="first")
    same = _info(history, 0).updated_us
    history.commit(DIGITS, {"a": b"1"}, tags=["t"])

    assert same == created_us
    assert _info(history, 0).updated_us > created_us
    assert _info(history, 0).draft == "own:draft-0"


def test_types_collections_and_runs_are_counted_as_they_are_listed(history: History) -> None:
    for name, of_type in ((DIGITS, "dataset"), (MODEL, "model"), (NIGHTLY, "dataset"), (TRAINING, "report")):
        history.commit(name, {"a": name.encode()}, type=of_type)
    history.commit("team/other/x", {"a": b"1"}, type="other")
    for collection in (NIGHTLY, TRAINING):
        history.write(VersionDeleted(collection=collection, version=0, delete_aliases=True))
    for n, job_type in enumerate(("train", "train", "test")):
        history.run(f"{PROJECT}/r{n}", job_type=job_type, group="g" if n else None)

    assert queries.artifact_types(history.database, PROJECT) == ["dataset", "model"]
    assert queries.artifact_types(history.database, PROJECT, limit=1) == ["dataset"]
    assert queries.artifact_types(history.database, PROJECT, after="dataset") == ["model"]
    assert [info.collection for info in queries.collections(history.database, PROJECT)] == [DIGITS, MODEL]
    assert queries.count_collections(history.database, PROJECT) == 2
    assert queries.count_collections(history.database, PROJECT, type="dataset") == 1
    nightly = queries.collection_info(history.database, NIGHTLY)
    assert nightly is not None
    assert nightly.versions == 0
    assert queries.count_runs(history.database, PROJECT) == 3
    assert queries.count_runs(history.database, PROJECT, job_type="train") == 2
    assert queries.count_runs(history.database, PROJECT, job_type="train", group="g") == 1
    assert queries.count_runs(history.database, "team/other") == 0
