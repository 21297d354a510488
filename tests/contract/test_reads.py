"""The promises of the reading side, for each adapter: the same answers and errors, and pages that leave nothing out."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from headwater_consumer.queries import EntryInfo, Lineage
from headwater_consumer.queries.reads import Reads, all_queries
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import HeadwaterError, InvalidName, NotFound, StoreUnavailable
from headwater_schemas.keys import collection_key
from headwater_schemas.object_names import lost_label, place_label

from tests.contract.reads import ADAPTERS, open_reads
from tests.support import read_history
from tests.support.history import digest_of, pack_of
from tests.support.modes import stores_recycled
from tests.support.read_history import (
    ABROAD,
    ADA,
    AUDIO,
    BERT,
    COLLECT,
    COMMIT,
    CONTENT,
    FOREIGN,
    IMAGES,
    LARGE,
    LARGE_ENTRIES,
    LISTEN,
    LOST,
    MODEL,
    OPEN,
    PARTS,
    SOUNDS,
    TOKEN,
    TRAIN,
    VISION,
    WEBHOOK,
)

Ask = Callable[[Reads], Any]


@pytest.fixture(scope="module")
def folder(module_path: Path) -> Path:
    folder = module_path / "reads"
    read_history.record(folder)
    return folder


@pytest.fixture(scope="module", params=ADAPTERS)
def reads(request: pytest.FixtureRequest, folder: Path) -> Iterator[Reads]:
    with stores_recycled(), open_reads(request.param, folder) as reads:
        yield reads


@pytest.fixture(scope="module")
def other(folder: Path) -> Iterator[Reads]:
    """The adapter that the others are compared with."""
    with open_reads("sqlite", folder) as reads:
        yield reads


def layers(reads: Reads, collection: str = IMAGES, version: int = 1) -> tuple[int, ...]:
    info = reads.version_info(collection, version)
    assert info is not None
    return info.layers


def images(reads: Reads) -> tuple[int, ...]:
    return layers(reads)


QUESTIONS: dict[str, list[Ask]] = {
    "artifact_types": [lambda r: r.artifact_types(VISION), lambda r: r.artifact_types(VISION, after="dataset")],
    "collection_info": [lambda r: r.collection_info(IMAGES), lambda r: r.collection_info(f"{VISION}/nothing")],
    "collection_names": [lambda r: r.collection_names(VISION)],
    "collections": [
        lambda r: r.collections(VISION),
        lambda r: r.collections(None, after=IMAGES, limit=2),
        lambda r: r.collections(VISION, type="model"),
    ],
    "collections_named": [lambda r: r.collections_named("images")],
    "count_artifact_types": [lambda r: r.count_artifact_types(VISION)],
    "count_collections": [lambda r: r.count_collections(VISION, type="dataset")],
    "count_versions": [lambda r: r.count_versions(IMAGES, after=9)],
    "contested_paths": [lambda r: r.contested_paths(PARTS, 0), lambda r: r.contested_paths(PARTS, 0, after="a")],
    "resolve_version": [
        lambda r: r.resolve_version(IMAGES, "good"),
        lambda r: r.resolve_version(IMAGES, "v1"),
        lambda r: r.resolve_version(IMAGES, "v2"),
    ],
    "version_info": [
        lambda r: r.version_info(IMAGES, 0),
        lambda r: r.version_info(IMAGES, 2),
        lambda r: r.version_info(IMAGES, 0, at=r.version_info(IMAGES, 0).layers[0] + 3),  # type: ignore[union-attr]
        lambda r: r.version_info(f"{VISION}/nothing", 0),
    ],
    "version_infos": [
        lambda r: r.version_infos(IMAGES),
        lambda r: r.version_infos(IMAGES, after=0, newest_first=False),
    ],
    "version_named": [lambda r: r.version_named(IMAGES, "good"), lambda r: r.version_named(IMAGES, "v2")],
    "version_with_digest": [lambda r: r.version_with_digest(IMAGES, r.version_info(IMAGES, 1).digest)],  # type: ignore[union-attr]
    "all_entries": [
        lambda r: list(r.all_entries(images(r))),
        lambda r: list(r.all_entries(images(r), prefix="dogs")),
        lambda r: list(r.all_entries(images(r), after="cat.txt")),
        lambda r: list(r.all_entries(())),
    ],
    "diff_layers": [
        lambda r: list(r.diff_layers(layers(r, version=0), images(r))),
        lambda r: list(r.diff_layers(images(r), layers(r, FOREIGN, 0), after="cat.txt")),
    ],
    "entries_of": [
        lambda r: r.entries_of(images(r), ["labels.csv", "nothing", "cat.txt"]),
        lambda r: r.entries_of((), []),
    ],
    "entries_page": [lambda r: r.entries_page(images(r), after="cat.txt", limit=1)],
    "entry": [lambda r: r.entry(images(r), "cat.txt"), lambda r: r.entry(images(r), "dogs/b/c.txt")],
    "has_folder": [lambda r: r.has_folder(images(r), "dogs"), lambda r: r.has_folder(images(r), "dogs/b")],
    "listing": [lambda r: list(r.listing(images(r))), lambda r: list(r.listing(images(r), after="dogs/a.txt"))],
    "path_conflict": [
        lambda r: r.path_conflict(images(r), ["new", "dogs"]),
        lambda r: r.path_conflict(images(r), ["dogs"], without_folders=["dogs"]),
    ],
    "stored_path": [lambda r: r.stored_path(images(r), "dogs")],
    "layers_with_digest": [lambda r: r.layers_with_digest(VISION, r.version_info(IMAGES, 2).digest)],  # type: ignore[union-attr]
    "current_places": [lambda r: r.current_places([BlobLocation(pack_of(VISION, 8), 0, 3)])],
    "condemned_objects": [lambda r: r.condemned_objects(VISION, [pack_of(VISION, 8), pack_of(VISION, 9)])],
    "next_attempts": [lambda r: r.next_attempts(VISION, [digest_of(CONTENT)])],
    "objects_of": [lambda r: r.objects_of(images(r)), lambda r: r.objects_of(())],
    "reclaimable_bytes": [lambda r: r.reclaimable_bytes(IMAGES, [0, 1])],
    "numbered_collections": [
        lambda r: r.numbered_collections(VISION),
        lambda r: r.numbered_collections(VISION, after=IMAGES, limit=1),
    ],
    "kept_usage": [lambda r: r.kept_usage(VISION, limit=10), lambda r: r.kept_usage(VISION, collection=IMAGES)],
    "version_usages": [lambda r: r.version_usages(IMAGES), lambda r: r.version_usages(IMAGES, after=0, limit=1)],
    "stored_locations": [
        lambda r: r.stored_locations(VISION, [digest_of(CONTENT), digest_of(b"a dog"), digest_of(b"?")])
    ],
    "versions_referencing": [lambda r: r.versions_referencing("https://example.com", limit=10)],
    "chosen_algorithm": [lambda r: r.chosen_algorithm(AUDIO), lambda r: r.chosen_algorithm("no/body")],
    "count_projects": [lambda r: r.count_projects(), lambda r: r.count_projects(entity="team", after=AUDIO)],
    "draft_info": [lambda r: r.draft_info(PARTS, OPEN), lambda r: r.draft_info(PARTS, "shared:parts")],
    "first_rejection": [lambda r: r.first_rejection(ADA, collection_key(LOST), 0, 9)],
    "open_drafts": [lambda r: r.open_drafts(VISION), lambda r: r.open_drafts(None, after=(SOUNDS, OPEN))],
    "project_infos": [lambda r: r.project_infos(), lambda r: r.project_infos(entity="team", after=AUDIO)],
    "ending_of": [lambda r: r.ending_of(IMAGES, 2), lambda r: r.ending_of(IMAGES, 1)],
    "collections_with_ttl": [lambda r: r.collections_with_ttl(VISION), lambda r: r.collections_with_ttl(AUDIO)],
    "restorations": [
        lambda r: r.restorations(IMAGES, first=0, last=9),
        lambda r: r.restorations(IMAGES, first=2, last=9),
    ],
    "retention_changes": [
        lambda r: r.retention_changes(VISION),
        lambda r: [r.retention_changes(VISION, before=one.position) for one in r.retention_changes(VISION)[:1]],
        lambda r: r.retention_changes(VISION, limit=1),
    ],
    "retention_policies": [lambda r: r.retention_policies(VISION), lambda r: r.retention_policies(VISION, after="*")],
    "project_settings": [lambda r: r.project_settings(AUDIO), lambda r: r.project_settings("no/body")],
    "ancestry": [lambda r: r.ancestry(SOUNDS, 0), lambda r: r.ancestry(SOUNDS, 0, nodes_max=1).truncated],
    "capture_of": [lambda r: r.capture_of(COLLECT), lambda r: r.capture_of(TRAIN)],
    "count_runs": [lambda r: r.count_runs(VISION), lambda r: r.count_runs(VISION, job_type="train")],
    "dependents": [lambda r: r.dependents(IMAGES, 0)],
    "descendants": [lambda r: r.descendants(IMAGES, 0)],
    "input_of": [lambda r: r.input_of(TRAIN, IMAGES, 0), lambda r: r.input_of(TRAIN, MODEL, 0)],
    "inputs_of": [lambda r: r.inputs_of(LISTEN), lambda r: r.inputs_of(LISTEN, after=(SOUNDS, 0))],
    "outputs_of": [lambda r: r.outputs_of(ABROAD), lambda r: r.outputs_of(ABROAD, after=(FOREIGN, 0), limit=1)],
    "purposes_of": [lambda r: r.purposes_of({TRAIN, LISTEN}), lambda r: r.purposes_of([])],
    "run_info": [lambda r: r.run_info(COLLECT), lambda r: r.run_info(ABROAD), lambda r: r.run_info(f"{VISION}/no")],
    "runs": [
        lambda r: r.runs(VISION, limit=2),
        lambda r: r.runs(VISION, after=TRAIN),
        lambda r: r.runs(VISION, after=(r.run_info(TRAIN).started_us, 1 << 60)),  # type: ignore[union-attr]
        lambda r: r.runs(VISION, commit=COMMIT[:8]),
    ],
    "runs_named": [lambda r: r.runs_named("train")],
    "used_by": [lambda r: r.used_by(IMAGES, 0), lambda r: r.used_by(IMAGES, 0, after=LISTEN, limit=1)],
    "history_of": [lambda r: r.history_of(IMAGES, version=0), lambda r: r.history_of(IMAGES, limit=2)],
    "grants": [lambda r: r.grants("team"), lambda r: r.grants(VISION, after=("team", BERT))],
    "has_role_within": [lambda r: r.has_role_within("team", BERT), lambda r: r.has_role_within("crew", BERT)],
    "role_granted": [lambda r: r.role_granted(VISION, BERT)],
    "subscription_with_id": [lambda r: r.subscription_with_id(WEBHOOK), lambda r: r.subscription_with_id("no")],
    "subscriptions": [lambda r: r.subscriptions("team")],
    "token_with_id": [lambda r: r.token_with_id(TOKEN[:16]), lambda r: r.token_with_id("0" * 16)],
    "tokens": [lambda r: r.tokens(VISION)],
}


KEPT_APART = {"kept_usage"}  # by a server, and nothing was kept
ABOUT_OBJECTS = {"objects_of", "stored_locations"}  # a server asks its store, which has none of them


def alike(found: Any) -> Any:
    """What all adapters tell. Where content is, a server keeps for itself; each database has its own order of edges."""
    match found:
        case Lineage():
            return replace(found, rows=tuple(sorted(found.edges)))
        case EntryInfo():
            return found._replace(object_name=None, object_offset=None)
        case BlobLocation():
            return found._replace(object_name="", offset=0)
        case list():
            return [alike(one) for one in found]
        case dict():
            return {key: alike(value) for key, value in found.items()}
        case _:
            return found


def test_every_query_is_asked_here() -> None:
    assert QUESTIONS.keys() == all_queries().keys()


@pytest.mark.parametrize("name", sorted(QUESTIONS.keys() - ABOUT_OBJECTS))
def test_every_adapter_answers_the_same(reads: Reads, other: Reads, name: str) -> None:
    answers = [alike(ask(reads)) for ask in QUESTIONS[name]]
    assert answers == [alike(ask(other)) for ask in QUESTIONS[name]]
    assert any(answers) or name in KEPT_APART  # or nothing was asked about what is there


@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_an_answer_is_of_the_types_that_the_query_names(reads: Reads, other: Reads, name: str) -> None:
    for ask in QUESTIONS[name]:
        found, expected = ask(reads), ask(other)
        assert type(found) is type(expected)
        if isinstance(found, list | tuple):
            assert list(map(type, found)) == list(map(type, expected))


# --- pages --------------------------------------------------------------------------------------------------------


def test_the_pages_of_a_large_version_have_every_path_once_and_in_order(reads: Reads) -> None:
    paths = [f"{number:05}.txt" for number in range(LARGE_ENTRIES)]
    first, second = layers(reads, LARGE, 0), layers(reads, LARGE, 1)
    assert [info.path for page in reads.all_entries(first) for info in page] == paths
    changed = [path for path in [*paths, "new.txt"] if path != "00001.txt"]
    assert [path for page, _ in reads.listing(second) for path in page] == changed
    assert [one.path for page in reads.diff_layers(first, second) for one in page] == [
        "00000.txt",
        "00001.txt",
        "new.txt",
    ]
    everything = [one for page in reads.diff_layers((), first) for one in page]
    assert [one.path for one in everything] == paths
    assert {one.before for one in everything} == {None}


def test_no_page_is_empty(reads: Reads) -> None:
    assert list(reads.all_entries(layers(reads, LARGE, 0), prefix="nothing")) == []
    assert all(reads.all_entries(layers(reads, LARGE, 1)))


def test_many_paths_are_looked_up_at_once(reads: Reads) -> None:
    wanted = [f"{number:05}.txt" for number in range(-1, 3 * LARGE_ENTRIES)]
    found = reads.entries_of(layers(reads, LARGE, 1), wanted)
    assert list(found) == [f"{number:05}.txt" for number in range(LARGE_ENTRIES) if number != 1]
    clear = [f"a/{path}" for path in wanted]
    assert reads.path_conflict(layers(reads, LARGE, 1), clear) is None
    assert reads.path_conflict(layers(reads, LARGE, 1), [*clear, "new.txt/b"]) == ("new.txt/b", "new.txt")


# --- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "ask"),
    [
        (InvalidName, lambda r: r.runs(VISION, commit="not hexadecimal")),
        (InvalidName, lambda r: r.token_with_id("no id")),
        (NotFound, lambda r: r.runs(VISION, after=f"{VISION}/nobody")),
    ],
)
def test_an_error_is_the_same_whoever_answers(reads: Reads, other: Reads, kind: type[HeadwaterError], ask: Ask) -> None:
    with pytest.raises(kind) as refused:
        ask(reads)
    with pytest.raises(kind) as expected:
        ask(other)
    assert (type(refused.value), str(refused.value)) == (kind, str(expected.value))


def test_layers_that_are_not_there_are_an_error_and_no_empty_version(reads: Reads) -> None:
    with pytest.raises(StoreUnavailable, match="has lost its last transactions"):
        list(reads.all_entries((1 << 40,)))


# --- places -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reads", ["http"], indirect=True)
def test_a_server_tells_nobody_where_content_is(reads: Reads) -> None:
    entry = reads.entry(images(reads), "cat.txt")
    assert entry is not None
    assert (entry.object_name, entry.object_offset) == (place_label(VISION), 0)


@pytest.mark.parametrize("reads", ["http"], indirect=True)
def test_a_server_says_whether_its_store_lacks_an_object_of_a_version(reads: Reads) -> None:
    assert reads.objects_of(images(reads)) == {lost_label(VISION): 1}  # nobody wrote it
    assert reads.objects_of(()) == {}
    assert reads.stored_locations(VISION, [digest_of(CONTENT)]) == {}


# --- use ----------------------------------------------------------------------------------------------------------


def test_threads_ask_at_once(reads: Reads) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(partial(reads.version_info, IMAGES), [0, 1] * 50))
    assert [info and info.version for info in found] == [0, 1] * 50
