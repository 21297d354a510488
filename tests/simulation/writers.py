"""Writers: virtual users' scripts that log versions, share drafts, move aliases and wait for the answers.

A script that crashes is run again from its beginning, as a user would: what it logs then is the same content.
"""

import math
import tempfile
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from headwater._commit.outcomes import NOTHING_TOLD, Outcomes
from headwater._commit.session import WriteSession
from headwater._commit.tasks import STORED_AGAIN_MAX
from headwater_consumer import queries
from headwater_consumer.projection.embedded import EmbeddedProjection
from headwater_consumer.projection.news import WaitTimer
from headwater_consumer.projection.remote import RemoteProjection
from headwater_consumer.queries.projects import chosen_algorithm
from headwater_consumer.queries.reads import DirectReads
from headwater_consumer.writing.runner import Projector, StaleProjector
from headwater_producer import commits
from headwater_producer.batches import file_events
from headwater_producer.commits import CommitVersion
from headwater_producer.producer import Producer, SentEvent, Timer
from headwater_producer.stager import BlobStager
from headwater_producer.stored_content import OBJECT_TRUSTED_S, ContentMissing
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation, FileEntries
from headwater_schemas.errors import ContentError, DurabilityUnknown, EventRejected, Reason, StoreUnavailable
from headwater_schemas.events import EntryRemoved, Event
from headwater_schemas.names import CollectionName
from headwater_schemas.positions import BEFORE_FIRST, Cut
from headwater_stores.stores import Projection, Stores

from tests.simulation import views
from tests.simulation.faults import Violation
from tests.simulation.ledger import Content, Entry, OwnCommit, Upsert, is_executable
from tests.simulation.simulated_blobs import ProcessBlobs
from tests.simulation.simulated_database import ProcessDatabase
from tests.simulation.simulated_log import ProcessLog
from tests.simulation.world import ALGORITHMS, NO_LOCK, Process, World

PROJECT = "e/p"
PROJECTS = (PROJECT, "e/q")
COLLECTIONS = ("e/p/a", "e/p/b", "e/q/a")  # the last one is in another project, which has content of its own
TYPE = "dataset"
PROJECTED_PER_BATCH = (1, 2, 5, 1000)
APPENDED_AT_ONCE = (1, 3, 512, 512)
CONFIRM_S_MAX = 60.0
WAIT_S_MAX = 1.0
VERIFIED_RATE = 0.5  # how often what is taken is verified
LOSS_RATES = (0.0, 0.8)  # how often content is lost that is about to be logged again
TRUSTED_S = (0.0, 0.0, 0.5, OBJECT_TRUSTED_S)  # for so long an object is not asked for again
_THREAD_RATE = 0.15  # how often the process's logging thread is at work when this one stores a blob

Task = Callable[["Writer"], Iterator[None]]


@dataclass(slots=True, eq=False)
class _Unanswered:
    """Sent in this life of the process; nobody was told yet what became of it."""

    events: Sequence[SentEvent]
    commit: OwnCommit | None = None
    locations: Mapping[bytes, BlobLocation] | None = None
    again: "Callable[[], Iterator[None]] | None" = None  # sends it once more, with its content stored anew


class Writer(Process):
    """A user's script in one process."""

    def __init__(self, world: World, name: str, plan: Sequence[Task]) -> None:
        super().__init__(world, name)
        self._plan = plan
        self._preferred = world.random.choice(ALGORITHMS)
        self._loss_rate = world.random.choice(LOSS_RATES)
        self._trusted_s = world.random.choice(TRUSTED_S)
        self._projects = world.random.random() < 0.5  # as on a laptop: who waits projects

    def script(self) -> Iterator[None]:
        world = self.world
        self.log, self.blobs, self.database = ProcessLog(self), ProcessBlobs(self), ProcessDatabase(self)
        self.producer = Producer(
            self.log,
            author=self.name,
            clock=world.clock,
            timer=Timer(lambda: world.now_s, world.sleep),
            records_per_append=world.random.choice(APPENDED_AT_ONCE),
        )
        world.producers[self.name] = self.producer
        per_batch = world.random.choice(PROJECTED_PER_BATCH)
        self._projector = Projector(self.log, self.database, records_per_batch=per_batch)
        reads, projection = DirectReads(self.database), self._projection()
        stores = Stores("simulated", self.log, self.blobs, self.database, reads, projection, read_only=False)
        self._session = WriteSession(stores, self.producer, entity="", quiet=True)
        self._unanswered: list[_Unanswered] = []
        self._condemned: list[_Unanswered] = []  # refused, since its content was condemned meanwhile
        self._verified_s: dict[bytes, float] = {}  # digest → when it was verified last
        self._confirming = False
        self.last_version: int | None = None  # that a commit of it is known to have become
        self._algorithm = self._preferred if world.algorithm is None else world.algorithm
        for project in PROJECTS if world.algorithm is None else ():
            self._algorithm = yield from self._settle_algorithm(project, self._algorithm)
        self.stager = BlobStager(
            self.blobs,
            self._stored_locations,
            algorithm=self._algorithm,
            project=PROJECT,
            objects=reads,
            clock=lambda: world.now_s,
            trusted_s=self._trusted_s,
            catch_up=self._catch_up,
        )
        for task in self._plan:
            yield
            yield from task(self)
        yield from self.wait()

    # --- what tasks are made of

    def take(self, contents: Sequence[bytes], *, verify: bool = False) -> list[bytes]:
        """Take bytes and return their digests. `verify`: have what is stored of them read."""
        self._lose_stored(contents)
        before_s = self.world.now_s
        taken = self._ingest(contents, verify=verify)
        self.world.ledger.contents.update(zip(taken, contents, strict=True))
        if verify:
            self._verified_s.update(dict.fromkeys(taken, before_s))
        return taken

    def send(self, events: Sequence[Event]) -> list[SentEvent]:
        """Send events whose outcome will be asked for."""
        sent = self.producer.send(events)
        self._unanswered.append(_Unanswered(sent))
        self.note(f"sends {', '.join(event.name for event in events)}")
        return sent

    def commit(self, command: CommitVersion, meant: Content, *, left: int = STORED_AGAIN_MAX) -> Iterator[None]:
        """Log a version of one's own; again, so many times at most, where its content is condemned meanwhile."""
        while True:
            before_s = self.world.now_s
            try:
                sent = commits.send_commit(command, self.stager, self.producer, restore=self._restore)
            except StoreUnavailable:
                yield
                continue
            except ContentError as error:
                self._expect_damage(error)
                return
            break
        self._check_relied_on(sent.locations, before_s)
        commit = OwnCommit(command.collection, sent.draft, sent.events, meant, command.base)
        self.world.ledger.own.append(commit)
        again = partial(self.commit, command, meant, left=left - 1) if left else None
        self._unanswered.append(_Unanswered(sent.events, commit, sent.locations, again))
        self.note(f"commits {command.collection} on {command.base}: {sorted(meant)}")

    def upsert(
        self, collection: str, draft: str, path: str, content: bytes, *, left: int = STORED_AGAIN_MAX
    ) -> Iterator[None]:
        """Put a file into a shared draft; as `commit`."""
        try:
            (digest,) = self.take([content], verify=self.world.random.random() < VERIFIED_RATE)
        except StoreUnavailable as error:
            self.note(f"gives up: {error}")
            return
        project = CollectionName.parse(collection).namespace
        while True:
            before_s = self.world.now_s
            try:
                place = self.stager.publish(project, [digest])[digest]
            except StoreUnavailable:
                yield
                continue
            except ContentMissing:
                self._restore(self.stager.find_lost(project, [digest]))
                yield
                continue
            except ContentError as error:
                self._expect_damage(error)
                return
            break
        self._check_relied_on({digest: place}, before_s)
        algorithm, size = digests.algorithm_of(digest), len(content)
        executable = is_executable(self.name, path)
        rows = [0] if executable else []
        files = FileEntries.of_columns(algorithm, [path], [digest], [size], [place.object_name], [place.offset], rows)
        (event,) = self.send(list(file_events(collection, draft, files)))
        self._unanswered[-1].locations = {digest: place}
        self._unanswered[-1].again = (
            partial(self.upsert, collection, draft, path, content, left=left - 1) if left else None
        )
        self.world.ledger.upserts.append(
            Upsert(collection, draft, event, {path: Entry(digest, size, None, executable)})
        )

    def take_out(self, collection: str, draft: str, path: str) -> None:
        """Take a path out of a shared draft."""
        (event,) = self.send([EntryRemoved(collection=collection, draft=draft, paths=(path,))])
        self.world.ledger.upserts.append(Upsert(collection, draft, event, {}, (path,)))

    def content_of_latest(self, collection: str) -> tuple[int | None, dict[str, Entry]]:
        """The latest version and what it lists; none where the database crashes between the two."""
        number = queries.resolve_version(self.database, collection, "latest")
        info = None if number is None else queries.version_info(self.database, collection, number)
        with suppress(StoreUnavailable):
            return (None, {}) if info is None else (number, views.content_of(self.database, info))
        return None, {}

    def wait(self) -> Iterator[None]:
        """Have everything confirmed, and learn what became of each part once that is projected."""
        yield from self._confirmed()
        while self._unanswered:
            ready = self._projected() if self._projects else self._awaited()
            if ready and self._nothing_waits():
                self._learn(ready)
            while self._condemned:
                yield from self._send_again(self._condemned.pop(0))
            if self._unanswered:
                if self._projects:
                    self._project()
                yield

    def thread(self) -> None:
        """The logging thread sends what it has while another thread of the process is storing blobs."""
        if not self._confirming and self.producer.pending and self.world.random.random() < _THREAD_RATE:
            self.note("its logging thread confirms")
            self._confirm(timeout_s=0)

    # --- parts

    def _projection(self) -> Projection:
        if self._projects:
            return EmbeddedProjection(self.log, self.database, NO_LOCK)
        timer = WaitTimer(lambda: self.world.now_s, self.world.sleep)
        return RemoteProjection(self.log, self.database, timer=timer)

    def _settle_algorithm(self, project: str, wanted: str) -> Generator[None, None, str]:
        """Have a project's digest algorithm chosen before anything is logged there. Others may be faster."""
        while True:
            try:
                wanted = chosen_algorithm(self.database, project) or wanted
                claim = self._session.algorithms.claim(project, wanted)
                break
            except StoreUnavailable:
                yield
        if claim is None:
            return wanted
        self._unanswered.append(_Unanswered([claim]))
        self.note(f"wants {wanted} in {project}")
        yield from self.wait()
        # None for a writer whose session was retired: all that it logs is refused.
        return chosen_algorithm(self.database, project) or wanted

    def _stored_locations(
        self, project: str, wanted: Sequence[bytes], *, without: Collection[str] = ()
    ) -> Mapping[bytes, BlobLocation]:
        return queries.stored_locations(self.database, project, wanted, without=without)

    def _catch_up(self) -> None:
        """Raises: StoreUnavailable unless all that is on the log is projected; who sent it tries again."""
        if not self.world.has_projected(Cut(self.log.generation, dict(self.log.ends()))):
            raise StoreUnavailable("the projection is behind")

    def _confirmed(self) -> Generator[None, None, Cut]:
        while (cut := self._confirm(timeout_s=self.world.random.uniform(1, CONFIRM_S_MAX))) is None:
            yield
        return cut

    def _confirm(self, *, timeout_s: float) -> Cut | None:
        self._confirming = True
        sent = [event for unanswered in self._unanswered for event in unanswered.events]
        try:
            cut = self.producer.confirm(timeout_s=timeout_s)
        except (DurabilityUnknown, StoreUnavailable):
            return None
        finally:
            self._confirming = False
        for event in sent:
            self.world.ledger.confirmed[event.session, event.key] = event.sequence
        return cut

    def _project(self) -> None:
        partition = self.world.random.randrange(self.log.partitions)
        if self.world.is_stopped(partition) or self.world.is_projected(partition):
            return
        try:
            self._projector.project_batch(partition)
        except (StaleProjector, StoreUnavailable) as error:
            self.note(f"could not project: {type(error).__name__}")

    def _nothing_waits(self) -> bool:
        """Whether no record is parked behind a dead letter, so that every outcome is there."""
        if not self.world.log.is_damaged:
            return True
        health = queries.health(self.database)
        return health.open_dead_letters == 0 and health.parked_records == 0

    def _projected(self) -> list[_Unanswered]:
        return [one for one in self._unanswered if self._is_projected(one.events)]

    def _awaited(self) -> list[_Unanswered]:
        """One that was waited for with some patience, if it is projected by then."""
        one = self.world.random.choice(self._unanswered)
        self._is_projected(one.events)  # which checks what is waited for
        cut, patience_s = self._session.cut_of(one.events), self.world.random.uniform(0, WAIT_S_MAX)
        outcomes = self._ask(cut, [], one.events, patience_s=patience_s)
        return [one] if outcomes.reached.includes(cut) else []

    def _is_projected(self, events: Sequence[SentEvent]) -> bool:
        """Whether the projection has them. Raises: Violation when it has, but the writer would wait for others."""
        cursor = self.world.cursor
        if self.world.has_projected(self._session.cut_of(events)):
            return True
        at = [position for event in events for position in self.world.log.positions_of(event)]
        if all(cursor.get(position.partition, BEFORE_FIRST) >= position.offset for position in at):
            raise Violation(f"own positions: {self.name} waits for more than the events that it asks about, at {at}")
        return False

    def _ask(
        self, cut: Cut, drafts: Sequence[tuple[str, str]], sent: Sequence[SentEvent], *, patience_s: float
    ) -> Outcomes:
        try:
            return self._session.ask(cut, drafts, sent, patience_s=patience_s)
        except StoreUnavailable as error:  # who waits projects, where it does so itself
            self.note(f"could not project: {error}")
            return NOTHING_TOLD

    def _learn(self, ready: Sequence[_Unanswered]) -> None:
        commits = [one.commit for one in ready if one.commit is not None]
        sent = [event for one in ready for event in one.events]
        drafts = [(commit.collection, commit.draft) for commit in commits]
        cut = self._session.cut_of(sent)
        outcomes = self._ask(cut, drafts, sent, patience_s=0)
        if not outcomes.reached.includes(cut):
            return  # the database has crashed meanwhile
        for one in ready:
            refused = [self._is_refused(event, outcomes) for event in one.events]
            if one.commit is not None:
                self._learn_version(one.commit, outcomes, one.locations or (), is_refused=any(refused))
            self._unanswered.remove(one)
            if (one.commit is None or one.commit.told is None) and self._are_condemned(one.events):
                self._condemned.append(one)

    def _are_condemned(self, events: Sequence[SentEvent]) -> bool:
        refused = self.world.ledger.refused
        return any(refused.get((e.session, e.key, e.sequence)) == Reason.BLOB_CONDEMNED for e in events)

    def _send_again(self, refused: _Unanswered) -> Iterator[None]:
        """What the product does where content was condemned before an event that names it arrived."""
        self.stager.distrust(refused.locations or {})
        if refused.again is None:
            raise Violation(f"nobody notices a collection: {self.name} stored a content {STORED_AGAIN_MAX} times")
        self.note("stores its content again")
        yield from refused.again()
        yield from self._confirmed()

    def _restore(self, missing: Collection[bytes]) -> None:
        """A user still has what was taken."""
        self._ingest([self.world.ledger.contents[digest] for digest in missing])

    def _ingest(self, contents: Sequence[bytes], *, verify: bool = False) -> list[bytes]:
        """Small contents go into a pack, and each large one is an object, named by its content."""
        small = [content for content in contents if len(content) <= self.world.packed_bytes_max]
        taken = dict(zip(small, self.stager.ingest(small, verify=verify), strict=True))
        for content in contents:
            if content not in taken:
                with tempfile.TemporaryFile(buffering=0) as file:
                    file.write(content)
                    file.seek(0)
                    taken[content], _ = self.stager.ingest_file(file, verify=verify)
        return [taken[content] for content in contents]

    def _learn_version(
        self, commit: OwnCommit, outcomes: Outcomes, contents: Collection[bytes], *, is_refused: bool
    ) -> None:
        outcome = outcomes.of_draft(commit.collection, commit.draft)
        version = None if outcome is None else outcome.version
        if version is None and not is_refused:
            raise Violation(f"1, never lost: {self.name} was told that a commit is durable, but nothing came of it")
        commit.told = self.last_version = version
        if version is not None:
            self.note(f"is told that its commit is {commit.collection}:v{version}")
            self.stager.forget(contents)

    def _is_refused(self, event: SentEvent, outcomes: Outcomes) -> bool:
        key = (event.session, event.key, event.sequence)
        try:
            outcomes.raise_rejection([event])
        except EventRejected as refusal:
            self.world.ledger.refused[key] = refusal.reason
            self.note(f"is told that {event.key}#{event.sequence} was refused: {refusal}")
            return True
        self.world.ledger.accepted.add(key)
        return False

    def _lose_stored(self, contents: Sequence[bytes]) -> None:
        """Somebody may damage an object that another process stored, and that has one of these contents."""
        if self.world.calm or self.world.random.random() >= self._loss_rate:
            return
        hash_one, code = digests.one_shot(self._algorithm), digests.pack(self._algorithm, b"")
        places = queries.stored_locations(self.database, PROJECT, [code + hash_one(content) for content in contents])
        self.world.blobs.tear({place.object_name for place in places.values()} - self.blobs.put)

    def _check_relied_on(self, places: Mapping[bytes, BlobLocation], before_s: float) -> None:
        """Raises: Violation where something relies on an object that was damaged before the store was last asked."""
        blobs = self.world.blobs
        for digest, place in places.items():
            if place.object_name in self.blobs.put:
                continue
            damaged_s = blobs.damaged_s.get(place.object_name, math.inf)
            data = blobs.objects.get(place.object_name, b"")
            if damaged_s <= before_s - self._trusted_s and len(data) < place.offset + place.size:
                raise Violation(f"bytes are confirmed: {self.name} relies on {place}, which was lost at {damaged_s}")
            content = data[place.offset : place.offset + place.size]
            if damaged_s <= self._verified_s.get(digest, -math.inf) and content != self.world.ledger.contents[digest]:
                raise Violation(f"bytes are verified: {self.name} relies on {place}, which was damaged at {damaged_s}")

    def _expect_damage(self, error: ContentError) -> None:
        blobs = self.world.blobs
        if all(blobs.is_whole(name) for name in blobs.ever):
            raise Violation(f"content cannot be read though nothing was damaged: {error}")
        self.note(f"gives up: {error}")
