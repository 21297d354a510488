"""What each role may write, event by event, and what depends on what is recorded."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from headwater_consumer import queries
from headwater_schemas import keys
from headwater_schemas.access import ADMIN, MAINTAINER, READER, ROLES, WRITER
from headwater_schemas.errors import EventRejected, HeadwaterError, InvalidInput, NotFound, Reason
from headwater_schemas.events import (
    EDIT_EXISTING,
    EVENT_TYPES,
    MOVE_ALIASES,
    AccessGranted,
    AccessRevoked,
    AliasMoved,
    ArtifactUsed,
    BlobsCondemned,
    BlobsMoved,
    DeadLetterResolved,
    DraftDiscarded,
    DraftOpened,
    EntryAdded,
    EntryRemoved,
    Event,
    RulesChanged,
    RunFinished,
    RunHeartbeat,
    RunStarted,
    RunUpdated,
    SessionsRetired,
    SettingsChanged,
    SubscriptionAdded,
    SubscriptionRemoved,
    TokenCreated,
    TokenRevoked,
    VersionCommitted,
    VersionDeleted,
    VersionDescribed,
    VersionPurged,
    VersionRecalled,
    VersionRestored,
    WriterDone,
    own_draft,
    shared_draft,
)
from headwater_server.access.caller import Anybody, Caller
from headwater_server.access.judging import Judge
from headwater_server.access.rights import Rights
from headwater_server.access.rules import rights_of
from headwater_server.service import Service
from headwater_stores.config.settings import read_settings
from headwater_stores.opening import open_stores
from headwater_stores.operational import open_operational
from headwater_stores.server_key import KEY_BYTES, ServerKey

from tests.support.history import Writer

P, OTHER, NEW = "acme/vision", "acme/text", "acme/new"
PETS, RUN = f"{P}/pets", f"{P}/run"
SAM, EVE = "headwater|sam", "headwater|eve"
HASH = "0" * 64
BROADCAST = "0" * 32
MINE, THEIRS = (own_draft(keys.new_session(owner=principal)) for principal in (SAM, EVE))


class Known:
    """A caller with roles."""

    def __init__(self, *grants: tuple[str, str], principal: str = SAM, within: str | None = None) -> None:
        self.principal, self.rights = principal, Rights.of(grants, within)

    def may(self, role: str, scope: str) -> bool:
        return self.rights.may(role, scope)

    def may_begin(self, project: str) -> bool:
        return self.rights.may_begin(project)

    def scopes(self, role: str) -> Sequence[str]:
        return self.rights.scopes(role)

    async def renewed(self) -> "Known":
        return self


@pytest.fixture(scope="module")
def service(module_path: Path) -> Iterator[Service]:
    """Of a store in which Sam logged v0 with a time to live, and Eve v1; both have a draft open."""
    url = str(module_path / "judged")
    key = ServerKey(bytes(KEY_BYTES))
    settings = read_settings(url=url)
    stores = open_stores(settings, create=True)
    with closing(open_operational(settings)) as operational, closing(Service(stores, key, operational)) as service:
        for principal, draft, ttl in ((SAM, MINE, 1000), (EVE, THEIRS, None)):
            writer = Writer(service.stores.log, principal)
            writer.session = keys.new_session(owner=principal)
            logged = own_draft(principal[-3:])
            writer.write(
                *[
                    SettingsChanged(project=P, settings='{"protected_aliases":{"prod":true}}'),
                    DraftOpened(collection=PETS, draft=logged, type="t"),
                    VersionCommitted(collection=PETS, draft=logged, ttl_seconds=ttl, metadata=f'{{"of":"{draft}"}}'),
                    DraftOpened(collection=PETS, draft=draft, type="t"),
                    RunStarted(run=f"{OTHER}/run"),
                    RunStarted(run=RUN),
                ]
            )
        service.stores.projection.catch_up(timeout_s=30)
        yield service


def refusal(service: Service, event: Event, caller: Caller) -> HeadwaterError | None:
    """Why a caller may not write an event."""
    try:
        asyncio.run(Judge(service).check(event, caller))
    except HeadwaterError as error:
        return error
    return None


def lowest_role(service: Service, event: Event, scope: str = P) -> str | None:
    """The lowest role that may write it."""
    return next((role for role in ROLES if refusal(service, event, Known((scope, role))) is None), None)


def claim(algorithm: str) -> str:
    return f'{{"digest_algorithm":"{algorithm}"}}'


IN = {"collection": PETS}
TABLE: list[tuple[Event, str | None]] = [
    (DraftOpened(**IN, draft=MINE, type="t"), WRITER),
    (EntryAdded(**IN, draft=MINE), WRITER),
    (EntryRemoved(**IN, draft=MINE, paths=("a",)), WRITER),
    (WriterDone(**IN, draft=shared_draft("s")), WRITER),
    (VersionCommitted(**IN, draft=MINE), WRITER),
    (VersionCommitted(**IN, draft=MINE, aliases=("best",)), WRITER),
    (VersionCommitted(**IN, draft=MINE, aliases=("best", "prod")), MAINTAINER),
    (AliasMoved(**IN, alias="best", version=0), WRITER),
    (AliasMoved(**IN, alias="best", version=None), WRITER),
    (AliasMoved(**IN, alias="prod", version=0), MAINTAINER),
    (AliasMoved(**IN, alias="prod", version=None), MAINTAINER),
    (VersionDescribed(**IN, version=0, description="mine"), WRITER),
    (VersionDescribed(**IN, version=0, ttl_seconds=0), WRITER),
    (VersionDescribed(**IN, version=0, ttl_seconds=1001), WRITER),
    (VersionDescribed(**IN, version=0, ttl_seconds=999), MAINTAINER),
    (VersionDescribed(**IN, version=1, description="theirs"), MAINTAINER),
    (VersionDescribed(**IN, version=1, tags_added=("a",)), MAINTAINER),
    (VersionDeleted(**IN, version=0), MAINTAINER),
    (VersionRestored(**IN, version=0), MAINTAINER),
    (VersionRecalled(**IN, version=0, reason="bad"), MAINTAINER),
    (DraftDiscarded(**IN, draft=MINE), WRITER),
    (DraftDiscarded(**IN, draft=THEIRS), MAINTAINER),
    (DraftDiscarded(**IN, draft=shared_draft("s")), MAINTAINER),
    (RunStarted(run=RUN), WRITER),
    (RunUpdated(run=RUN), WRITER),
    (RunHeartbeat(run=RUN, heartbeat_seconds=60), WRITER),
    (RunFinished(run=RUN, state="finished"), WRITER),
    (ArtifactUsed(**IN, version=0, run=RUN, requested="pets"), WRITER),
    (SettingsChanged(project=P, settings=claim("blake3")), WRITER),
    (SettingsChanged(project=P, settings='{"draft_idle_days":3}'), ADMIN),
    (SettingsChanged(project=P, settings='{"protected_aliases":{"prod":null}}'), ADMIN),
    (SettingsChanged(project=P, settings='{"retention":{"*":{"keep_last":1}}}'), ADMIN),
    (SettingsChanged(project=P, settings='{"digest_algorithm":"blake3","draft_idle_days":3}'), ADMIN),
    (AccessGranted(scope=P, principal=EVE, role=READER), ADMIN),
    (AccessRevoked(scope=P, principal=EVE), ADMIN),
    (TokenCreated(scope=P, token=HASH, principal=EVE), ADMIN),
    (TokenRevoked(scope=P, token=HASH), ADMIN),
    (SubscriptionAdded(scope=P, subscription="s", settings="{}"), ADMIN),
    (SubscriptionRemoved(scope=P, subscription="s"), ADMIN),
    (VersionPurged(**IN, version=0, epoch=0, partition=0, offset=0), None),
    (BlobsCondemned(broadcast=BROADCAST, project=P, objects=()), None),
    (BlobsMoved(project=P, moves=()), None),
    (DeadLetterResolved(key="k", epoch=0, partition=0, offset=0, decision="skip"), None),
    (RulesChanged(broadcast=BROADCAST, project=P, rule="r", value="{}"), None),
    (SessionsRetired(broadcast=BROADCAST, before_ms=0), None),
]


def test_the_table_has_every_kind_of_event() -> None:
    assert {type(event) for event, _ in TABLE} == set(EVENT_TYPES)


@pytest.mark.parametrize(("event", "role"), TABLE, ids=lambda value: getattr(value, "name", value))
def test_an_event_needs_a_role_and_a_higher_one_is_enough(service: Service, event: Event, role: str | None) -> None:
    allowed = [one for one in ROLES if refusal(service, event, Known((P, one))) is None]

    assert allowed == ([] if role is None else list(ROLES[ROLES.index(role) :]))


@pytest.mark.parametrize(("event", "role"), TABLE, ids=lambda value: getattr(value, "name", value))
def test_the_same_role_of_an_entity_is_enough(service: Service, event: Event, role: str | None) -> None:
    assert lowest_role(service, event, "acme") == role


@pytest.mark.parametrize("event", [event for event, role in TABLE if role is not None], ids=lambda event: event.name)
def test_who_has_no_role_there_hears_that_nothing_is_there(service: Service, event: Event) -> None:
    strangers = (Known(), Known((OTHER, ADMIN)), Known(("acme2", ADMIN)), Known(("acme", ADMIN), within=OTHER))

    for stranger in strangers:
        found = refusal(service, event, stranger)
        assert isinstance(found, NotFound)
        assert P in str(found)


@pytest.mark.parametrize("event", [event for event, _ in TABLE], ids=lambda event: event.name)
def test_a_refusal_says_what_it_needs(service: Service, event: Event) -> None:
    found = refusal(service, event, Known((P, READER)))

    assert isinstance(found, EventRejected)
    assert found.reason == Reason.NOT_PERMITTED


def test_using_a_version_needs_to_read_it_and_to_write_the_run(service: Service) -> None:
    used = ArtifactUsed(collection=PETS, version=0, run=f"{OTHER}/run", requested="pets")

    assert refusal(service, used, Known((P, READER), (OTHER, WRITER))) is None
    assert isinstance(refusal(service, used, Known((P, READER), (OTHER, READER))), EventRejected)
    assert isinstance(refusal(service, used, Known((P, WRITER))), NotFound)
    assert isinstance(refusal(service, used, Known((OTHER, WRITER))), NotFound)


@pytest.mark.parametrize(
    "event",
    [
        VersionCommitted(**IN, draft=MINE, run=f"{OTHER}/run"),
        EntryAdded(**IN, draft=MINE, writer=f"{OTHER}/run"),
        WriterDone(**IN, draft=shared_draft("s"), writer=f"{OTHER}/run"),
    ],
    ids=lambda event: event.name,
)
def test_who_writes_for_a_run_must_write_its_project(service: Service, event: Event) -> None:
    assert isinstance(refusal(service, event, Known((P, ADMIN))), NotFound)
    assert isinstance(refusal(service, event, Known((P, ADMIN), (OTHER, READER))), EventRejected)
    assert refusal(service, event, Known((P, WRITER), (OTHER, WRITER))) is None


@pytest.mark.parametrize(
    "event",
    [
        DraftOpened(**IN, draft=THEIRS, type="t"),
        EntryAdded(**IN, draft=THEIRS),
        EntryRemoved(**IN, draft=THEIRS, paths=("a",)),
        WriterDone(**IN, draft=THEIRS),
        VersionCommitted(**IN, draft=THEIRS),
    ],
    ids=lambda event: event.name,
)
def test_a_draft_that_is_not_shared_takes_events_of_its_own_principal_alone(service: Service, event: Event) -> None:
    """Whether it is there or not: who opens it first with another's id would have that one's files in it."""
    for stranger in (Known((P, WRITER)), Known((P, ADMIN)), Anybody()):
        refused = refusal(service, event, stranger)
        assert isinstance(refused, EventRejected)
        assert refused.reason is Reason.NOT_PERMITTED
        assert f"this draft of {PETS} is another's" in str(refused)

    assert refusal(service, event, Known((P, WRITER), principal=EVE)) is None


@pytest.mark.parametrize("identity", ["mine", "0" * 48, "f" * 64])
def test_a_draft_whose_id_names_nobody_is_nobodys(service: Service, identity: str) -> None:
    assert isinstance(refusal(service, EntryAdded(**IN, draft=own_draft(identity)), Known((P, ADMIN))), EventRejected)


def test_describing_a_version_that_is_not_there_tells_a_writer_so(service: Service) -> None:
    found = refusal(service, VersionDescribed(**IN, version=7, description="d"), Known((P, WRITER)))

    assert isinstance(found, NotFound)
    assert f"{PETS}:v7" in str(found)


# --- runs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        VersionCommitted(**IN, draft=MINE, run=f"{P}/nowhere"),
        ArtifactUsed(**IN, version=0, run=f"{P}/nowhere", requested="pets"),
        EntryAdded(**IN, draft=shared_draft("s"), writer=f"{P}/nowhere"),
        EntryRemoved(**IN, draft=shared_draft("s"), writer=f"{P}/nowhere", paths=("a",)),
        WriterDone(**IN, draft=shared_draft("s"), writer=f"{P}/nowhere"),
        RunUpdated(run=f"{P}/nowhere"),
        RunHeartbeat(run=f"{P}/nowhere", heartbeat_seconds=60),
        RunFinished(run=f"{P}/nowhere", state="finished"),
    ],
    ids=lambda event: event.name,
)
def test_a_run_that_was_never_started_neither_logs_nor_uses_anything(service: Service, event: Event) -> None:
    found = refusal(service, event, Known((P, ADMIN)))

    assert isinstance(found, NotFound)
    assert f"there is no run {P}/nowhere" in str(found)


def test_a_run_that_starts_in_the_same_submission_is_there(service: Service) -> None:
    started = RunStarted(run=f"{P}/along")
    used = ArtifactUsed(**IN, version=0, run=f"{P}/along", requested="pets")
    other = ArtifactUsed(**IN, version=0, run=f"{P}/nowhere", requested="pets")

    refused = asyncio.run(Judge(service).refusals([used, started, other], Known((P, WRITER))))

    assert [*refused] == [2]


def test_a_run_that_is_on_the_log_is_there_before_it_is_projected(service: Service) -> None:
    Writer(service.stores.log, SAM).write(RunStarted(run=f"{P}/fresh"))
    assert queries.run_info(service.database, f"{P}/fresh") is None

    used = ArtifactUsed(**IN, version=0, run=f"{P}/fresh", requested="pets")
    assert refusal(service, used, Known((P, WRITER))) is None


def test_a_run_that_was_written_through_this_server_is_not_looked_for(service: Service) -> None:
    judge, run = Judge(service), f"{P}/written"
    judge.note_written([RunStarted(run=run), RunFinished(run=f"{P}/nowhere", state="failed")])

    for name, refused in ((run, []), (f"{P}/nowhere", [0])):
        used = ArtifactUsed(**IN, version=0, run=name, requested="pets")
        assert [*asyncio.run(judge.refusals([used], Known((P, WRITER))))] == refused


# --- new projects -------------------------------------------------------------------------------------------------

BEGINNING = [
    RunStarted(run=f"{NEW}/run"),
    DraftOpened(collection=f"{NEW}/pets", draft=shared_draft("s"), type="t"),
    SettingsChanged(project=NEW, settings=claim("blake3")),
]


@pytest.mark.parametrize("event", BEGINNING, ids=lambda event: event.name)
def test_a_project_is_begun_by_an_admin_of_its_entity_or_whom_one_gave_a_role_in_it(
    service: Service, event: Event
) -> None:
    assert refusal(service, event, Known(("acme", ADMIN))) is None
    assert refusal(service, event, Known((NEW, WRITER))) is None
    assert refusal(service, event, Anybody()) is None
    for role in (WRITER, MAINTAINER):
        refused = refusal(service, event, Known(("acme", role), (NEW, READER)))
        assert isinstance(refused, EventRejected)
        assert "only an admin of its entity begins one" in str(refused)


def test_a_role_in_a_new_project_is_given_by_an_admin_of_the_entity_alone(service: Service) -> None:
    event = AccessGranted(scope=NEW, principal=SAM, role=WRITER)

    assert refusal(service, event, Known(("acme", ADMIN))) is None
    assert isinstance(refusal(service, event, Known((P, ADMIN))), NotFound)
    assert isinstance(refusal(service, event, Known(("acme", ADMIN), within=P)), NotFound)


@pytest.mark.parametrize("caller", [Known(("acme", ADMIN)), Anybody()], ids=["admin", "anybody"])
def test_a_project_that_is_begun_through_a_server_has_digests_that_nobody_forges(
    service: Service, caller: Caller
) -> None:
    assert refusal(service, SettingsChanged(project=NEW, settings=claim("blake3")), caller) is None
    assert isinstance(refusal(service, SettingsChanged(project=NEW, settings=claim("xxh3")), caller), InvalidInput)


# --- rights that travel -------------------------------------------------------------------------------------------


def test_a_commit_carries_what_it_may_do_to_a_version_that_is_there(service: Service) -> None:
    commit = VersionCommitted(**IN, draft=MINE)

    assert rights_of(commit, Known((P, WRITER))) == (MOVE_ALIASES,)
    assert rights_of(commit, Known((P, MAINTAINER))) == (EDIT_EXISTING, MOVE_ALIASES)
    greedy = VersionCommitted(**IN, draft=MINE, rights=(EDIT_EXISTING, "everything"))
    assert rights_of(greedy, Known((P, WRITER))) == ()
    assert rights_of(VersionCommitted(**IN, draft=MINE, rights=()), Known((P, ADMIN))) == ()


def test_of_many_events_those_that_are_refused_are_named(service: Service) -> None:
    events = [RunStarted(run=RUN), VersionDeleted(**IN, version=0), RunFinished(run=RUN, state="failed")]

    refused = asyncio.run(Judge(service).refusals(events, Known((P, WRITER))))

    assert [*refused] == [1]


def test_neither_a_token_nor_a_webhook_is_hidden_behind_one_of_its_id_in_another_scope(service: Service) -> None:
    """Both are found by their id: doubled elsewhere, a token could not be revoked, and a webhook was taken over."""
    hash_, hook, settings = "a" * 64, "hook_0123456789abcdef", '{"url":"https://example.com/hook"}'
    first = [
        TokenCreated(scope=P, token=hash_, principal=SAM),
        SubscriptionAdded(scope=P, subscription=hook, settings=settings),
    ]
    doubles = [
        TokenCreated(scope=OTHER, token=hash_, principal=EVE),
        SubscriptionAdded(scope=OTHER, subscription=hook, settings=settings),
    ]
    owner, other = Known((P, ADMIN)), Known((OTHER, ADMIN), principal=EVE)
    assert [refusal(service, event, other) for event in doubles] == [None, None], "nobody has them yet"
    Writer(service.stores.log, SAM).write(*first)
    service.stores.projection.catch_up(timeout_s=30)

    assert [refusal(service, event, owner) for event in first] == [None, None], "again is fine"
    for _ in ("while they are there", "after they were removed"):
        for event in doubles:
            refused = refusal(service, event, other)
            assert isinstance(refused, EventRejected)
            assert refused.reason is Reason.NOT_PERMITTED
            assert P not in str(refused)
        removed = TokenRevoked(scope=P, token=hash_), SubscriptionRemoved(scope=P, subscription=hook)
        Writer(service.stores.log, "remover").write(*removed)
        service.stores.projection.catch_up(timeout_s=30)


def test_a_token_under_a_name_is_made_by_who_is_admin_wherever_there_were_tokens_of_it(service: Service) -> None:
    """Who holds one writes as that principal: in its author's name, and in its sessions."""
    mine, ana = f"{P}-mine", "headwater|ana"
    ours, theirs = (TokenCreated(scope=scope, token=one * 64, principal=ana) for scope, one in ((P, "b"), (mine, "c")))
    impostor = Known((mine, ADMIN), (P, WRITER), principal=EVE)
    assert refusal(service, theirs, impostor) is None, "nobody has the name yet"
    Writer(service.stores.log, "namer").write(ours, TokenRevoked(scope=P, token="b" * 64))
    service.stores.projection.catch_up(timeout_s=30)

    refused = refusal(service, theirs, impostor)

    assert isinstance(refused, EventRejected)
    assert refused.reason is Reason.NOT_PERMITTED
    assert P not in str(refused).split(), "where it has some is not told"
    assert isinstance(refusal(service, theirs, Known(("acme", ADMIN), within=mine)), EventRejected)
    assert refusal(service, theirs, Known((mine, ADMIN), (P, ADMIN))) is None
    assert refusal(service, theirs, Known(("acme", ADMIN))) is None
    assert refusal(service, ours, Known((P, ADMIN))) is None
