"""Whole histories: what several writers did to a few collections.

A history is a list of steps. A step says what was meant; only `memory_log.write` makes records of it, because some
events name positions (a dead letter's), and one history can be written in many orders and to any number of partitions.

Names, paths and contents come from a few each, so that histories meet themselves: equal content, contested paths,
aliases that moved, drafts that were sealed before.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from headwater_schemas import digests, keys
from headwater_schemas import events as types
from headwater_schemas.entries import FileEntries, FileRow, Reference
from headwater_schemas.events import Event
from headwater_schemas.limits import HEARTBEAT_SECONDS_MAX
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.support.entries import of_rows
from tests.support.steps import Damage, History, Purge, Resolve, Step, Teller

PROJECT = "team/vision"
COLLECTIONS = (f"{PROJECT}/digits", f"{PROJECT}/model", "team/other/digits")
SESSIONS = tuple(f"{1000 * n:012x}{n:036x}" for n in (1, 2, 3))  # they started one, two and three seconds after 1970
RETIRED_BEFORE_MS = (500, 1_500)  # the start of no session, and of the first
RUNS = (f"{PROJECT}/r1", f"{PROJECT}/r2")
PATHS = ("a", "b", "d/a", "d/b", "d/e/f", "é", "z")
ANOTHER_EVENT = "00000000-0000-5000-8000-000000000000"  # the id of no event
SCOPES = ("team", PROJECT)
PRINCIPAL = "headwater|ann"
ROLES = ("reader", "admin", "owner")
WEBHOOK_SETTINGS = ('{"url":"https://a.example"}', '{"disabled":true,"url":"https://a.example"}', "{}")
TOKENS = ("1" * 64, "2" * 64)  # hashes of them
BROADCAST = "0123456789abcdef0123456789abcdef"
ODD_PATHS = ("d", "a/b", "e\u0301", "e\u0301/x")  # which cannot be beside some of those
SETTINGS = (
    *('{"draft_idle_days":1}', '{"digest_algorithm":"blake3","draft_idle_days":null}', '{"unheard_of":1}'),
    *('{"retention":{"*":{"keep_last":2},"model":null}}', '{"retention":{"model":{"keep_used":true}}}'),
    *('{"retention":{"*":null}}', '{"draft_idle_days":1,"retention":{"*":{"keep_last":0}}}', '{"retention":null}'),
)
FOLDERS = ("d", "d/e", "nowhere")
ALIASES = ("best", "prod")
TAGS = ("good", "old")
_OF_COLLECTION = f"{keys.COLLECTION}:"


def object_name(collection: str, n: int) -> str:
    """One of the objects of the collection's project."""
    return f"packs/{collection.rpartition('/')[0]}/{n:032x}"


def file_row(collection: str, path: str, content: int, *, of_object: int = 0) -> FileRow:
    """A file whose bytes are told apart by a number."""
    digest = digests.pack(digests.XXH3, content.to_bytes(16, "big"))
    return FileRow(path, digest, content + 1, object_name(collection, of_object), 100 * content, content % 5 == 4)


def files(rows: Sequence[FileRow]) -> FileEntries:
    return of_rows(rows, digests.XXH3)


# --- telling one --------------------------------------------------------------------------------------------------


@st.composite
def histories(draw: DrawFn, *, reliable: bool = False, steps_max: int = 20) -> History:
    """A history. With `reliable` every record decodes, and every writer's events arrive in its order, once or more."""
    drama = _Drama(draw, Teller())
    for _ in range(draw(st.integers(0, 3))):
        _log_own(drama)
    scenes = [scene for scene, weight in _SCENES.items() for _ in range(weight)]
    scenes += [] if reliable else [scene for scene, weight in _MISHAPS.items() for _ in range(weight)]
    for scene in draw(st.lists(st.sampled_from(scenes), min_size=steps_max // 3, max_size=steps_max)):
        scene(drama)
    return drama.teller.steps


@dataclass(slots=True)
class _Drama:
    """What there is to draw from, growing as the history does."""

    draw: DrawFn
    teller: Teller
    drafts: list[tuple[str, str]] = field(default_factory=list)  # (collection, draft) that somebody spoke of
    versions: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # as many as there can be
    letters: list[Step] = field(default_factory=list)

    def one_of(self, values: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(values))

    def maybe(self, values: SearchStrategy[Any]) -> Any:
        return self.draw(st.none() | values)

    def some(self, values: Sequence[Any], size: int = 2, *, least: int = 0) -> tuple[Any, ...]:
        return tuple(self.draw(st.lists(st.sampled_from(values), min_size=least, max_size=size, unique=True)))

    def collection(self) -> str:
        return str(self.one_of((*[COLLECTIONS[0]] * 3, *COLLECTIONS)))

    def collection_with_versions(self) -> str:
        return str(self.one_of([name for name in COLLECTIONS if self.versions[name]] or COLLECTIONS))

    def session(self) -> str:
        return str(self.one_of(SESSIONS))

    def version(self, collection: str) -> int:
        """One that is probably there."""
        count = self.versions[collection]
        return int(self.one_of((*range(count), *range(count), *range(count), count)))

    def draft(self) -> tuple[str, str]:
        """One that somebody spoke of, mostly one of the last."""
        if not self.drafts:
            _open_shared(self)
        collection, draft = self.one_of((*self.drafts, *self.drafts[-3:] * 3))
        return collection, draft

    def tell(self, event: Event, session: str | None = None) -> None:
        self.teller.tell(event, session=session or self.session())


def _log_own(drama: _Drama) -> None:
    """One writer opens, fills and commits a draft, as the SDK does."""
    collection, session = drama.collection(), drama.session()
    draft = types.own_draft(f"{len(drama.drafts)}")
    drama.drafts.append((collection, draft))
    base = drama.one_of((None, drama.version(collection), drama.version(collection)))
    base = base if drama.versions[collection] else None
    drama.tell(types.DraftOpened(collection=collection, draft=draft, type=_type(drama), base=base), session)
    for _ in range(drama.one_of((0, 1, 1, 1, 2, 2, 3))):
        _speak(drama, collection, draft, session)
    drama.tell(_commit(drama, collection, draft), session)


def _log_together(drama: _Drama) -> None:
    """Several writers fill one draft; the last to be done, or a commit that does not wait, seals it."""
    collection, draft = drama.collection(), types.shared_draft(f"together{len(drama.drafts)}")
    drama.drafts.append((collection, draft))
    base = drama.version(collection) if drama.draw(st.booleans()) and drama.versions[collection] else None
    writers = SESSIONS[: drama.one_of((2, 2, 3))]
    for session in writers:
        drama.tell(types.DraftOpened(collection=collection, draft=draft, type="dataset", base=base), session)
    for _ in range(drama.one_of((2, 3, 4, 5))):
        _speak(drama, collection, draft, drama.one_of(writers))
    commit = replace(_commit(drama, collection, draft), writers=drama.one_of((None, len(writers))))
    last_words: list[tuple[Event, str]] = [(commit, writers[0])]
    for session in writers:
        done = types.WriterDone(collection=collection, draft=draft, writer=_writer(drama, draft))
        last_words.append((done, session))
    for event, session in drama.draw(st.permutations(last_words)):
        drama.tell(event, session)


def _open_shared(drama: _Drama) -> None:
    collection, draft = drama.collection(), types.shared_draft(drama.one_of(("s", "t", "u")))
    base = drama.one_of((None, drama.version(collection), drama.version(collection)))
    base = base if drama.versions[collection] else None
    drama.tell(types.DraftOpened(collection=collection, draft=draft, type=_type(drama), base=base))
    drama.drafts.append((collection, draft))


def _say_in_draft(drama: _Drama) -> None:
    _speak(drama, *drama.draft(), drama.session())


def _say_done(drama: _Drama) -> None:
    collection, draft = drama.draft()
    drama.tell(types.WriterDone(collection=collection, draft=draft, writer=_writer(drama, draft)))


def _say_commit(drama: _Drama) -> None:
    drama.tell(_commit(drama, *drama.draft()))


def _discard(drama: _Drama) -> None:
    collection, draft = drama.draft()
    last = [step for step in drama.teller.steps if getattr(step.what, "draft", None) == draft][-1:]
    last_event = drama.one_of((None, ANOTHER_EVENT, *(step.event_id for step in last)))
    drama.tell(types.DraftDiscarded(collection=collection, draft=draft, last_event=last_event))


def _speak(drama: _Drama, collection: str, draft: str, session: str) -> None:
    said: dict[str, Any] = {"collection": collection, "draft": draft, "writer": _writer(drama, draft)}
    match drama.one_of(("files", "files", "files", "references", "removal")):
        case "files":
            rows = [
                file_row(collection, path, drama.draw(st.integers(0, 9)), of_object=drama.one_of((0, 1)))
                for path in drama.some((*PATHS, *PATHS, drama.one_of(ODD_PATHS)), 3, least=1)
            ]
            drama.tell(types.EntryAdded(**said, files=files(rows)), session)
        case "references":
            references = [Reference(path, drama.one_of(("s3://x", "s3://y")), size=7) for path in drama.some(PATHS)]
            drama.tell(types.EntryAdded(**said, references=tuple(references)), session)
        case "removal":
            paths, folders = drama.some(PATHS), drama.some(FOLDERS, 1)
            drama.tell(types.EntryRemoved(**said, paths=paths, folders=folders), session)


def _writer(drama: _Drama, draft: str) -> str | None:
    """Who speaks in a shared draft: the session, or a run whatever session it has."""
    return drama.one_of((None, None, *RUNS)) if draft.startswith(types.SHARED_DRAFT) else None


IMPORTS = [
    types.Imported("there", f"other/vision/digits:v{n}", "ben", datetime(2026, 5, n + 1, tzinfo=UTC)) for n in range(2)
]


def _commit(drama: _Drama, collection: str, draft: str) -> types.VersionCommitted:
    drama.versions[collection] += 1
    return types.VersionCommitted(
        collection=collection,
        draft=draft,
        description=drama.one_of((None, None, "first", "second")),
        metadata=drama.one_of((None, '{"n":1}', '{"m":{"x":2},"n":3}')),
        aliases=drama.some(ALIASES, 1),
        tags=drama.some(TAGS, 1),
        run=drama.one_of((None, *RUNS)),
        ttl_seconds=drama.one_of((None, None, 60)),
        expected_digest=drama.one_of((*[None] * 19, "lthash:0")),
        writers=drama.one_of((*[None] * 3, 1, 2)) if draft.startswith(types.SHARED_DRAFT) else None,
        expect_latest=drama.one_of((*[None] * 9, types.ExpectedVersion(None), types.ExpectedVersion(0))),
        rights=drama.one_of((*[None] * 4, (), (types.EDIT_EXISTING,))),
        imported=drama.one_of((*[None] * 8, *IMPORTS)),
    )


def _type(drama: _Drama) -> str:
    return str(drama.one_of((*["dataset"] * 19, "model")))


def _move_alias(drama: _Drama) -> None:
    collection = drama.collection_with_versions()
    versions = st.integers(0, drama.versions[collection])
    expected = drama.maybe(st.builds(types.ExpectedVersion, st.none() | versions))
    alias, version = drama.one_of(ALIASES), drama.maybe(versions)
    drama.tell(types.AliasMoved(collection=collection, alias=alias, version=version, expected=expected))


def _use(drama: _Drama) -> None:
    collection = drama.collection_with_versions()
    requested = drama.one_of(("digits:latest", "digits:best"))
    version = drama.version(collection)
    drama.tell(
        types.ArtifactUsed(
            collection=collection,
            version=version,
            run=drama.one_of(RUNS),
            requested=requested,
            use_as=drama.one_of((None, "training data", "test data")),
        )
    )


def _describe(drama: _Drama) -> None:
    collection = drama.collection_with_versions()
    drama.tell(
        types.VersionDescribed(
            collection=collection,
            version=drama.version(collection),
            description=drama.one_of((None, "", "third")),
            metadata=drama.one_of((None, None, '{"n":9}')),
            metadata_patch=drama.one_of((None, '{"m":{"x":null,"y":1}}', '{"n":null}')),
            tags_added=drama.some(TAGS),
            tags_removed=drama.some(TAGS, 1),
            ttl_seconds=drama.one_of((None, 0, 90)),
        )
    )


_DECIDED_ON = st.builds(
    types.DecidedOn,
    aliases=st.sampled_from(((), ("latest",), ("latest", *ALIASES))),
    times_restored=st.sampled_from((0, 0, 1)),
    unused=st.booleans(),
    ttl_seconds=st.sampled_from((None, None, 90)),
    newer=st.sampled_from((None, None, 0, 1)),
)


def _delete(drama: _Drama) -> None:
    collection = drama.collection_with_versions()
    version, aliases, state = drama.version(collection), drama.one_of((True, True, False)), drama.maybe(_DECIDED_ON)
    drama.tell(types.VersionDeleted(collection=collection, version=version, delete_aliases=aliases, decided_on=state))


def _restore(drama: _Drama) -> None:
    collection = drama.collection_with_versions()
    drama.tell(types.VersionRestored(collection=collection, version=drama.version(collection)))


def _purge(drama: _Drama) -> None:
    """Mostly of what was deleted, by its last deletion."""
    told = [step for step in drama.teller.steps if step.key.startswith(_OF_COLLECTION)]
    deletions = [step for step in told if isinstance(step.what, types.VersionDeleted | Resolve)]
    if deletions:
        step = drama.one_of(deletions)
        collection = step.key.removeprefix(_OF_COLLECTION)
        version = step.what.version if isinstance(step.what, types.VersionDeleted) else drama.version(collection)
        purge = Purge(collection, version, step.number)
        drama.teller.tell(purge, session=drama.session(), key=step.key)


def _recall(drama: _Drama) -> None:
    collection = drama.collection_with_versions()
    version = drama.version(collection)
    drama.tell(types.VersionRecalled(collection=collection, version=version, reason=drama.one_of(("bad", "worse"))))


def _run(drama: _Drama) -> None:
    run = drama.one_of(RUNS)
    config = drama.one_of(('{"lr":1}', '{"lr":2}'))
    started = types.RunStarted(
        run=run, job_type="train", config=config, tags=drama.some(TAGS), heartbeat_seconds=drama.one_of((None, 300))
    )
    drama.tell(drama.one_of((started, _updated_run(drama, run), _heartbeat(drama, run), _ended_run(drama, run))))


def _updated_run(drama: _Drama, run: str) -> types.RunUpdated:
    commit = drama.one_of(("a" * 40, "b" * 64, "no commit"))
    return types.RunUpdated(
        run=run,
        config_set=drama.one_of((None, '{"lr":3}', '{"epochs":null,"lr":{"first":1}}', "not JSON")),
        config_removed=drama.one_of(((), ("lr",), ("lr", "epochs"))),
        summary_set=drama.one_of((None, '{"loss":1}')),
        summary_removed=drama.one_of(((), ("loss",))),
        capture=drama.one_of((None, types.Capture(commit=commit, dirty="yes", environment='{"python":"3"}'))),
    )


def _heartbeat(drama: _Drama, run: str) -> types.RunHeartbeat:
    return types.RunHeartbeat(run=run, heartbeat_seconds=drama.one_of((0, 300, 600, HEARTBEAT_SECONDS_MAX + 1)))


def _ended_run(drama: _Drama, run: str) -> types.RunFinished:
    return types.RunFinished(run=run, state=drama.one_of(types.RUN_STATES_FINAL))


def _administer(drama: _Drama) -> None:
    into = object_name(COLLECTIONS[0], drama.one_of((3, 1)))
    told: Event = drama.one_of(
        (
            types.BlobsCondemned(broadcast=BROADCAST, project=PROJECT, objects=(object_name(COLLECTIONS[0], 1),)),
            types.BlobsMoved(
                project=PROJECT,
                moves=(types.Move(object_name(COLLECTIONS[0], 2), 0, 5, into, 10),),
            ),
            types.SettingsChanged(project=PROJECT, settings=drama.one_of(SETTINGS)),
            types.AccessGranted(scope=drama.one_of(SCOPES), principal=PRINCIPAL, role=drama.one_of(ROLES)),
            types.AccessRevoked(scope=drama.one_of(SCOPES), principal=PRINCIPAL),
            types.TokenCreated(
                scope=drama.one_of(SCOPES),
                token=drama.one_of(TOKENS),
                principal=drama.one_of((PRINCIPAL, "other|ann")),
                expires_ms=drama.one_of((None, 1, 0)),
            ),
            types.TokenRevoked(scope=drama.one_of(SCOPES), token=drama.one_of(TOKENS)),
            types.SubscriptionAdded(
                scope=drama.one_of(SCOPES), subscription="hook", settings=drama.one_of(WEBHOOK_SETTINGS)
            ),
            types.SubscriptionRemoved(scope=drama.one_of(SCOPES), subscription="hook"),
            types.SessionsRetired(broadcast=BROADCAST, before_ms=drama.one_of(RETIRED_BEFORE_MS)),
            types.RulesChanged(broadcast=BROADCAST, project=PROJECT, rule="retention", value='{"days":3}'),
        )
    )
    drama.tell(told)


def _send_under_a_wrong_key(drama: _Drama) -> None:
    event = types.VersionRestored(collection=COLLECTIONS[0], version=0)
    drama.teller.tell(event, session=drama.session(), key=keys.collection_key(COLLECTIONS[1]))


def _send_again(drama: _Drama) -> None:
    if drama.teller.steps:
        step = drama.one_of(drama.teller.steps)
        if not isinstance(step.what, Damage):  # nothing says that two of those are one
            drama.teller.steps.append(step)


def _lose(drama: _Drama) -> None:
    collection = drama.collection()
    lost = types.VersionRecalled(collection=collection, version=drama.version(collection), reason="lost")
    drama.teller.tell(lost, session=drama.session(), lose=True)


def _find_again(drama: _Drama) -> None:
    if drama.teller.lost:
        drama.teller.send_again_from(drama.one_of(drama.teller.lost))


def _damage(drama: _Drama) -> None:
    collections = [keys.collection_key(name) for name in COLLECTIONS]
    key = drama.one_of([*collections, *collections, keys.run_key(RUNS[0]), keys.project_key(PROJECT)])
    drama.letters.append(drama.teller.tell(Damage(), session=SESSIONS[0], key=key))


def _resolve(drama: _Drama) -> None:
    if drama.letters:
        letter = drama.one_of(drama.letters)
        decision = Resolve(letter.number, drama.one_of(("skip", "skip", "skip", "retry", "shrug")))
        drama.teller.tell(decision, session="f" * 48, key=letter.key)


_SCENES: dict[Callable[[_Drama], None], int] = {
    _log_own: 8,
    _log_together: 4,
    _open_shared: 3,
    _say_in_draft: 6,
    _say_done: 2,
    _say_commit: 3,
    _discard: 1,
    _move_alias: 3,
    _use: 2,
    _describe: 3,
    _delete: 3,
    _restore: 2,
    _purge: 2,
    _recall: 1,
    _run: 4,
    _administer: 2,
    _send_under_a_wrong_key: 1,
    _send_again: 2,
}
_MISHAPS: dict[Callable[[_Drama], None], int] = {_lose: 1, _find_again: 2, _damage: 2, _resolve: 4}
