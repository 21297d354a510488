"""Questions about what is in versions and where it is stored."""

import random
from collections.abc import Sequence

import pytest
from headwater_consumer import queries
from headwater_consumer.queries import contents as contents_module
from headwater_consumer.queries import entries as entries_module
from headwater_consumer.rows import FILE, REFERENCE
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation, FileRow, Reference, reference_leaf
from headwater_schemas.events import BlobsCondemned, BlobsMoved, EntryAdded, EntryRemoved, Event, Move, VersionCommitted
from headwater_schemas.object_names import file_name

from tests.support.entries import of_rows
from tests.support.histories import BROADCAST
from tests.support.history import History, digest_of, pack_of

PROJECT = "team/vision"
DIGITS = f"{PROJECT}/digits"


@pytest.fixture(params=[3, 5000])
def rows_per_page(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Pages that split everything, and pages that split nothing."""
    monkeypatch.setattr(entries_module, "ROWS_PER_PAGE", request.param)
    return int(request.param)


def _layers(history: History, version: int) -> tuple[int, ...]:
    info = queries.version_info(history.database, DIGITS, version)
    assert info is not None
    return info.layers


def _all(history: History, version: int, prefix: str = "") -> list[queries.EntryInfo]:
    pages = queries.all_entries(history.database, _layers(history, version), prefix=prefix)
    return [entry for page in pages for entry in page]


def _digests_by_path(entries: Sequence[queries.EntryInfo]) -> dict[str, bytes | None]:
    return {entry.path: entry.digest for entry in entries}


def _digests(contents: dict[str, bytes]) -> dict[str, bytes]:
    return {path: digest_of(contents[path]) for path in sorted(contents)}


def _many_changes(history: History) -> list[dict[str, bytes]]:
    """Versions on each other, each some files more, other and fewer; what each must show."""
    rng = random.Random(4)
    contents = {f"d{i % 4}/f{i:02}": b"%d" % i for i in range(64)}
    history.commit(DIGITS, contents)
    expected = [dict(contents)]
    for version in range(12):
        changed = {f"d{rng.randrange(5)}/f{rng.randrange(90):02}": b"v%d-%d" % (version, i) for i in range(2)}
        removed = rng.sample(sorted(set(contents) - set(changed)), 1)
        history.commit(DIGITS, changed, base=version, removed=removed)
        contents = {path: c for path, c in (contents | changed).items() if path not in removed}
        expected.append(dict(contents))
    return expected


# --- listings -----------------------------------------------------------------------------------------------------


def test_each_version_shows_what_it_was_given_whatever_came_on_top(history: History, rows_per_page: int) -> None:
    expected = _many_changes(history)

    assert max(len(_layers(history, version)) for version in range(len(expected))) > 2, "layers must be laid over"
    for version, contents in enumerate(expected):
        assert _digests_by_path(_all(history, version)) == _digests(contents)


def test_a_listing_is_ordered_by_path(history: History, rows_per_page: int) -> None:
    last = len(_many_changes(history)) - 1

    paths = [entry.path for entry in _all(history, last)]

    assert paths == sorted(paths)


def test_a_listing_by_columns_has_the_entries_of_the_version(history: History, rows_per_page: int) -> None:
    last = len(_many_changes(history)) - 1

    pages = list(queries.listing(history.database, _layers(history, last)))

    rows = [row for page in pages for row in zip(*page, strict=True)]
    assert rows == [(entry.path, entry.digest) for entry in _all(history, last)]


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_pages_go_on_after_the_last_path_until_one_is_not_full(history: History, limit: int) -> None:
    last = len(_many_changes(history)) - 1
    layers = _layers(history, last)

    pages = [queries.entries_page(history.database, layers, limit=limit)]
    while len(pages[-1]) == limit:
        pages.append(queries.entries_page(history.database, layers, after=pages[-1][-1].path, limit=limit))

    assert [entry for page in pages for entry in page] == _all(history, last)


def test_a_page_is_full_though_much_of_what_lies_below_was_removed(history: History, rows_per_page: int) -> None:
    contents = {f"f{i:02}": b"%d" % i for i in range(40)}
    history.commit(DIGITS, contents)
    history.commit(DIGITS, base=0, removed=[f"f{i:02}" for i in range(15)])

    page = queries.entries_page(history.database, _layers(history, 1), limit=5)

    assert [entry.path for entry in page] == [f"f{i}" for i in range(15, 20)]


def test_a_folder_shows_what_is_in_it_and_nothing_beside_it(history: History, rows_per_page: int) -> None:
    paths = ("A", "a-b/x", "a/x", "a/y/z", "a0/x", "ab/x", "b/a/x")
    history.commit(DIGITS, {path: path.encode() for path in paths[::2]})
    history.commit(DIGITS, {path: path.encode() for path in paths[1::2]}, base=0)

    assert [entry.path for entry in _all(history, 1)] == list(paths)
    assert [entry.path for entry in _all(history, 1, "a")] == ["a/x", "a/y/z"]
    assert [entry.path for entry in _all(history, 1, "a/y")] == ["a/y/z"]
    assert _all(history, 1, "a/x") == []


def test_paths_are_ordered_by_code_point(history: History) -> None:
    paths = ["Z", "a", "z", "ä", "€", "\uffee", "\U0001f600", "\U0010ffff"]
    history.commit(DIGITS, {path: path.encode() for path in reversed(paths)})

    assert [entry.path for entry in _all(history, 0)] == paths


def test_a_reference_is_listed_with_what_is_known_of_it(history: History) -> None:
    reference = Reference("big.tar", "s3://bucket/big.tar", "etag:1", 1 << 40, "v7")
    history.commit(DIGITS, {"a": b"1"}, references=[reference, Reference("page", "https://example.org")])

    infos = {entry.path: entry for entry in _all(history, 0)}

    assert infos["a"].kind == FILE
    big = infos["big.tar"]
    assert (big.kind, big.uri, big.checksum, big.size, big.object_version) == (
        REFERENCE,
        reference.uri,
        "etag:1",
        1 << 40,
        "v7",
    )
    assert (big.digest, big.object_name, big.object_offset) == (None, None, None)
    assert (infos["page"].size, infos["page"].checksum) == (None, None)
    assert list(queries.listing(history.database, _layers(history, 0))) == [
        (
            ["a", "big.tar", "page"],
            [digest_of(b"1"), reference_leaf(reference), reference_leaf(Reference("page", "https://example.org"))],
        )
    ]


def test_one_entry_is_the_one_that_the_listing_shows(history: History) -> None:
    expected = _many_changes(history)
    last = len(expected) - 1
    everything = set().union(*expected)

    found = {path: queries.entry(history.database, _layers(history, last), path) for path in everything}

    assert {path: entry for path, entry in found.items() if entry is not None} == {
        entry.path: entry for entry in _all(history, last)
    }
    assert queries.entry(history.database, _layers(history, last), "d0") is None


# --- places -------------------------------------------------------------------------------------------------------


def test_content_is_found_where_it_was_stored(history: History) -> None:
    history.commit(DIGITS, {"a": b"one", "b": b"three"})
    digests = [digest_of(content) for content in (b"one", b"three", b"never")]

    places = queries.stored_locations(history.database, PROJECT, [*digests, digests[0]])

    assert places == {
        digests[0]: BlobLocation(pack_of(PROJECT), 0, 3),
        digests[1]: BlobLocation(pack_of(PROJECT), 3, 5),
    }


def test_content_that_only_an_open_draft_holds_is_not_counted_on(history: History) -> None:
    draft, events = history.draft(DIGITS, {"a": b"1"})
    history.write(*events)
    before = queries.stored_locations(history.database, PROJECT, [digest_of(b"1")])
    history.write(VersionCommitted(collection=DIGITS, draft=draft))

    assert before == {}
    assert set(queries.stored_locations(history.database, PROJECT, [digest_of(b"1")])) == {digest_of(b"1")}


def test_content_of_another_project_is_not_found(history: History) -> None:
    history.commit("team/vision-2/digits", {"a": b"1"})
    history.commit("team/visio/digits", {"a": b"1"})
    history.commit(DIGITS, {"a": b"2"})

    assert queries.stored_locations(history.database, PROJECT, [digest_of(b"1")]) == {}
    assert queries.stored_locations(history.database, "team/empty", [digest_of(b"1")]) == {}


def test_more_content_than_one_statement_takes_is_found_among_more_that_is_new(history: History) -> None:
    contents = {f"f{i}": b"%d" % i for i in range(700)}
    history.commit(DIGITS, contents)
    stored, new = ([digest_of(b"%d" % i) for i in numbers] for numbers in (range(700), range(700, 12_000)))

    places = queries.stored_locations(history.database, PROJECT, [*new, *stored])

    assert set(places) == set(stored)
    assert queries.stored_locations(history.database, PROJECT, new) == {}


def test_content_in_a_condemned_object_is_found_in_another_or_not_at_all(history: History) -> None:
    for pack in range(4):
        history.commit(DIGITS, {"a": b"same", f"only-{pack}": b"%d" % pack}, pack=pack)
    condemned = tuple(pack_of(PROJECT, pack) for pack in range(3))
    history.write(BlobsCondemned(broadcast=BROADCAST, project=PROJECT, objects=condemned))
    wanted = [digest_of(content) for content in (b"same", b"0", b"3")]

    places = queries.stored_locations(history.database, PROJECT, wanted)

    assert {digest: place.object_name for digest, place in places.items()} == {
        wanted[0]: pack_of(PROJECT, 3),
        wanted[2]: pack_of(PROJECT, 3),
    }


def test_the_name_of_a_large_content_is_never_given_again(history: History) -> None:
    digest = digest_of(b"large")

    def added(attempt: int) -> Event:
        row = FileRow("a", digest, 5, file_name(PROJECT, digest, attempt), 0)
        return EntryAdded(collection=DIGITS, draft=draft, files=of_rows([row], digests.XXH3))

    assert queries.next_attempts(history.database, PROJECT, [digest]) == {digest: 0}
    draft, events = history.draft(DIGITS)
    history.write(*events, added(9), added(10))
    assert queries.next_attempts(history.database, PROJECT, [digest]) == {digest: 11}, "an open draft has it"

    history.write(
        BlobsCondemned(broadcast=BROADCAST, project=PROJECT, objects=(file_name(PROJECT, digest, 12), pack_of(PROJECT)))
    )

    assert queries.next_attempts(history.database, PROJECT, [digest]) == {digest: 13}, "no entry ever named that one"
    others = [(PROJECT, digest_of(b"other")), ("team/vision-2", digest)]
    for project, other in others:
        assert queries.next_attempts(history.database, project, [other]) == {other: 0}


def test_condemned_objects_of_a_project_are_told_apart(history: History) -> None:
    objects = tuple(pack_of(PROJECT, pack) for pack in range(300))
    foreign = pack_of("team/audio", 0)
    history.write(
        BlobsCondemned(broadcast=BROADCAST, project=PROJECT, objects=objects[::2]),
        BlobsCondemned(broadcast="b" * 32, project="team/audio", objects=(foreign,)),
    )

    found = queries.condemned_objects(history.database, PROJECT, [*objects, foreign])

    assert found == list(objects[::2])
    assert queries.condemned_objects(history.database, PROJECT, []) == []


def test_content_that_was_rewritten_is_found_and_read_where_it_is_now(history: History) -> None:
    old, new, newest = (pack_of(PROJECT, pack) for pack in range(3))
    history.commit(DIGITS, {"a": b"12", "b": b"345", "c": b"6789"})
    history.write(
        BlobsMoved(project=PROJECT, moves=(Move(old, 2, 7, new, 100),)),
        BlobsMoved(project=PROJECT, moves=(Move(new, 103, 4, newest, 0),)),
        BlobsCondemned(broadcast=BROADCAST, project=PROJECT, objects=(old,)),
    )
    expected = {"b": BlobLocation(new, 100, 3), "c": BlobLocation(newest, 0, 4)}

    places = queries.stored_locations(history.database, PROJECT, [digest_of(c) for c in (b"12", b"345", b"6789")])
    shown = {entry.path: (entry.object_name, entry.object_offset, entry.size) for entry in _all(history, 0)}

    assert places == {digest_of(b"345"): expected["b"], digest_of(b"6789"): expected["c"]}
    assert shown == {"a": (old, 0, 2), **expected}, "a version goes on reading from a condemned object"
    one = queries.entry(history.database, _layers(history, 0), "c")
    assert one is not None
    assert (one.object_name, one.object_offset) == (newest, 0)


@pytest.mark.parametrize("contents_per_page", [1, 2, 5000])
def test_every_place_of_every_content_is_listed_once(
    history: History, contents_per_page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents_module, "CONTENTS_PER_PAGE", contents_per_page)
    for pack in range(3):
        history.commit(DIGITS, {"a": b"same", "b": b"%d" % pack, "c": b"same"}, pack=pack)

    listed = [row for page in contents_module.contents(history.database) for row in page]

    expected = {(BlobLocation(pack_of(PROJECT, pack), 0, 4), digest_of(b"same")) for pack in range(3)}
    expected |= {(BlobLocation(pack_of(PROJECT, pack), 5, 4), digest_of(b"same")) for pack in range(3)}
    expected |= {(BlobLocation(pack_of(PROJECT, pack), 4, 1), digest_of(b"%d" % pack)) for pack in range(3)}
    assert set(listed) == expected
    assert len(listed) == len(expected)


# --- which versions hold it ---------------------------------------------------------------------------------------


def test_the_versions_that_hold_a_content_are_found(history: History) -> None:
    history.commit(DIGITS, {"a": b"x", "b": b"y", "copy": b"x"})
    history.commit(DIGITS, {"c": b"z"}, base=0)
    history.commit(DIGITS, {"a": b"new"}, base=1)
    history.commit(DIGITS, base=2, removed=["copy"])
    history.commit(f"{PROJECT}/more", {"m": b"x"})

    found = queries.versions_containing(history.database, digest_of(b"x"), limit=100)

    assert sorted(found) == [
        (DIGITS, 0, "a"),
        (DIGITS, 0, "copy"),
        (DIGITS, 1, "a"),
        (DIGITS, 1, "copy"),
        (DIGITS, 2, "copy"),
        (f"{PROJECT}/more", 0, "m"),
    ]
    assert queries.versions_containing(history.database, digest_of(b"nowhere"), limit=100) == []
    assert queries.versions_containing(history.database, digest_of(b"x"), limit=2) == found[:2]


def test_what_holds_a_content_agrees_with_the_listings(history: History) -> None:
    expected = _many_changes(history)
    digests = {digest_of(content) for contents in expected for content in contents.values()}

    found = {(v, p, d) for d in digests for _, v, p in queries.versions_containing(history.database, d, limit=10_000)}

    assert found == {(v, p, digest_of(c)) for v, contents in enumerate(expected) for p, c in contents.items()}


def test_a_draft_holds_nothing_until_it_is_sealed(history: History) -> None:
    draft, events = history.draft(DIGITS, {"a": b"1", "b": b"1"})
    history.write(*events, EntryRemoved(collection=DIGITS, draft=draft, paths=("b",)))
    assert queries.versions_containing(history.database, digest_of(b"1"), limit=10) == []

    history.write(VersionCommitted(collection=DIGITS, draft=draft))

    assert queries.versions_containing(history.database, digest_of(b"1"), limit=10) == [(DIGITS, 0, "a")]


def test_content_that_was_rewritten_twice_is_followed_beside_content_of_which_nothing_more_is_known(
    history: History,
) -> None:
    old, new, newest = (pack_of(PROJECT, pack) for pack in range(3))
    history.commit(DIGITS, {"a": b"12", "b": b"345"})
    history.commit(DIGITS, {"c": b"6789"}, pack=1)
    history.write(
        BlobsMoved(project=PROJECT, moves=(Move(old, 0, 2, new, 100),)),
        BlobsMoved(project=PROJECT, moves=(Move(new, 100, 2, newest, 7),)),
    )
    wanted = [digest_of(content) for content in (b"12", b"345", b"6789")]

    places = queries.stored_locations(history.database, PROJECT, wanted)

    assert places == {
        wanted[0]: BlobLocation(newest, 7, 2),
        wanted[1]: BlobLocation(old, 2, 3),
        wanted[2]: BlobLocation(new, 0, 4),
    }


def test_the_objects_of_a_version_are_those_where_its_content_is_now(history: History) -> None:
    old, new = pack_of(PROJECT, 0), pack_of(PROJECT, 9)
    history.commit(DIGITS, {"a": b"12", "b": b"345"})
    assert queries.objects_of(history.database, _layers(history, 0)) == {old: 5}

    history.write(BlobsMoved(project=PROJECT, moves=(Move(old, 2, 3, new, 100),)))

    assert queries.objects_of(history.database, _layers(history, 0)) == {old: 2, new: 103}
    assert queries.objects_of(history.database, ()) == {}
