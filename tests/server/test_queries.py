"""The queries of the SDK over HTTP, asked by whom not all may be told: as if what is hidden had never been recorded."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from headwater_consumer.maintenance.usage_sums import keep_usage
from headwater_consumer.operational.database import OperationalDatabase
from headwater_consumer.queries import VersionInfo
from headwater_consumer.queries.reads import Reads, all_queries
from headwater_consumer.queries.usage_totals import UsageTotals
from headwater_schemas.errors import EventRejected, InvalidInput, NotFound, StoreUnavailable
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.keys import collection_key
from headwater_schemas.positions import Cut
from headwater_server.reading.routes import ARGUMENTS_BYTES_MAX
from headwater_server.reading.rules import RULES
from headwater_stores.config.server_address import ServerAddress
from headwater_stores.folder import open_folder
from headwater_stores.http.connection import ServerConnection
from headwater_stores.http.reads import ServerReads

from tests.contract.test_reads import QUESTIONS, alike
from tests.server.granted import GrantedServer, granting
from tests.support import read_history
from tests.support.history import digest_of
from tests.support.read_history import (
    ABROAD,
    ADA,
    AUDIO,
    BERT,
    COLLECT,
    CONTENT,
    FOREIGN,
    IMAGES,
    LISTEN,
    LOST,
    MODEL,
    OTHER,
    SOUNDS,
    TOKEN,
    TRAIN,
    VISION,
    WEBHOOK,
)
from tests.support.serving import Answer

Ask = Callable[[Reads], Any]
DEEP = b"[" * 100_000
LONG = b" " * (ARGUMENTS_BYTES_MAX + 1)
DECOMPOSED = "kitte\u0301n"


@pytest.fixture(scope="module")
def granted(module_path: Path) -> Iterator[GrantedServer]:
    folder = module_path / "queries"
    read_history.record(folder)
    with granting(folder, recorded=False) as granted:
        yield granted


class Asking:
    """Reads as principals do, each over a connection of its own."""

    def __init__(self, granted: GrantedServer, opened: ExitStack) -> None:
        self._granted, self._opened = granted, opened

    def with_token(self, name: str, *scopes: str, role: str = "reader") -> Reads:
        """As somebody with a role in these scopes, of one entity."""
        entity = scopes[0].partition("/")[0]
        for scope in scopes:
            self._granted.operator.grant(name, role, scope)
        text = self._granted.token(name, scopes[0] if len(scopes) == 1 else entity)
        address = ServerAddress(url=self._granted.server.url, token=text)
        return ServerReads(self._opened.enter_context(closing(ServerConnection(address, outage_s=5.0))))


@pytest.fixture(scope="module")
def asking(granted: GrantedServer) -> Iterator[Asking]:
    with ExitStack() as opened:
        yield Asking(granted, opened)


@pytest.fixture(scope="module")
def of_vision(asking: Asking) -> Reads:
    """As a reader of team/vision alone."""
    return asking.with_token("vera", VISION)


@pytest.fixture(scope="module")
def of_team(asking: Asking) -> Reads:
    """As a reader of team/vision and team/audio: everything but crew/vision."""
    return asking.with_token("tom", VISION, AUDIO)


@pytest.fixture(scope="module")
def direct(granted: GrantedServer) -> Iterator[Reads]:
    """As whoever has the folder."""
    with closing(open_folder(granted.folder, create=False)) as stores:
        yield stores.reads


@pytest.fixture
def nothing(tmp_path: Path) -> Iterator[Reads]:
    """A store in which nothing was ever logged."""
    with closing(open_folder(tmp_path / "empty", create=True)) as stores:
        yield stores.reads


def test_every_query_has_a_rule() -> None:
    assert RULES.keys() == all_queries().keys()


# --- what may not be read is as if it were not there ------------------------------------------------------------------

SECRETS: dict[str, Callable[[Reads, VersionInfo], Any]] = {
    "artifact_types": lambda r, _: r.artifact_types(OTHER),
    "collection_info": lambda r, _: r.collection_info(FOREIGN),
    "collection_names": lambda r, _: r.collection_names(OTHER),
    "collections": lambda r, _: r.collections(OTHER),
    "count_artifact_types": lambda r, _: r.count_artifact_types(OTHER),
    "count_collections": lambda r, _: r.count_collections(OTHER),
    "count_versions": lambda r, _: r.count_versions(FOREIGN, after=9),
    "resolve_version": lambda r, _: r.resolve_version(FOREIGN, "latest"),
    "version_info": lambda r, _: r.version_info(FOREIGN, 0),
    "version_infos": lambda r, _: r.version_infos(FOREIGN),
    "version_named": lambda r, _: r.version_named(FOREIGN, "v0"),
    "layers_with_digest": lambda r, of: r.layers_with_digest(OTHER, of.digest),
    "version_with_digest": lambda r, of: r.version_with_digest(FOREIGN, of.digest),
    "reclaimable_bytes": lambda r, _: r.reclaimable_bytes(FOREIGN, [0]),
    "numbered_collections": lambda r, _: r.numbered_collections(OTHER),
    "version_usages": lambda r, _: r.version_usages(FOREIGN),
    "stored_locations": lambda r, _: r.stored_locations(OTHER, [digest_of(CONTENT)]),
    "chosen_algorithm": lambda r, _: r.chosen_algorithm(AUDIO),
    "project_settings": lambda r, _: r.project_settings(AUDIO),
    "draft_info": lambda r, _: r.draft_info(SOUNDS, read_history.OPEN),
    "open_drafts": lambda r, _: r.open_drafts(AUDIO),
    "ancestry": lambda r, _: r.ancestry(SOUNDS, 0),
    "descendants": lambda r, _: r.descendants(SOUNDS, 0),
    "dependents": lambda r, _: r.dependents(SOUNDS, 0),
    "count_runs": lambda r, _: r.count_runs(OTHER),
    "input_of": lambda r, _: r.input_of(LISTEN, SOUNDS, 0),
    "inputs_of": lambda r, _: r.inputs_of(ABROAD),
    "outputs_of": lambda r, _: r.outputs_of(ABROAD),
    "run_info": lambda r, _: r.run_info(ABROAD),
    "runs": lambda r, _: r.runs(OTHER),
    "used_by": lambda r, _: r.used_by(SOUNDS, 0),
    "history_of": lambda r, _: r.history_of(SOUNDS),
    "entry": lambda r, of: r.entry(of.layers, "cat.txt"),
    "entries_of": lambda r, of: r.entries_of(of.layers, ["cat.txt"]),
    "has_folder": lambda r, of: r.has_folder(of.layers, "dogs"),
    "path_conflict": lambda r, of: r.path_conflict(of.layers, ["cat.txt/dog"]),
    "stored_path": lambda r, of: r.stored_path(of.layers, DECOMPOSED),
    "diff_layers": lambda r, of: list(r.diff_layers(of.layers, ())),
    "objects_of": lambda r, of: r.objects_of(of.layers),
}


@pytest.fixture(scope="module")
def foreign(direct: Reads) -> VersionInfo:
    """A version of the other project: what an attacker may know of it, from former days or by guessing."""
    info = direct.version_info(FOREIGN, 0)
    assert info is not None
    return info


@pytest.mark.parametrize("name", SECRETS)
def test_what_may_not_be_read_is_answered_as_what_was_never_recorded(
    of_vision: Reads, direct: Reads, nothing: Reads, foreign: VersionInfo, name: str
) -> None:
    ask, not_logged = SECRETS[name], SECRETS[name](nothing, foreign)
    assert ask(of_vision, foreign) == not_logged
    assert ask(direct, foreign) != not_logged


def test_what_a_project_took_up_is_told_to_who_may_read_it(of_vision: Reads, granted: GrantedServer) -> None:
    with closing(OperationalDatabase.open_in_folder(granted.folder)) as operational:
        for project, collection in ((VISION, IMAGES), (OTHER, FOREIGN)):
            sums = [(collection, UsageTotals())]
            keep_usage(operational, project, UsageTotals(), sums, objects=(1, 10), cut=EventCursor("1"))

    found = of_vision.kept_usage(VISION)

    assert found is not None
    assert (found.objects, found.object_bytes, found.collection_count) == (1, 10, 1)
    assert [name for name, _ in found.collections] == [IMAGES]
    assert of_vision.kept_usage(VISION, collection=IMAGES) is not None
    assert of_vision.kept_usage(OTHER) is None
    assert of_vision.kept_usage(OTHER, collection=FOREIGN) is None
    assert of_vision.kept_usage(VISION, collection=FOREIGN) is None
    with closing(OperationalDatabase.open_in_folder(granted.folder)) as operational, operational.statement() as run:
        run.run("DELETE FROM usage_sums")


@pytest.mark.parametrize(
    "ask", [lambda r, of: r.all_entries(of), lambda r, of: r.listing(of), lambda r, of: r.entries_page(of)]
)
def test_anothers_layers_are_as_layers_that_are_not_there(
    of_vision: Reads, foreign: VersionInfo, ask: Callable[[Reads, tuple[int, ...]], Any]
) -> None:
    told = set()
    for layers in (foreign.layers, (1 << 50,)):
        with pytest.raises(StoreUnavailable, match="has lost its last transactions") as refused:
            list(ask(of_vision, layers))
        told.add(str(refused.value))
    assert len(told) == 1


def test_a_chain_with_one_layer_of_another_project_gives_nothing(of_vision: Reads, foreign: VersionInfo) -> None:
    info = of_vision.version_info(IMAGES, 0)
    assert info is not None
    assert of_vision.entry(info.layers, "cat.txt") is not None
    assert of_vision.entry((*foreign.layers, *info.layers), "cat.txt") is None


def test_an_error_does_not_tell_a_hidden_run_from_none(of_vision: Reads) -> None:
    told = []
    for run in (ABROAD, f"{OTHER}/nobody"):
        with pytest.raises(NotFound) as refused:
            of_vision.runs(OTHER, after=run)
        told.append(str(refused.value).replace(run, "it"))
    assert len(set(told)) == 1


# --- answers that cross projects --------------------------------------------------------------------------------------


def test_a_list_of_projects_has_those_of_ones_grants(of_vision: Reads, of_team: Reads, asking: Asking) -> None:
    assert [info.project for info in of_vision.project_infos()] == [VISION]
    assert [info.project for info in of_team.project_infos()] == [AUDIO, VISION]
    assert [info.project for info in of_team.project_infos(after=AUDIO, limit=1)] == [VISION]
    of_entity = asking.with_token("egon", "team")
    assert [reads.count_projects() for reads in (of_vision, of_team, of_entity)] == [1, 2, 2]
    assert of_entity.count_projects(after=AUDIO) == of_team.count_projects(after=AUDIO) == 1
    assert of_team.count_projects(entity="crew") == 0


def test_names_are_found_in_readable_projects_alone(of_vision: Reads, direct: Reads) -> None:
    assert direct.collections_named("images") == [FOREIGN, IMAGES]
    assert of_vision.collections_named("images") == of_vision.collections_named("images", limit=1) == [IMAGES]
    assert of_vision.runs_named("abroad") == []
    assert [info.collection for info in of_vision.collections(None) if info.collection in (IMAGES, FOREIGN)] == [IMAGES]
    assert [info.collection for info in of_vision.open_drafts(None, limit=1)] == [read_history.PARTS]


def test_references_are_found_in_readable_versions_alone(of_vision: Reads, direct: Reads) -> None:
    found = [
        direct.versions_referencing("https://example.com", limit=10),
        of_vision.versions_referencing("https://example.com", limit=1),
    ]
    assert {collection for collection, _, _ in found[0]} == {FOREIGN, IMAGES}
    assert {collection for collection, _, _ in found[1]} == {IMAGES}


def test_an_edge_shows_to_who_may_read_both_ends(of_vision: Reads, of_team: Reads) -> None:
    assert of_vision.used_by(IMAGES, 0) == [TRAIN]
    assert of_team.used_by(IMAGES, 0) == of_team.used_by(IMAGES, 0, limit=2) == [LISTEN, TRAIN]
    assert of_vision.dependents(IMAGES, 0) == ([TRAIN], [(MODEL, 0)])
    assert [use.collection for use in of_team.inputs_of(LISTEN)] == [SOUNDS, IMAGES]
    assert of_vision.used_by(MODEL, 0) == of_team.used_by(MODEL, 0) == []
    assert of_vision.purposes_of([TRAIN, LISTEN]) == {(IMAGES, 0, TRAIN): ("training",)}


def test_lineage_ends_where_it_passes_through_what_is_hidden(of_team: Reads, of_vision: Reads, direct: Reads) -> None:
    """images → train → model → abroad, of another entity → sounds."""
    assert {edge.collection for edge in direct.ancestry(SOUNDS, 0).edges} == {SOUNDS, MODEL, IMAGES}
    assert of_team.ancestry(SOUNDS, 0).edges == ()
    down = of_team.descendants(IMAGES, 0)
    assert {(edge.collection, edge.run) for edge in down.edges} == {(IMAGES, TRAIN), (IMAGES, LISTEN), (MODEL, TRAIN)}
    assert {edge.run for edge in of_vision.descendants(IMAGES, 0).edges} == {TRAIN}


def test_a_version_does_not_name_a_hidden_run_that_logged_it(of_team: Reads, direct: Reads) -> None:
    known, hidden = direct.version_info(SOUNDS, 0), of_team.version_info(SOUNDS, 0)
    assert known is not None
    assert hidden is not None
    assert (known.run, hidden.run) == (ABROAD, None)
    assert of_team.version_infos(SOUNDS)[0].run is None
    visible = of_team.version_info(IMAGES, 0)
    assert visible is not None
    assert visible.run == COLLECT


def test_a_history_names_no_hidden_run(of_team: Reads, direct: Reads) -> None:
    def details(reads: Reads, collection: str) -> list[str | None]:
        return [event.detail for event in reads.history_of(collection) if event.kind != "alias-moved"]

    assert ABROAD in details(direct, MODEL)
    assert ABROAD not in details(of_team, MODEL)
    assert ABROAD not in details(of_team, SOUNDS)
    assert len(details(of_team, SOUNDS)) == len(details(direct, SOUNDS))
    assert len(details(of_team, MODEL)) == len(details(direct, MODEL)) - 1


# --- rights beyond reading ------------------------------------------------------------------------------------------


def test_who_has_which_role_is_told_to_admins_alone(of_vision: Reads, asking: Asking) -> None:
    for ask in (of_vision.grants, of_vision.tokens, of_vision.subscriptions):
        with pytest.raises(EventRejected, match=f"needs the role admin in {VISION}"):
            ask(VISION)
    for ask_about in (of_vision.role_granted, of_vision.has_role_within):
        with pytest.raises(EventRejected, match="needs the role admin"):
            ask_about(VISION, BERT)
    assert of_vision.token_with_id(TOKEN[:16]) is None
    assert of_vision.subscription_with_id(WEBHOOK) is None
    admin = asking.with_token("anna", VISION, role="admin")
    assert BERT in [grant.principal for grant in admin.grants(VISION)]
    assert admin.role_granted(VISION, BERT) == "writer"
    assert admin.token_with_id(TOKEN[:16]) is not None
    assert admin.subscription_with_id(WEBHOOK) is not None
    assert admin.grants(AUDIO) == []


def test_what_was_rejected_is_told_to_readers_of_its_project(of_vision: Reads, asking: Asking) -> None:
    assert of_vision.first_rejection(ADA, collection_key(LOST), 0, 9) is not None
    assert asking.with_token("odo", OTHER).first_rejection(ADA, collection_key(LOST), 0, 9) is None
    assert of_vision.first_rejection(ADA, "broadcast:", 0, 9) is None


def test_what_is_in_ones_project_is_answered_as_it_is(of_vision: Reads, direct: Reads) -> None:
    names = ["version_info", "listing", "runs", "path_conflict", "contested_paths", "capture_of"]
    for ask in (ask for name in names for ask in QUESTIONS[name]):
        assert alike(ask(of_vision)) == alike(ask(direct))


# --- bounds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda r: r.versions_referencing("", limit=0), "limit is 0"),
        (lambda r: r.versions_referencing("", limit=1 << 40), "limit is 1099511627776"),
        (lambda r: r.ancestry(MODEL, 0, nodes_max=10**9), "nodes_max is 1000000000"),
        (lambda r: r.has_folder(range(1000), "a"), "layers has 1,000 items"),
    ],
)
def test_more_than_a_server_gives_at_once_is_refused(of_vision: Reads, ask: Ask, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        ask(of_vision)


@pytest.fixture(scope="module")
def token(granted: GrantedServer) -> str:
    """Of somebody."""
    return granted.token("theo", VISION, "reader")


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        ("version_info", b"", 400, "invalid"),
        ("version_info", DEEP, 400, "invalid"),
        ("version_info", b'{"collection": "\\ud800", "version": 0}', 400, "invalid"),
        ("version_info", b'{"collection": "a", "version": 1e400}', 400, "invalid"),
        ("version_info", b'{"database": 1}', 400, "invalid"),
        ("health", b"{}", 404, "no-query"),
        ("__class__", b"{}", 404, "no-query"),
        ("path_conflict", LONG, 413, "too-large"),
    ],
    ids=["nothing", "too deep", "half a character", "infinite", "no argument", "no query", "no name", "too long"],
)
def test_what_is_no_question_is_refused_in_the_shape_of_errors(
    granted: GrantedServer, token: str, path: str, body: bytes, status: int, reason: str
) -> None:
    answer = granted.server.ask("POST", f"/v1/queries/{path}", body, token=token)
    assert (answer.status, answer.json["reason"]) == (status, reason)


def test_a_long_answer_is_compressed_for_who_can_read_that(granted: GrantedServer, token: str) -> None:
    def asked(path: str, body: bytes, **headers: str) -> Answer:
        return granted.server.ask("POST", f"/v1/queries/{path}", body, token=token, headers=headers)

    layers = asked("version_info", b'{"collection": "team/vision/large", "version": 0}').json["result"]["layers"]
    listing = b'{"layers": %s}' % str(layers).encode()
    plain, packed = asked("listing", listing), asked("listing", listing, **{"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body)
    assert "content-encoding" not in asked("runs", b'{"project": "a/b"}', **{"Accept-Encoding": "gzip"}).headers


def test_a_query_waits_for_a_cut_and_is_refused_for_one_beyond_the_log(granted: GrantedServer, token: str) -> None:
    with closing(open_folder(granted.folder, create=False)) as stores:
        now = stores.projection.now()
    beyond = Cut(now.generation, {partition: offset + 1_000 for partition, offset in now.offsets.items()})

    def status(cut: Cut) -> int:
        return granted.server.ask(
            "POST", f"/v1/queries/count_projects?not_before={cut.encode()}", b"{}", token=token
        ).status

    assert (status(now), status(beyond)) == (200, 400)


def test_only_who_has_a_token_is_answered(granted: GrantedServer) -> None:
    assert granted.server.ask("POST", "/v1/queries/project_infos", b"{}").status == 401
