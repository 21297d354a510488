"""What lists and pictures of collections are made of: overviews, moves of aliases, metadata over versions, and uses."""

import pytest
from headwater_consumer.queries import metadata_series as series
from headwater_consumer.queries.alias_history import alias_moves, alias_names
from headwater_consumer.queries.metadata_series import metadata_series
from headwater_consumer.queries.overviews import ALIASES_MAX, RECENT_EVENTS, Newest, collection_overviews
from headwater_consumer.queries.uses import count_runs_of_version, runs_of_version
from headwater_schemas.events import AliasMoved, ArtifactUsed, VersionDeleted, VersionDescribed
from headwater_schemas.paths import range_of_folder

from tests.support.history import History

PROJECT, OTHER = "team/vision", "team/audio"
DIGITS, MODEL, GONE = f"{PROJECT}/digits", f"{PROJECT}/model", f"{PROJECT}/gone"


def _moved(history: History, alias: str, version: int | None, by: str = "ada") -> int:
    return history.write(AliasMoved(collection=DIGITS, alias=alias, version=version), by=by)


# --- overviews


def test_an_overview_has_the_newest_live_version_the_aliases_and_the_last_change(history: History) -> None:
    history.commit(DIGITS, {"a": b"12"})
    history.commit(DIGITS, {"a": b"1", "b": b"234"}, aliases=("prod",))
    history.commit(DIGITS, {"a": b"3"})
    history.write(VersionDeleted(collection=DIGITS, version=2, delete_aliases=True))
    history.commit(GONE, {"x": b"1"})
    history.write(VersionDeleted(collection=GONE, version=0, delete_aliases=True))

    found = collection_overviews(history.database, [DIGITS, GONE, f"{PROJECT}/none"])

    assert found.keys() == {DIGITS, GONE}
    newest = found[DIGITS].newest
    assert newest is not None
    assert newest[:3] == Newest(1, 2, 4, 0)[:3]
    assert found[DIGITS].aliases == (("latest", 1), ("prod", 1))
    assert (found[GONE].newest, found[GONE].aliases) == (None, ())
    changes = [found[name].changed_us for name in (DIGITS, GONE)]
    assert all(changed is not None and changed >= newest.created_us for changed in changes)


def test_a_use_is_no_change_of_a_collection(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    before = collection_overviews(history.database, [DIGITS])[DIGITS].changed_us
    for n in range(RECENT_EVENTS - 2):
        history.write(ArtifactUsed(collection=DIGITS, version=0, run=f"{OTHER}/r{n}", requested="digits:v0"))
    assert collection_overviews(history.database, [DIGITS])[DIGITS].changed_us == before

    for n in range(2):
        history.write(ArtifactUsed(collection=DIGITS, version=0, run=f"{OTHER}/s{n}", requested="digits:v0"))
    assert collection_overviews(history.database, [DIGITS])[DIGITS].changed_us is None


def test_an_overview_counts_aliases_that_it_does_not_name(history: History) -> None:
    names = tuple(f"a{n:02d}" for n in range(ALIASES_MAX + 3))
    history.commit(DIGITS, {"a": b"1"}, aliases=names)

    found = collection_overviews(history.database, [DIGITS])[DIGITS]

    assert (len(found.aliases), found.alias_count) == (ALIASES_MAX, len(names) + 1)


# --- moves of aliases


def test_the_moves_of_an_alias_say_who_moved_it_from_where_and_until_when(history: History) -> None:
    history.commit(DIGITS, {"a": b"0"})
    history.commit(DIGITS, {"a": b"1"})
    first = _moved(history, "prod", 0)
    second = _moved(history, "prod", 1, by="bob")
    removed = _moved(history, "prod", None)
    last = _moved(history, "prod", 0)

    moves = alias_moves(history.database, DIGITS, "prod")

    assert [(one.version, one.before, one.author, one.position, one.until) for one in moves] == [
        (0, None, "ada", last, None),
        (None, 1, "ada", removed, last),
        (1, 0, "bob", second, removed),
        (0, None, "ada", first, second),
    ]
    assert [one.time_us for one in moves] == sorted((one.time_us for one in moves), reverse=True)
    assert alias_moves(history.database, DIGITS, "none") == []


def test_moves_come_in_pages_whichever_move_a_page_ends_with(history: History) -> None:
    history.commit(DIGITS, {"a": b"0"})
    for version in (0, None, 0, None, 0):
        _moved(history, "prod", version)
    everything = alias_moves(history.database, DIGITS, "prod")
    assert len(everything) == 5

    paged, before = [], None
    while page := alias_moves(history.database, DIGITS, "prod", before=before, limit=1):
        paged += page
        before = page[-1].position

    assert paged == everything


def test_names_of_aliases_are_those_that_ever_were(history: History) -> None:
    history.commit(DIGITS, {"a": b"0"}, aliases=("b", "a"))
    _moved(history, "a", None)

    assert alias_names(history.database, DIGITS) == ["a", "b", "latest"]
    assert alias_names(history.database, DIGITS, limit=2) == ["a", "b"]
    assert alias_names(history.database, DIGITS, after="b") == ["latest"]
    assert alias_names(history.database, MODEL) == []


# --- metadata


def test_metadata_comes_for_each_live_version_the_newest_first(history: History) -> None:
    for n in range(4):
        history.commit(DIGITS, {"a": b"%d" % n}, metadata=None if n == 1 else f'{{"n":{n}}}')
    history.write(VersionDescribed(collection=DIGITS, version=0, metadata='{"n":7}'))
    history.write(VersionDeleted(collection=DIGITS, version=2))

    found = metadata_series(history.database, DIGITS)

    assert [(one.version, one.metadata) for one in found.versions] == [(3, '{"n":3}'), (1, "{}"), (0, '{"n":7}')]
    assert found.complete
    rest = metadata_series(history.database, DIGITS, after=3, limit=1)
    assert [one.version for one in rest.versions] == [1]


def test_metadata_that_is_too_long_is_cut_between_versions(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "AT_ONCE", 2)
    monkeypatch.setattr(series, "CHARACTERS_MAX", 30)
    for n in range(6):
        history.commit(DIGITS, {"a": b"%d" % n}, metadata='{"text":"0123456789"}')

    found = metadata_series(history.database, DIGITS)

    assert [one.version for one in found.versions] == [5, 4]
    assert not found.complete


# --- uses


def test_users_and_producers_are_told_and_counted_within_projects(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"}, run=f"{PROJECT}/made")
    for run in (f"{PROJECT}/b", f"{OTHER}/a", f"{PROJECT}/a", "team-x/vision/z"):
        for requested in ("digits:v0", "digits:latest"):
            history.write(ArtifactUsed(collection=DIGITS, version=0, run=run, requested=requested))
    within = [range_of_folder(PROJECT)]

    used = {"used": True, "limit": 10}

    assert runs_of_version(history.database, DIGITS, 0, **used) == sorted(
        [f"{PROJECT}/a", f"{PROJECT}/b", f"{OTHER}/a", "team-x/vision/z"]
    )
    assert runs_of_version(history.database, DIGITS, 0, within, **used) == [f"{PROJECT}/a", f"{PROJECT}/b"]
    assert runs_of_version(history.database, DIGITS, 0, within, after=f"{PROJECT}/a", **used) == [f"{PROJECT}/b"]
    assert runs_of_version(history.database, DIGITS, 0, [], **used) == []
    assert runs_of_version(history.database, DIGITS, 0, used=False, limit=10) == [f"{PROJECT}/made"]
    both = sorted(map(range_of_folder, (PROJECT, OTHER)))
    assert count_runs_of_version(history.database, DIGITS, 0, both, **used) == 3
    assert count_runs_of_version(history.database, DIGITS, 0, both, used=True, limit=2) == 2
    assert len(runs_of_version(history.database, DIGITS, 0, both, used=True, limit=2)) == 2
