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
from headwater_schemas.events import Event, Origin
from headwater_schemas.limits import HEARTBEAT_SECONDS_MAX
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.support.entries import of_rows

PROJECT = "team/vision"
COLLECTIONS = (f"{PROJECT}/digits", f"{PROJECT}/model", "team/other/digits")
SESSIONS = tuple(f"{1000 * n:012x}{n:020x}" for n in (1, 2, 3))  # they started one, two and three seconds after 1970
RETIRED_BEFORE_MS = (500, 1_500)  # the start of no session, and of the first
RUNS = (f"{PROJECT}/r1", f"{PROJECT}/r2")
PATHS = ("a", "b", "d/a", "d/b", "d/e/f", "é", "z")
ANOTHER_EVENT = "00000000-0000-5000-8000-000000000000"  # the id of no event
BROADCAST = "0123456789abcdef0123456789abcdef"
ODD_PATHS = ("d", "a/b", "e\u0301", "e\u0301/x")  # which cannot be beside some of those
SETTINGS = ('{"draft_idle_days":1}', '{"digest_algorithm":"blake3","draft_idle_days":null}', '{"unheard_of":1}')
FOLDERS = ("d", "d/e", "nowhere")
ALIASES = ("best", "prod")
TAGS = ("good", "old")
CLOCK = datetime(2024, 1, 1, tzinfo=UTC)


def object_name(collection: str, n: int) -> str:
    """One of the objects of the collection's project."""
    return f"packs/{collection.rpartition('/')[0]}/{n:032x}"


def file_row(collection: str, path: str, content: int, *, of_object: int = 0) -> FileRow:
    """A file whose bytes are told apart by a number."""
    digest = digests.pack(digests.XXH3, content.to_bytes(16, "big"))
    return FileRow(path, digest, content + 1, object_name(collection, of_object), 100 * content, content % 5 == 4)


def files(rows: Sequence[FileRow]) -> FileEntries:
    return of_rows(rows, digests.XXH3)


# --- steps --------------------------------------------------------------------------------------------------------


class Damage:
    """Bytes of a known schema that do not decode."""


@dataclass(frozen=True, slots=True)
class Resolve:
    """A decision about the record of another step of the same key."""

    letter: int  # the step's number
    decision: str


@dataclass(frozen=True, slots=True)
class Step:
    """What one record says. The same step twice in a history is the same event, sent twice."""

    number: int  # which step of its history it is
    key: str  # the record's; the event's own, unless it was sent under another
    origin: Origin
    what: Event | Damage | Resolve

    @property
    def everywhere(self) -> bool:
        """Whether it is written to every partition: each judges it for itself."""
        return isinstance(self.what, types.BroadcastEvent)

    @property
    def is_administration(self) -> bool:
        """Whether events of other keys are judged by it."""
        return self.key.startswith((keys.PROJECT, keys.BROADCAST))

    @property
    def event_id(self) -> str:
        return keys.event_id(self.origin.session, self.key, self.origin.sequence)


History = list[Step]


@dataclass(slots=True)
class Teller:
    """Gives steps their numbers, and events their place in their writer's order."""

    steps: History = field(default_factory=list)
    lost: History = field(default_factory=list)  # never arrived
    _sequences: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    _told: int = 0

    def tell(self, what: Event | Damage | Resolve, *, session: str, key: str | None = None, lose: bool = False) -> Step:
        """Somebody says something; with `lose` nobody hears it."""
        if key is None:
            assert not isinstance(what, Damage | Resolve)
            key = what.key
        sequence = self._sequences[session, key]
        if not isinstance(what, Damage):  # whoever wrote that was no writer of ours
            self._sequences[session, key] += 1
        step = Step(self._told, key, Origin(session=session, sequence=sequence, clock=CLOCK, author="ann"), what)
        self._told += 1
        (self.lost if lose else self.steps).append(step)
        return step

    def send_again_from(self, lost: Step) -> None:
        """What was lost, and then what was said after it by the same writer under the same key."""
        self.lost.remove(lost)
        said = {step.origin.sequence: step for step in self.steps if _stream(step) == _stream(lost)}
        later = [said[n] for n in sorted(said) if n > lost.origin.sequence]
        self.steps += [lost, *later]


def _stream(step: Step) -> tuple[str, str, bool]:
    return step.origin.session, step.key, isinstance(step.what, Damage)


def interleaved_anew(draw: Callable[[SearchStrategy[str]], str], history: Sequence[Step]) -> History:
    """The same history with another order between its keys. Administration stays where it is: all others go by it."""
    anew: History = []
    streams: dict[str, History] = defaultdict(list)

    def settle() -> None:
        while waiting := sorted(key for key, stream in streams.items() if stream):
            anew.append(streams[draw(st.sampled_from(waiting))].pop(0))

    for step in history:
        if step.is_administration:
            settle()
            anew.append(step)
        else:
            streams[step.key].append(step)
    settle()
    return anew


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


def _delete(drama: _Drama) -> None:
    collection = drama.collection_with_versions()
    version, aliases = drama.version(collection), drama.one_of((True, True, False))
    drama.tell(types.VersionDeleted(collection=collection, version=version, delete_aliases=aliases))


def _restore(drama: _Drama) -> None:
    collection = drama.collection_with_versions()
    drama.tell(types.VersionRestored(collection=collection, version=drama.version(collection)))


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
    told: Event = drama.one_of(
        (
            types.BlobsCondemned(broadcast=BROADCAST, project=PROJECT, objects=(object_name(COLLECTIONS[0], 1),)),
            types.BlobsMoved(
                project=PROJECT,
                moves=(types.Move(object_name(COLLECTIONS[0], 2), 0, 5, object_name(COLLECTIONS[0], 3), 10),),
            ),
            types.SettingsChanged(project=PROJECT, settings=drama.one_of(SETTINGS)),
            types.AccessGranted(project=PROJECT, principal="ann", role="reader"),
            types.AccessRevoked(project=PROJECT, principal="ann", role="reader"),
            types.SubscriptionAdded(project=PROJECT, subscription="hook", settings="{}"),
            types.SubscriptionRemoved(project=PROJECT, subscription="hook"),
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
        drama.teller.tell(decision, session="f" * 32, key=letter.key)


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
    _recall: 1,
    _run: 4,
    _administer: 2,
    _send_under_a_wrong_key: 1,
    _send_again: 2,
}
_MISHAPS: dict[Callable[[_Drama], None], int] = {_lose: 1, _find_again: 2, _damage: 2, _resolve: 4}
