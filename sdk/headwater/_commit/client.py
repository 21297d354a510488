"""What one process holds of one store: its connections, its session on the log, its write queue."""

import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from hashlib import blake2s
from typing import Any

from headwater_producer.producer import Producer, author_of_process
from headwater_producer.stager import BlobStager
from headwater_runtime import fork_hooks
from headwater_schemas import keys
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import HeadwaterError, StoreError, StoreMissing, StoreReadOnly, StoreUnavailable
from headwater_schemas.events import Event
from headwater_schemas.keys import collection_key
from headwater_stores.config.settings import Settings, read_settings
from headwater_stores.opening import open_for_reading, open_stores
from headwater_stores.stores import Stores
from headwater_stores.telling.progress import notify

from headwater._commit.process_exit import call_at_exit, exit_with_error, last_uncaught
from headwater._commit.session import WriteSession
from headwater._commit.task import Task
from headwater._commit.tasks import EventsTask
from headwater._commit.write_queue import WriteQueue
from headwater._ingest.own_files import STAGED_RECORDS, STAT_CACHE
from headwater._ingest.stat_cache import StatCache


class Client:
    """One process's connection to one store. Made by `client_for`; safe to use from threads and after a fork."""

    def __init__(self, settings: Settings, *, create: bool) -> None:
        self.url = settings.url  # for messages
        self.place = settings.place
        self.is_throwaway = False  # its store is deleted when the process ends
        self.stores = open_stores(settings, create=True) if create else open_for_reading(settings)
        self.stat_cache = StatCache.open(settings.cache_dir / STAT_CACHE)
        self._staged_records = (
            settings.cache_dir / STAGED_RECORDS / blake2s(_bytes_place(settings).encode(), digest_size=8).hexdigest()
        )
        watch = self.stores.projection.watch_append
        new_session = partial(keys.new_session, owner=self.stores.principal)
        producer = Producer(self.stores.log, author=author_of_process(), watch_append=watch, new_session=new_session)
        self.session = WriteSession(
            self.stores, producer, entity=settings.entity, quiet=settings.quiet, wait_s=settings.wait_s
        )
        self._outage_s = settings.outage_s
        self._queue = self._new_queue()
        self._pid = os.getpid()
        self._is_closed = False
        self._stagers: dict[tuple[str, str], BlobStager] = {}  # by project and algorithm
        self._lock = threading.Lock()
        self._exit_actions: dict[Callable[[], bool], None] = {}  # in the order in which they were added
        self._has_logged_all = True
        self.told_unavailable = False  # whoever ended a run got the error that the store fails
        fork_hooks.register_object(self, in_child=Client._new_lock_in_child)
        call_at_exit(partial(_close_at_exit, self))

    @property
    def quiet(self) -> bool:
        """Whether nothing is printed about what was logged, and no progress."""
        return self.session.quiet

    def __reduce__(self) -> tuple[Any, ...]:
        return ReopenedClient, (self.url,)

    def adopt(self, settings: Settings) -> None:
        """What the settings say now about the words for people, and about waiting."""
        session = self.session
        session.quiet, session.entity, session.wait_s = settings.quiet, settings.entity, settings.wait_s
        self._outage_s = settings.outage_s
        if self.stores.is_remote:
            self._queue.outage_s = settings.outage_s

    # --- bytes

    def stager(self, project: str) -> BlobStager:
        """Where bytes are staged that will most likely be logged in "entity/project", with its digest algorithm."""
        self.check_process()
        with self._lock:
            algorithm = self.session.algorithms.of(project)
            if (project, algorithm) not in self._stagers:
                stager = BlobStager(
                    self.stores.blobs,
                    self._stored_places,
                    algorithm=algorithm,
                    project=project,
                    objects=self.stores.reads,
                    records=self._staged_records,
                    catch_up=self.session.catch_up,
                )
                self._stagers[project, algorithm] = stager
            return self._stagers[project, algorithm]

    def keep_staged(self) -> None:
        """Something failed: leave what is staged to the next process that adds it."""
        for stager in list(self._stagers.values()):
            stager.keep_staged()

    def _stored_places(
        self, project: str, digests: Sequence[bytes], *, without: Collection[str] = ()
    ) -> Mapping[bytes, BlobLocation]:
        return self.stores.reads.stored_locations(project, digests, without=without)

    def is_stored_version(self, project: str, digest: str) -> bool:
        """Whether "entity/project" has a version with this content, and the store has all of it."""
        return self.session.whole_versions.has(self.stager(project), project, digest)

    # --- logging

    @property
    def queue(self) -> WriteQueue:
        """The write queue of this process."""
        self.check_process()
        return self._queue

    def enqueue(self, task: Task[Any]) -> None:
        """Log a task in the background. Raises: StoreReadOnly; StoreMissing."""
        self.check_process()
        stores = self.stores
        if stores.missing is not None:
            raise stores.missing
        if stores.read_only:
            why = "" if stores.obstacle is None else f": {stores.obstacle}"
            raise StoreReadOnly(
                f"the store {stores.name} is read-only for you{why}. `headwater doctor` names the command that changes "
                "that; or set HEADWATER_URL to another store."
            )
        self.queue.put(task)

    def send(
        self,
        events: Sequence[Event],
        *,
        rejectable: bool = True,
        affects_names: bool = False,
        message: str | None = None,
    ) -> EventsTask:
        """Log events, with a `message` that says why.

        Those that no rule can reject need not be `rejectable`: they are done once they are durable.
        """
        task = EventsTask(
            self.queue, self.session, events, rejectable=rejectable, affects_names=affects_names, message=message
        )
        self.enqueue(task)
        return task

    def catch_up(self) -> None:
        """Make everything that anybody has written by now visible to this process's queries."""
        with self.session.telling():
            self.queue.flush()
            self.session.catch_up()

    def catch_up_on(self, collection: str) -> None:
        """Make everything that has been written about one collection visible to this process's queries."""
        with self.session.telling():
            self.queue.flush(until=self.queue.affecting_names(collection_key(collection)))
            self.session.catch_up_on(collection)

    # --- the process

    def add_exit_action(self, action: Callable[[], bool]) -> None:
        """Call `action` when this process ends, before the queue is flushed for the last time.

        It returns whether everything was logged.
        """
        self.check_process()
        self._exit_actions[action] = None
        self.told_unavailable = False

    def remove_exit_action(self, action: Callable[[], bool]) -> None:
        """Drop `action`, and everything that it refers to."""
        self._exit_actions.pop(action, None)

    def check_process(self) -> None:
        """In a forked child: leave what the parent enqueued to the parent, and start with an empty queue."""
        if self._pid == os.getpid():
            return
        with self._lock:  # of several threads, one does it
            if self._pid != os.getpid():
                self._queue = self._new_queue()
                self._exit_actions = {}
                call_at_exit(partial(_close_at_exit, self))
                self._pid = os.getpid()  # last: who sees it sees the rest

    def _new_lock_in_child(self) -> None:
        self._lock = threading.Lock()

    def close(self) -> bool:
        """Flush the queue and release everything. What could not be logged is printed. Returns whether all was."""
        if self._is_closed or self._pid != os.getpid():
            return self._has_logged_all
        self._is_closed, self._has_logged_all = True, False
        try:
            self._has_logged_all = self._log_the_rest()
        except KeyboardInterrupt:
            self.keep_staged()
            raise
        finally:
            if last_uncaught() is not None:  # this process ends by an error, or by Ctrl-C
                self.keep_staged()
            for stager in self._stagers.values():
                stager.close()
            self.stat_cache.close()
            self.stores.close()
        return self._has_logged_all

    def _log_the_rest(self) -> bool:
        """Whether everything was logged."""
        try:
            has_logged_all = self._run_exit_actions()
            self.queue.flush()
        except HeadwaterError as error:  # of the store: trying again would only keep people waiting
            if not self._is_told(error):
                notify(f"some artifacts were not logged: {error}")
            return False
        return has_logged_all

    def _run_exit_actions(self) -> bool:
        """Whether everything was logged.

        Raises: StoreMissing after all of them: without a store they end at once, and each has its run to give up.
        """
        actions, self._exit_actions = self._exit_actions, {}
        has_logged_all, missing = True, None
        for action in actions:
            try:
                has_logged_all &= action()
            except StoreMissing as error:
                missing = error
        if missing is not None:
            raise missing
        return has_logged_all

    def _is_told(self, error: HeadwaterError) -> bool:
        """Whether people have read of it: a caller got it, or the process ends with it."""
        is_told = self.told_unavailable or isinstance(last_uncaught(), StoreUnavailable)
        return isinstance(error, StoreUnavailable) and is_told

    def _new_queue(self) -> WriteQueue:
        is_remote = self.stores.is_remote
        return WriteQueue(self.session, outage_s=self._outage_s if is_remote else 0.0, tells=is_remote)


_clients: dict[tuple[int, str, str], Client] = {}  # by process, place of the store and cache
_clients_lock = threading.Lock()


def client_for(settings: Settings, *, create: bool) -> Client:
    """This process's client of the store that `settings` name and that is there now.

    Where there is none, it is created, or without `create` nothing is found in it. Raises: StoreUnavailable,
    StoreNotOurs, FormatTooNew.
    """
    try:
        return _client_for(settings, create=create)
    except StoreError as error:
        # Scripts often end by it. Its message says it all; the errors that libraries raised before it are 150 lines.
        raise error.with_traceback(None) from None


def _client_for(settings: Settings, *, create: bool) -> Client:
    key = (os.getpid(), settings.place, str(settings.cache_dir))
    while True:
        with _clients_lock:
            client = _clients.get(key)
            if client is None:
                client = _clients[key] = Client(settings, create=create)
            elif not _is_usable(client.stores, create=create):
                del _clients[key]
            if key in _clients:
                client.adopt(settings)
                return client
        client.close()  # without the lock: it may take long


def _is_usable(stores: Stores, *, create: bool) -> bool:
    return stores.is_current() and (stores.missing is None or not create)


def _bytes_place(settings: Settings) -> str:
    """Where the bytes of a store are: what is staged there is of no use in another place."""
    if settings.profile is None:
        return settings.url
    values = settings.profile.values
    return " ".join([settings.url, values["s3_endpoint"], values["s3_bucket"], values["s3_prefix"]]).rstrip()


class ReopenedClient:
    """Stands for a client in what came from another process, or was copied; opens the store when it is first used.

    Not before: an error while a worker of `multiprocessing` unpickles its task would end the worker.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._opened: Client | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self._opened is None:
            client = client_for(read_settings(url=self.url), create=False)
            if client.stores.missing is not None:
                raise client.stores.missing
            self._opened = client
        return getattr(self._opened, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return ReopenedClient, (self.url,)


def forget_client(client: Client) -> bool:
    """Close a client; the next `client_for` opens another. Returns whether everything was logged."""
    with _clients_lock:
        for key in [key for key, known in _clients.items() if known is client]:
            del _clients[key]
    return client.close()


def forget_store(url: str) -> None:
    """Close this process's clients of a store."""
    for (process, _, _), client in list(_clients.items()):
        if (process, client.url) == (os.getpid(), url):
            forget_client(client)


def _close_at_exit(client: Client) -> None:
    everything_logged = False
    try:
        everything_logged = forget_client(client)
    except KeyboardInterrupt:  # at exit the interpreter would print it as an error of ours, and go on
        notify("interrupted; what was not confirmed by then may not be logged. Run the script again to be sure")
    except HeadwaterError as error:
        notify(f"while this process ended: {error}")
    finally:
        if not everything_logged:
            exit_with_error()


def _new_lock_in_child() -> None:
    global _clients_lock
    _clients_lock = threading.Lock()


fork_hooks.register(in_child=_new_lock_in_child)
