"""What one process holds of one store: its connections, its place on the log, its queue."""

import atexit
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from headwater_consumer import queries
from headwater_consumer.queries.projects import digest_algorithm
from headwater_producer.producer import Producer, SentEvent, user_at_host
from headwater_producer.stager import BlobStager
from headwater_runtime import fork_hooks
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import EventRejected, HeadwaterError, Reason, StoreReadOnly
from headwater_schemas.events import Event
from headwater_schemas.keys import collection_key

from headwater._commit.tasks import EventsTask
from headwater._commit.write_queue import Logger, Task
from headwater._config.settings import Settings
from headwater._ingest.stat_cache import StatCache
from headwater._progress import tell
from headwater._stores.opening import open_stores

CATCH_UP_TIMEOUT_S = 120.0
REJECTIONS_MAX = 10_000  # of one session, looked through after each turn; there are hardly ever any
EXIT_PRIORITY = 100  # in a process of `multiprocessing`: before its own clean-up, as `atexit` would be


class Client:
    """One process's way to one store. Made by `client_for`; safe to use from threads and after a fork."""

    def __init__(self, settings: Settings, *, create: bool) -> None:
        self.url = settings.url
        self.quiet = settings.quiet
        self.stores = open_stores(settings, create=create)
        self.stat_cache = StatCache.open(settings.cache_dir / "stat_cache.db")
        self.producer = Producer(self.stores.log, author=user_at_host())
        self._logger = Logger(self)
        self._pid = os.getpid()
        self._stagers: dict[str, BlobStager] = {}
        self._lock = threading.Lock()
        self._outcomes: dict[tuple[str, str], queries.Outcome] = {}
        self._rejections: dict[tuple[str, int], queries.RejectionInfo] = {}
        self._before_exit: dict[Callable[[], None], None] = {}  # in the order they came
        _clean_up_at_exit(self)

    # --- bytes

    def stager(self, project: str) -> BlobStager:
        """Where bytes go that will most likely be logged in "entity/project"."""
        self.check_process()
        with self._lock:
            if project not in self._stagers:
                algorithm = digest_algorithm(self.stores.database, project)
                stored = self._stored_places
                self._stagers[project] = BlobStager(self.stores.blobs, stored, algorithm=algorithm, project=project)
            return self._stagers[project]

    def _stored_places(self, project: str, digests: Sequence[bytes]) -> Mapping[bytes, BlobLocation]:
        return queries.stored_places(self.stores.database, project, digests)

    def is_stored_version(self, project: str, digest: str) -> bool:
        """Whether "entity/project" has a version of this content, so that all of it is stored."""
        return queries.project_has_digest(self.stores.database, project, digest)

    # --- logging

    @property
    def logger(self) -> Logger:
        """The queue of this process."""
        self.check_process()
        return self._logger

    def put(self, task: Task[Any]) -> None:
        """Log a task in the background. Raises: StoreReadOnly."""
        self.check_process()
        if self.stores.read_only:
            raise StoreReadOnly(f"the store {self.stores.name} cannot be written. Set HEADWATER_URL to another one.")
        self.logger.put(task)

    def send(self, events: Sequence[Event], *, judged: bool = True, moves_names: bool = False) -> EventsTask:
        """Log events. Those that no rule can refuse need not be `judged`: they are over once they are durable."""
        task = EventsTask(self.logger, events, judged=judged, moves_names=moves_names)
        self.put(task)
        return task

    def catch_up(self) -> None:
        """Make everything that anybody wrote until now visible to this process's queries."""
        self.check_process()
        self.logger.drain()
        if not self.stores.read_only:
            self.stores.projection.catch_up(timeout_s=CATCH_UP_TIMEOUT_S)

    def catch_up_on(self, collection: str) -> None:
        """Make everything that was written about one collection visible to this process's queries."""
        self.check_process()
        if self.logger.moves_names:
            self.logger.drain()
        if not self.stores.read_only:
            self.stores.projection.catch_up_on(collection_key(collection), timeout_s=CATCH_UP_TIMEOUT_S)

    def confirm(self, *, judged: bool) -> None:
        """Have the log confirm what the producer took; have it `judged`, and visible, where an answer is waited for."""
        cut = self.producer.confirm()
        if judged:
            self.stores.projection.catch_up(cut, timeout_s=CATCH_UP_TIMEOUT_S)

    def look_up_outcomes(self, tasks: Sequence[Task[Any]]) -> None:
        """Ask once what became of the events of many tasks."""
        drafts = [task.draft for task in tasks if task.draft is not None]
        self._outcomes = queries.outcomes(self.stores.database, drafts) if drafts else {}
        found = queries.rejections_of(self.stores.database, self.producer.session, limit=REJECTIONS_MAX)
        self._rejections = {(rejection.key, rejection.sequence): rejection for rejection in found}

    def outcome_of(self, collection: str, draft: str) -> queries.Outcome | None:
        """What became of a draft, as last looked up."""
        return self._outcomes.get((collection, draft))

    def raise_rejection(self, sent: Sequence[SentEvent]) -> None:
        """Raises: EventRejected for the first of these events that was refused, as last looked up."""
        for event in sent if self._rejections else ():
            rejection = self._rejections.get((event.key, event.sequence))
            if rejection is not None:
                raise EventRejected(rejection.message, reason=Reason(rejection.reason))

    # --- the process

    def before_exit(self, action: Callable[[], None]) -> None:
        """Call `action` when this process ends, before the last of the queue is worked off."""
        self.check_process()
        self._before_exit[action] = None

    def not_before_exit(self, action: Callable[[], None]) -> None:
        """`action` is done: let go of it, and of what it holds."""
        self._before_exit.pop(action, None)

    def check_process(self) -> None:
        """In a child of a fork: what the parent put is the parent's to log; begin anew with an empty queue."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._logger = Logger(self)
            self._lock = threading.Lock()
            self._before_exit = {}
            _clean_up_at_exit(self)

    def close(self) -> None:
        """Work off the queue and let go of everything. What could not be logged is said."""
        if self._pid != os.getpid():
            return
        actions, self._before_exit = self._before_exit, {}
        try:
            for action in actions:
                action()
            self.logger.drain()
        except HeadwaterError as error:  # of the store: trying again would only keep people waiting
            tell(f"not everything was logged: {error}")
        for stager in self._stagers.values():
            stager.close()
        self.stat_cache.close()
        self.stores.close()


_clients: dict[tuple[int, str, str], Client] = {}
_clients_lock = threading.Lock()


def client_for(settings: Settings, *, create: bool) -> Client:
    """This process's client of the store that `settings` name.

    Raises: StoreUnavailable when there is no store and `create` is not set; StoreNotOurs, FormatTooNew.
    """
    key = (os.getpid(), settings.url, str(settings.cache_dir))
    with _clients_lock:
        if key not in _clients:
            _clients[key] = Client(settings, create=create)
        client = _clients[key]
        client.quiet = settings.quiet
        return client


def forget_client(client: Client) -> None:
    """Close a client; the next `client_for` opens another."""
    with _clients_lock:
        for key in [key for key, known in _clients.items() if known is client]:
            del _clients[key]
    client.close()


def _clean_up_at_exit(client: Client) -> None:
    """A process of `multiprocessing` ends without running `atexit`, but runs its own finalizers."""
    if "multiprocessing.process" in sys.modules:
        from multiprocessing import parent_process, util

        if parent_process() is not None:
            util.Finalize(client, forget_client, args=(client,), exitpriority=EXIT_PRIORITY)
            return
    atexit.register(forget_client, client)


def _new_lock_in_child() -> None:
    global _clients_lock
    _clients_lock = threading.Lock()


fork_hooks.register(in_child=_new_lock_in_child)
