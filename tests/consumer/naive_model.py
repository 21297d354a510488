"""A second, naive implementation of the projector in dictionaries: whole listings, no layers, database or positions.

It shares with the projector the grammar of names and paths and nothing else. Slow on purpose: every version is a copy.
"""

import json
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from headwater_schemas import events as types
from headwater_schemas import metadata
from headwater_schemas.errors import Reason
from headwater_schemas.events import Event
from headwater_schemas.paths import colliding_forms, folders_of

from tests.consumer.inspection import Listing, digest_of
from tests.consumer.naive_collections import ModelCollection, ModelDraft, ModelVersion
from tests.consumer.naive_runs import ModelRejection, ModelRuns, reject_if
from tests.support.steps import Damage, Purge, Resolve, Step


class Model:
    """Applies steps one by one."""

    def __init__(self) -> None:
        self.collections: dict[str, ModelCollection] = defaultdict(ModelCollection)
        self.runs = ModelRuns()
        self._condemned: dict[str, int] = {}  # object → as which arrival
        self.policies: dict[str, object] = {}  # of the one project: name → rules; None: removed
        self.session_of: dict[int, str] = {}  # step → who sent it
        self.rejections: list[tuple[int, Reason]] = []  # (step, why), as they came
        self._retired_before = ""
        self._sequences: dict[tuple[str, str], int] = {}
        self._waiting: dict[str, list[tuple[int, Step]]] = {}  # key → the dead letter, and what came after it, and when
        self._arrivals = 0  # of steps, so far
        self._came = 0  # as which of them the step came that is judged now
        self._resolving: int | None = None  # the step by which what waited is judged
        self._arrived: dict[int, int] = defaultdict(int)  # step → how often it did

    def apply_all(self, steps: Sequence[Step]) -> "Model":
        for step in steps:
            self.apply(step)
        return self

    def apply(self, step: Step) -> None:
        self._arrived[step.number] += 1
        self._arrivals += 1
        self._judge(self._arrivals, step)

    def _judge(self, came: int, step: Step) -> None:
        waiting = self._waiting.get(step.key)
        if waiting and not isinstance(step.what, Resolve):
            waiting.append((came, step))
        elif isinstance(step.what, Damage):
            self._waiting[step.key] = [(came, step)]
        else:
            self._came = came
            self._apply_in_sequence(step)

    def _apply_in_sequence(self, step: Step) -> None:
        self.session_of[step.number] = step.origin.session
        if step.origin.session < self._retired_before:
            self.rejections.append((step.number, Reason.SESSION_RETIRED))
            return
        stream = (step.origin.session, step.key)
        expected = self._sequences.get(stream, -1) + 1
        if step.origin.sequence < expected:
            return
        if step.origin.sequence > expected:
            self.rejections.append((step.number, Reason.SEQUENCE_GAP))
            return
        self._sequences[stream] = expected
        try:
            self._handle(step)
        except ModelRejection as rejection:
            self.rejections.append((step.number, rejection.reason))

    def _handle(self, step: Step) -> None:
        what = step.what
        if isinstance(what, Resolve):
            self._resolve(step.number, step.key, what)
            return
        assert not isinstance(what, Damage)
        if isinstance(what, Purge):
            self._purge(step, what)
            return
        reject_if(what.key != step.key, Reason.INVALID)
        if isinstance(what, types.RunEvent):
            self.runs.apply(what)
        meaning = _MEANINGS.get(type(what))
        if meaning is not None:
            before = self._said_of_versions(what)
            meaning(self, step, what)
            self._note_updates(step, what, before)
            if isinstance(what, types.DraftEvent):
                self.collections[what.collection].drafts[what.draft].last_event = step.event_id

    def _purge(self, step: Step, purge: Purge) -> None:
        version = self.collections[purge.collection].known(purge.version)
        reject_if(version.live or version.deletion != purge.deletion, Reason.VERSION_NOT_DELETED)
        if "purged" not in version.facts:
            version.facts["purged"] = ""
            version.updated = step.number

    def condemn(self, objects: Iterable[str]) -> None:
        for name in objects:
            self._condemned.setdefault(name, self._came)

    def are_condemned(self, objects: Iterable[str]) -> bool:
        """Whether one of the objects was when the step came that is judged now, however long that waited since."""
        return any(self._condemned.get(name, self._came) < self._came for name in objects)

    def retire(self, before_ms: int) -> None:
        before = f"{before_ms:012x}"
        if before <= self._retired_before:
            return
        self._retired_before = before
        self.rejections = [
            (number, reason) for number, reason in self.rejections if self.session_of[number] >= self._retired_before
        ]
        for collection in self.collections.values():
            collection.drafts = {
                name: draft for name, draft in collection.drafts.items() if not self._ended(name, draft)
            }

    def _ended(self, name: str, draft: ModelDraft) -> bool:
        """Whether a draft of one writer is closed, and its session retired: nothing knows it any more."""
        return name.startswith(types.OWN_DRAFT) and draft.closed and draft.session < self._retired_before

    def _said_of_versions(self, event: Event) -> list[tuple[object, ...]]:
        """What is said about each version of the event's collection, and what names it."""
        if not isinstance(event, types.CollectionEvent):
            return []
        collection = self.collections[event.collection]
        return [
            (dict(version.facts), set(version.tags), {a for a, at in collection.aliases.items() if at == number})
            for number, version in enumerate(collection.versions)
        ]

    def _note_updates(self, step: Step, event: Event, before: list[tuple[object, ...]]) -> None:
        for number, (attributes, now) in enumerate(zip(before, self._said_of_versions(event), strict=False)):
            if attributes != now:
                assert isinstance(event, types.CollectionEvent)
                self.collections[event.collection].versions[number].updated = step.number

    def _resolve(self, number: int, key: str, resolve: Resolve) -> None:
        waiting = self._waiting.get(key, [])
        reject_if(resolve.decision not in ("skip", "retry"), Reason.INVALID)
        reject_if(not waiting or waiting[0][1].number != resolve.letter, Reason.INVALID)
        if resolve.decision == "retry":
            return  # what did not decode then does not now
        del self._waiting[key]
        before, self._resolving = self._resolving, number if self._resolving is None else self._resolving
        for came, step in waiting[1:]:
            self._judge(came, step)
        self._resolving = before

    def effective(self, step: Step) -> int | None:
        """The step from which on what this one says counts; None where that did not when it came for the first time."""
        number = step.number if self._resolving is None else self._resolving
        return number if self._arrived[number] == 1 else None


# --- drafts -------------------------------------------------------------------------------------------------------


def _opened(model: Model, step: Step, event: types.DraftOpened) -> None:
    collection = model.collections[event.collection]
    reject_if(collection.type not in (None, event.type), Reason.TYPE_MISMATCH)
    draft = collection.drafts.get(event.draft)
    if draft is not None:
        collection.open_draft(event.draft)
        reject_if(draft.type != event.type, Reason.TYPE_MISMATCH)
        reject_if(draft.base != event.base, Reason.BASE_MISMATCH)
        return
    listing: Listing = {}
    if event.base is not None:
        there = event.base < len(collection.versions) and collection.versions[event.base].live
        reject_if(not there, Reason.BASE_UNKNOWN)
        listing = dict(collection.versions[event.base].listing)
    collection.drafts[event.draft] = ModelDraft(event.type, event.base, listing, session=step.origin.session)


def _added(model: Model, step: Step, event: types.EntryAdded) -> None:
    draft = model.collections[event.collection].open_draft(event.draft)
    entries: Listing = {
        row.path: (3 if row.executable else 0, row.size, row.digest, *row[3:5], None, None, None)
        for row in event.files.rows()
    }
    for found in event.references:
        entries[found.path] = (1, found.size, None, None, None, found.uri, found.checksum, found.object_version)
    folders = {folder for path in entries for folder in folders_of(path)}
    reject_if(bool(folders & entries.keys()) or colliding_forms(entries) is not None, Reason.PATH_CONFLICT)
    reject_if(model.are_condemned(event.files.objects), Reason.BLOB_CONDEMNED)
    if event.draft.startswith(types.SHARED_DRAFT):
        reject_if(_cannot_join(set(entries), set(draft.listing)), Reason.PATH_CONFLICT)
    draft.listing.update(entries)
    for path in entries:
        draft.path_writers[path].add(_writer(step, event))


def _cannot_join(paths: set[str], there: set[str]) -> bool:
    """Whether one of `paths` would be file and folder at once, or look like another; what is there stays as it is."""
    folders, folders_there = _folders(paths), _folders(there)
    forms = {unicodedata.normalize("NFC", name): name for name in paths | folders}
    alike = [name for name in there | folders_there if forms.get(unicodedata.normalize("NFC", name), name) != name]
    return bool(paths & folders_there or folders & there or alike)


def _folders(paths: set[str]) -> set[str]:
    return {folder for path in paths for folder in folders_of(path)}


def _removed(model: Model, step: Step, event: types.EntryRemoved) -> None:
    draft = model.collections[event.collection].open_draft(event.draft)
    within = [path for path in draft.listing if set(folders_of(path)) & set(event.folders)]
    for path in {*event.paths, *within}:
        draft.listing.pop(path, None)
        draft.path_writers[path].add(_writer(step, event))


def _writer(step: Step, event: types.EntryAdded | types.EntryRemoved) -> str:
    is_shared = event.draft.startswith(types.SHARED_DRAFT)
    return (event.writer or step.origin.session) if is_shared else "the only one"


def _done(model: Model, step: Step, event: types.WriterDone) -> None:
    collection = model.collections[event.collection]
    draft = collection.open_draft(event.draft)
    reject_if(not event.draft.startswith(types.SHARED_DRAFT), Reason.INVALID)
    draft.done.add(event.writer or step.origin.session)
    if draft.commits and len(draft.done) >= (draft.commits[0][1].writers or 0):
        waiting, draft.commits = draft.commits, []
        try:
            _seal(collection, draft, [event for _, event in waiting])
        except ModelRejection as rejection:
            by_writer = {_committer(model, number, commit): number for number, commit in waiting}
            model.rejections += [(number, rejection.reason) for number in sorted(by_writer.values())]


def _committer(model: Model, number: int, event: types.VersionCommitted) -> str:
    return event.run or model.session_of[number]


def _committed(model: Model, step: Step, event: types.VersionCommitted) -> None:
    collection = model.collections[event.collection]
    reject_if(event.imported is not None and event.draft.startswith(types.SHARED_DRAFT), Reason.INVALID)
    if event.draft in collection.drafts and collection.drafts[event.draft].version is not None:
        _committed_again(collection, event)
        return
    draft = collection.open_draft(event.draft)
    together = [*(commit for _, commit in draft.commits), event]
    if event.writers is not None and len(draft.done) < event.writers:
        reject_if(len({commit.writers for commit in together}) > 1, Reason.COMMIT_CONFLICT)
        _united(together)
        draft.commits.append((step.number, event))
    else:
        _seal(collection, draft, [event, *(commit for _, commit in draft.commits)])
        draft.commits = []


def _committed_again(collection: ModelCollection, event: types.VersionCommitted) -> None:
    number = collection.drafts[event.draft].version
    assert number is not None
    version, (attributes, tags, aliases) = collection.versions[number], _united([event])
    if attributes or tags or aliases:
        collection.live_version(number)
        for name, value in attributes.items():
            reject_if(version.facts.get(name, value) != value, Reason.COMMIT_CONFLICT)
        changes = any(version.facts.get(name) != value for name, value in attributes.items())
        changes = changes or not tags <= version.tags or any(collection.aliases.get(a) != number for a in aliases)
        reject_if(changes and event.rights == (), Reason.NOT_PERMITTED)
    version.facts.update(attributes)
    version.tags |= tags
    version.outputs |= {event.run} if event.run and version.live else set()
    collection.aliases.update(dict.fromkeys(aliases, number))


def _united(commits: Sequence[types.VersionCommitted]) -> tuple[dict[str, str], set[str], set[str]]:
    """What commits of one draft give together: attributes, tags, aliases."""
    given: dict[str, str] = {}
    for commit in commits:
        ttl = None if commit.ttl_seconds is None else str(commit.ttl_seconds)
        texts = {"description": commit.description, "metadata": commit.metadata, "ttl": ttl}
        for name, value in texts.items():
            if value is not None:
                reject_if(given.setdefault(name, value) != value, Reason.COMMIT_CONFLICT)
    tags, aliases = ({name for commit in commits for name in getattr(commit, kind)} for kind in ("tags", "aliases"))
    return given, tags, aliases


def _discarded(model: Model, step: Step, event: types.DraftDiscarded) -> None:
    collection = model.collections[event.collection]
    draft = collection.drafts.get(event.draft)
    if draft is None or not draft.discarded:
        draft = collection.open_draft(event.draft)
        reject_if(event.last_event not in (None, draft.last_event), Reason.DRAFT_TOUCHED)
        draft.discarded = True


def _seal(collection: ModelCollection, draft: ModelDraft, commits: Sequence[types.VersionCommitted]) -> None:
    """Seal by the first of several commits; what the others give is united with it."""
    event = commits[0]
    if event.expect_latest is not None:
        reject_if(event.expect_latest.version != collection.aliases.get("latest"), Reason.LATEST_MOVED)
    attributes, tags, aliases = _united(commits)
    digest = digest_of(draft.listing)
    reject_if(event.expected_digest not in (None, digest), Reason.DIGEST_MISMATCH)
    reject_if(collection.type not in (None, draft.type), Reason.TYPE_MISMATCH)
    collection.type = draft.type
    same = [
        n
        for n, version in enumerate(collection.versions)
        if version.live and _content(version.listing) == _content(draft.listing)
    ]
    if not same:
        contested = {path for path, sessions in draft.path_writers.items() if len(sessions) > 1}
        collection.versions.append(ModelVersion(draft.listing, contested))
    number = draft.version = same[0] if same else len(collection.versions) - 1
    version = collection.versions[number]
    version.outputs |= {commit.run for commit in commits if commit.run}
    latest = collection.aliases.get("latest")
    if event.imported is None or latest is None or "imported" in collection.versions[latest].facts:
        collection.aliases["latest"] = number
    if not same or event.rights != ():
        version.facts.update(attributes)
        version.tags |= tags
        collection.aliases.update(dict.fromkeys(aliases, number))
    if event.imported is not None:
        origins = json.loads(version.facts.get("imported", "[]"))
        origin = {
            "author": event.imported.author,
            "store": event.imported.store,
            "time_us": int(event.imported.time.timestamp()) * 1_000_000,
            "version": event.imported.version,
        }
        if not any((one["store"], one["version"]) == (origin["store"], origin["version"]) for one in origins):
            origins.append(origin)
        version.facts["imported"] = json.dumps(origins, separators=(",", ":"))


def _content(listing: Listing) -> dict[str, tuple[object, ...]]:
    """A listing without the places of its bytes, which are no part of what it is."""
    return {path: (*entry[:3], *entry[5:]) for path, entry in listing.items()}


# --- versions -----------------------------------------------------------------------------------------------------


def _alias_moved(model: Model, step: Step, event: types.AliasMoved) -> None:
    collection = model.collections[event.collection]
    if event.expected is not None:
        reject_if(event.expected.version != collection.aliases.get(event.alias), Reason.ALIAS_MOVED)
    if event.version is None:
        collection.aliases.pop(event.alias, None)
    else:
        collection.live_version(event.version)
        collection.aliases[event.alias] = event.version


def _used(model: Model, step: Step, event: types.ArtifactUsed) -> None:
    model.collections[event.collection].live_version(event.version).uses.add(
        (event.run, event.requested, event.use_as or "")
    )


def _described(model: Model, step: Step, event: types.VersionDescribed) -> None:
    version = model.collections[event.collection].live_version(event.version)
    facts = version.facts
    ttl = None if event.ttl_seconds is None else str(event.ttl_seconds or "")
    attributes = {"description": event.description, "metadata": event.metadata, "ttl": ttl}
    facts.update({name: value for name, value in attributes.items() if value is not None})
    if event.metadata_patch is not None:
        merged = metadata.merge(metadata.decode(facts.get("metadata", "{}")), metadata.decode(event.metadata_patch))
        facts["metadata"] = metadata.encode(merged)
    for name in [name for name, value in facts.items() if value == "" and name not in ("deleted", "purged")]:
        del facts[name]
    version.tags = (version.tags | set(event.tags_added)) - set(event.tags_removed)


def _deleted(model: Model, step: Step, event: types.VersionDeleted) -> None:
    collection = model.collections[event.collection]
    version = collection.live_version(event.version)
    held = {alias for alias, number in collection.aliases.items() if number == event.version}
    if event.decided_on is not None:
        reject_if(_has_changed(collection, event.version, held, event.decided_on), Reason.STATE_CHANGED)
    reject_if(bool(held) and not event.delete_aliases, Reason.ALIAS_HELD)
    version.facts["deleted"] = ""
    version.deletion = model.effective(step)
    for alias in held:
        del collection.aliases[alias]
    newest = collection.newest_live()
    if "latest" in held and newest is not None:
        collection.aliases["latest"] = newest


def _has_changed(collection: ModelCollection, number: int, held: set[str], decided_on: types.DecidedOn) -> bool:
    version = collection.versions[number]
    ttl = None if decided_on.ttl_seconds is None else str(decided_on.ttl_seconds)
    return (
        "recalled" in version.facts
        or not held <= set(decided_on.aliases)
        or version.times_restored != decided_on.times_restored
        or (decided_on.unused and bool(version.uses))
        or (ttl is not None and version.facts.get("ttl") != ttl)
        or sum(newer.live for newer in collection.versions[number + 1 :]) < (decided_on.newer or 0)
    )


def _restored(model: Model, step: Step, event: types.VersionRestored) -> None:
    collection = model.collections[event.collection]
    facts = collection.known(event.version).facts
    reject_if("purged" in facts, Reason.VERSION_PURGED)
    if facts.pop("deleted", None) is not None:
        collection.versions[event.version].times_restored += 1
        newest = collection.newest_live()
        assert newest is not None
        collection.aliases.setdefault("latest", newest)


def _recalled(model: Model, step: Step, event: types.VersionRecalled) -> None:
    model.collections[event.collection].known(event.version).facts["recalled"] = event.reason


# --- settings, sessions and objects ---------------------------------------------------------------------------------


def _settings_changed(model: Model, step: Step, event: types.SettingsChanged) -> None:
    settings = metadata.decode(event.settings)
    policies = settings.get("retention", {})
    reject_if("unheard_of" in settings or policies is None or {"keep_last": 0} in policies.values(), Reason.INVALID)
    for name, rules in policies.items():
        if (name in model.policies or rules is not None) and model.policies.get(name) != rules:
            model.policies[name] = rules


def _access_granted(model: Model, step: Step, event: types.AccessGranted) -> None:
    reject_if(event.role == "owner", Reason.INVALID)


def _token_created(model: Model, step: Step, event: types.TokenCreated) -> None:
    reject_if(event.principal.startswith("other|") or event.expires_ms == 0, Reason.INVALID)


def _subscription_added(model: Model, step: Step, event: types.SubscriptionAdded) -> None:
    reject_if("url" not in event.settings, Reason.INVALID)


def _retired(model: Model, step: Step, event: types.SessionsRetired) -> None:
    reject_if(step.origin.session < f"{event.before_ms:012x}", Reason.INVALID)
    model.retire(event.before_ms)


def _condemned(model: Model, step: Step, event: types.BlobsCondemned) -> None:
    model.condemn(event.objects)


def _moved(model: Model, step: Step, event: types.BlobsMoved) -> None:
    reject_if(model.are_condemned([move.to_object_name for move in event.moves]), Reason.BLOB_CONDEMNED)


_MEANINGS: dict[type[Event], Callable[[Model, Step, Any], None]] = {
    types.DraftOpened: _opened,
    types.EntryAdded: _added,
    types.EntryRemoved: _removed,
    types.WriterDone: _done,
    types.VersionCommitted: _committed,
    types.DraftDiscarded: _discarded,
    types.AliasMoved: _alias_moved,
    types.ArtifactUsed: _used,
    types.VersionDescribed: _described,
    types.VersionDeleted: _deleted,
    types.VersionRestored: _restored,
    types.VersionRecalled: _recalled,
    types.BlobsCondemned: _condemned,
    types.BlobsMoved: _moved,
    types.SessionsRetired: _retired,
    types.SettingsChanged: _settings_changed,
    types.AccessGranted: _access_granted,
    types.TokenCreated: _token_created,
    types.SubscriptionAdded: _subscription_added,
}
