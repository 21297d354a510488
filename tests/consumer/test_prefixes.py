"""What begins with a text, and what contains it, within what may be read and within bounds."""

from types import SimpleNamespace

import pytest
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import prefixes
from headwater_consumer.queries.deep_search import MetadataFinding, search_file_names, search_metadata_text
from headwater_consumer.queries.prefixes import FOUND_MAX, Prefixed, search_prefix
from headwater_consumer.queries.searching import Finding
from headwater_schemas import digests
from headwater_schemas.events import AliasMoved, VersionDeleted, VersionDescribed

from tests.support.history import History, digest_of

VISION, AUDIO, FOREIGN = "team/vision", "team/audio", "team-b/vision"
RAW, RESNET, SECRET = f"{VISION}/raw", f"{VISION}/ResNet", f"{FOREIGN}/raw"
NO_END = {"limit": 100, "seconds_max": 60.0}


@pytest.fixture
def recorded(history: History) -> History:
    history.commit(
        RAW, {"cat.txt": b"1", "dogs/Cat.png": b"2"}, tags=("good",), metadata='{"rows":17}', run=f"{VISION}/load"
    )
    history.commit(
        RAW, {"new-cat.txt": b"3"}, base=0, removed=("cat.txt",), aliases=("prod",), metadata='{"a":{"who":"Ada"}}'
    )
    history.commit(RESNET, {"weights": b"4"}, tags=("good", "golden"), aliases=("proto",))
    history.commit(SECRET, {"cat.txt": b"1"}, tags=("goofy",), aliases=("prod",), metadata='{"rows":17}')
    history.run(f"{VISION}/train-1")
    history.run(f"{FOREIGN}/train-2")
    return history


def _found(database: Database, text: str, scopes: list[str] | None = None) -> list[tuple[str, str, str, int | None]]:
    found = search_prefix(database, scopes, text, seconds_max=60.0)
    assert found.complete
    return sorted((one.kind, one.text, one.subject, one.version) for one in found.found)


def test_names_of_artifacts_and_runs_are_found_by_how_they_begin(recorded: History) -> None:
    assert _found(recorded.database, "ra") == [("artifact", "raw", SECRET, None), ("artifact", "raw", RAW, None)]
    assert _found(recorded.database, "res") == [("artifact", "ResNet", RESNET, None)]
    assert _found(recorded.database, "train-") == [
        ("run", "train-1", f"{VISION}/train-1", None),
        ("run", "train-2", f"{FOREIGN}/train-2", None),
    ]
    assert _found(recorded.database, "aw") == []
    assert _found(recorded.database, "") == []


def test_aliases_and_tags_are_found_with_their_versions(recorded: History) -> None:
    assert _found(recorded.database, "pro") == [
        ("alias", "prod", SECRET, 0),
        ("alias", "prod", RAW, 1),
        ("alias", "proto", RESNET, 0),
    ]
    assert _found(recorded.database, "goo") == [
        ("tag", "good", RESNET, 0),
        ("tag", "good", RAW, 0),
        ("tag", "goofy", SECRET, 0),
    ]


@pytest.mark.parametrize("scopes", [["team"], [VISION], [AUDIO, VISION]])
def test_what_is_in_other_projects_is_not_found(recorded: History, scopes: list[str]) -> None:
    assert _found(recorded.database, "ra", scopes) == [("artifact", "raw", RAW, None)]
    assert [one[1] for one in _found(recorded.database, "goo", scopes)] == ["good", "good"]
    assert _found(recorded.database, "prod", scopes) == [("alias", "prod", RAW, 1)]
    assert _found(recorded.database, "train", scopes) == [("run", "train-1", f"{VISION}/train-1", None)]
    assert _found(recorded.database, "goof", scopes) == []


def test_nothing_is_found_where_nothing_may_be_read(recorded: History) -> None:
    digest = digests.to_text(digest_of(b"1")).partition(":")[2]
    assert [_found(recorded.database, text, []) for text in ("ra", "prod", "goo", "train", digest)] == [[]] * 5


def test_digests_are_found_by_their_first_digits(recorded: History) -> None:
    text = digests.to_text(digest_of(b"1"))
    algorithm, _, digits = text.partition(":")
    both = [("file", text, FOREIGN, None), ("file", text, VISION, None)]

    for length in (4, 5, len(digits)):
        for typed in (digits[:length], f"{algorithm}:{digits[:length]}"):
            assert [one for one in _found(recorded.database, typed) if one[1] == text] == both
            assert [one for one in _found(recorded.database, typed, [VISION]) if one[1] == text] == both[1:]
    assert [one for one in _found(recorded.database, digits[:3]) if one[0] == "file"] == []  # too few to mean one


def test_a_version_is_found_by_the_first_digits_of_its_digest(recorded: History) -> None:
    info = queries.version_info(recorded.database, RESNET, 0)
    assert info is not None
    digits = info.digest.partition(":")[2]
    for typed in (info.digest[:14], digits[:6], info.digest):
        assert ("version", info.digest, RESNET, 0) in _found(recorded.database, typed, [VISION])
        assert _found(recorded.database, typed, [FOREIGN]) == []


def test_what_is_deleted_or_gone_is_not_found(recorded: History) -> None:
    recorded.write(VersionDeleted(collection=RESNET, version=0, delete_aliases=True))
    recorded.write(AliasMoved(collection=RAW, alias="prod", version=None))
    recorded.write(VersionDescribed(collection=RAW, version=0, tags_removed=("good",)))

    assert _found(recorded.database, "res") == []
    assert _found(recorded.database, "pro", ["team"]) == []
    assert _found(recorded.database, "go", ["team"]) == []


@pytest.mark.parametrize("text", ["%", "_", "a'b", "\\", "́", "🦆", "a/b", "v0"])
def test_texts_are_no_patterns(recorded: History, text: str) -> None:
    assert _found(recorded.database, text) == []


def test_each_kind_gives_a_few_and_there_is_an_end(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(FOUND_MAX + 3):
        history.commit(f"{VISION}/many-{n:02d}", {"a": b"1"}, tags=("manifold",))

    found = search_prefix(history.database, None, "man", seconds_max=60.0).found
    assert [one.kind for one in found].count("artifact") == FOUND_MAX
    assert [one.kind for one in found].count("tag") == FOUND_MAX

    clock = iter(range(1000))
    monkeypatch.setattr(prefixes, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))  # not that of threads
    cut = search_prefix(history.database, None, "man", seconds_max=1.5)
    assert not cut.complete
    assert all(isinstance(one, Prefixed) for one in cut.found)


# --- what contains a text


def test_metadata_is_found_by_a_part_of_a_key_or_value(recorded: History) -> None:
    found = search_metadata_text(recorded.database, None, "ada", **NO_END)
    assert found == ([MetadataFinding(RAW, 1, "a.who", "Ada")], True)
    rows = search_metadata_text(recorded.database, None, "row", **NO_END).found
    assert rows == [MetadataFinding(SECRET, 0, "rows", "17"), MetadataFinding(RAW, 0, "rows", "17")]
    assert search_metadata_text(recorded.database, VISION, "17", **NO_END).found == rows[1:]
    assert search_metadata_text(recorded.database, None, "row", limit=1, seconds_max=60.0) == (rows[:1], False)


def test_files_are_found_by_a_part_of_their_path_in_the_newest_versions(recorded: History) -> None:
    found = search_file_names(recorded.database, None, "CAT", **NO_END)

    assert found.complete
    assert sorted(found.found) == sorted(
        [Finding(RAW, 1, "dogs/Cat.png"), Finding(RAW, 1, "new-cat.txt"), Finding(SECRET, 0, "cat.txt")]
    )
    assert search_file_names(recorded.database, FOREIGN, "cat", **NO_END).found == [Finding(SECRET, 0, "cat.txt")]
    cut = search_file_names(recorded.database, None, "cat", limit=1, seconds_max=60.0)
    assert (len(cut.found), cut.complete) == (1, False)


def test_a_path_that_several_layers_name_is_found_once(history: History) -> None:
    history.commit(RAW, {f"{n:03d}-cat": b"%d" % n for n in range(200)})
    history.commit(RAW, {"000-cat": b"new"}, base=0)

    found = search_file_names(history.database, None, "000-cat", **NO_END)

    assert found.found == [Finding(RAW, 1, "000-cat")]


def test_a_search_ends_when_its_time_is_over(recorded: History) -> None:
    assert not search_file_names(recorded.database, None, "nowhere", limit=10, seconds_max=0.0).complete
    assert not search_metadata_text(recorded.database, None, "nowhere", limit=10, seconds_max=0.0).complete
