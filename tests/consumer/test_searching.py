"""Search, levels of a listing, aliases, projects and steps of a lineage, as the projection answers them."""

from headwater_consumer import queries
from headwater_consumer.queries import Edge, Finding
from headwater_schemas.events import ArtifactUsed, VersionDeleted

from tests.support.history import History, digest_of

RAW, MODEL, OTHER = "team/vision/raw", "team/vision/model", "team-b/audio/raw"
LOAD, FIT = "team/vision/load", "team/vision/fit"


def _recorded(history: History) -> None:
    history.commit(RAW, {"a": b"1", "b/c": b"2"}, tags=("good",), metadata='{"rows":1,"who":"ada"}', run=LOAD)
    history.commit(RAW, {"a": b"3"}, tags=("good",), metadata='{"rows":true}')
    history.write(ArtifactUsed(collection=RAW, version=0, run=FIT, requested="raw:v0"))
    history.commit(MODEL, {"m": b"4"}, run=FIT, aliases=("prod",))
    history.commit(OTHER, {"x": b"1"}, tags=("good",), metadata='{"rows":1}')


def _versions(found: queries.Findings) -> list[tuple[str, int | None]]:
    assert found.complete
    return [(one.collection, one.version) for one in found.found]


def test_names_are_found_by_a_part_in_either_case(history: History) -> None:
    _recorded(history)
    history.write(VersionDeleted(collection=MODEL, version=0, delete_aliases=True))
    assert _versions(queries.search_names(history.database, None, "RA")) == [(OTHER, None), (RAW, None)]
    assert _versions(queries.search_names(history.database, "team", "ra")) == [(RAW, None)]
    assert _versions(queries.search_names(history.database, None, "model")) == []  # all of its versions are deleted
    assert _versions(queries.search_names(history.database, None, "%")) == []  # no pattern


def test_tags_are_found_in_a_scope_without_deleted_versions(history: History) -> None:
    _recorded(history)
    assert _versions(queries.search_tags(history.database, None, "good")) == [(OTHER, 0), (RAW, 0), (RAW, 1)]
    history.write(VersionDeleted(collection=RAW, version=0))
    assert _versions(queries.search_tags(history.database, "team/vision", "good")) == [(RAW, 1)]
    assert _versions(queries.search_tags(history.database, "team/vis", "good")) == []


def test_metadata_is_found_by_value_and_type(history: History) -> None:
    _recorded(history)
    assert _versions(queries.search_metadata(history.database, None, "rows", "1")) == [(OTHER, 0), (RAW, 0)]
    assert _versions(queries.search_metadata(history.database, "team", "rows", "true")) == [(RAW, 1)]
    assert _versions(queries.search_metadata(history.database, "team", "who", "ada")) == [(RAW, 0)]
    history.write(VersionDeleted(collection=RAW, version=0))
    assert _versions(queries.search_metadata(history.database, "team", "who", "ada")) == []


def test_content_is_found_by_digest_in_a_scope(history: History) -> None:
    _recorded(history)
    found = queries.search_content(history.database, None, digest_of(b"1"))
    assert sorted(found.found) == [Finding(OTHER, 0, "x"), Finding(RAW, 0, "a")]
    found = queries.search_content(history.database, "team/vision", digest_of(b"1"))
    assert found.found == [Finding(RAW, 0, "a")]
    info = queries.version_info(history.database, RAW, 0)
    assert info is not None
    assert _versions(queries.search_version_digest(history.database, None, info.digest)) == [(RAW, 0)]
    history.write(VersionDeleted(collection=RAW, version=0))
    assert queries.search_content(history.database, "team", digest_of(b"1")).found == []
    assert _versions(queries.search_version_digest(history.database, None, info.digest)) == []


def test_a_level_steps_over_what_is_in_its_folders(history: History) -> None:
    many = {f"many/{number:04d}": b"%d" % number for number in range(1200)}
    history.commit(RAW, {"a": b"1", **many, "many.txt": b"2", "z/1": b"3", "z/2": b"4"})
    info = queries.version_info(history.database, RAW, 0)
    assert info is not None
    level = queries.level(history.database, info.layers)
    assert [(item.path, item.entry is None) for item in level] == [
        ("a", False),
        ("many.txt", False),
        ("many", True),
        ("z", True),
    ]
    rest = queries.level(history.database, info.layers, after=queries.level_key(level[2]))
    assert [item.path for item in rest] == ["z"]
    below = queries.level(history.database, info.layers, prefix="many", limit=2)
    assert [item.path for item in below] == ["many/0000", "many/0001"]


def test_aliases_are_listed_without_those_on_deleted_versions(history: History) -> None:
    _recorded(history)
    assert queries.aliases_of(history.database, MODEL) == [("latest", 0), ("prod", 0)]
    assert queries.aliases_of(history.database, MODEL, after="latest") == [("prod", 0)]
    history.write(VersionDeleted(collection=MODEL, version=0, delete_aliases=True))
    assert queries.aliases_of(history.database, MODEL) == []


def test_entities_come_each_once_whatever_their_names_begin_with(history: History) -> None:
    for name in ("team/a/x", "team/b/x", "team-b/a/x", "team0/a/x", "t/a/x"):
        history.commit(name, {"a": b"1"})
    everyone = queries.entities(history.database)
    assert sorted(everyone) == ["t", "team", "team-b", "team0"]
    paged = [
        one for after in (None, *everyone[:-1]) for one in queries.entities(history.database, after=after, limit=1)
    ]
    assert paged == everyone


def test_a_project_is_there_once_anything_of_it_is(history: History) -> None:
    assert queries.project_info(history.database, "team/vision") is None
    history.run(FIT)
    found = queries.project_info(history.database, "team/vision")
    assert found is not None
    assert (found.artifacts, found.runs) == (0, 1)


def test_a_step_of_a_lineage_can_be_taken_as_of_a_time(history: History) -> None:
    _recorded(history)
    database = history.database
    logged = queries.runs_of_versions(database, [(RAW, 0), (MODEL, 0), (RAW, 1)], used=False, limit=10)
    assert logged == [Edge(MODEL, 0, FIT, False), Edge(RAW, 0, LOAD, False)]
    assert queries.runs_of_versions(database, [(RAW, 0)], used=True, limit=10) == [Edge(RAW, 0, FIT, True)]
    assert queries.versions_of_runs(database, [FIT], used=True, limit=10) == [Edge(RAW, 0, FIT, True)]
    info = queries.version_info(database, RAW, 0)
    assert info is not None
    then = {"as_of_us": info.append_us, "limit": 10}
    assert queries.runs_of_versions(database, [(RAW, 0)], used=False, **then) == [Edge(RAW, 0, LOAD, False)]
    before = {"as_of_us": info.append_us - 1, "limit": 10}
    assert queries.runs_of_versions(database, [(RAW, 0)], used=False, **before) == []
