"""An artifact from the moment it is logged: waiting for what becomes of it, and reading what the version holds."""

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from headwater_consumer import queries
from headwater_runtime.retries import Backoff
from headwater_schemas.errors import EventRejected, InvalidInput, NotFound, Reason, StoreUnavailable

from headwater._commit.shared_drafts import FinishTask
from headwater._commit.tasks import Committed
from headwater._content.overlay import Overlay, held_of

if TYPE_CHECKING:
    from headwater._artifact.artifact import Artifact
    from headwater._commit.client import Client
    from headwater._commit.write_queue import Task
    from headwater._content.content import Held

SEAL_POLL = Backoff(pause_s_min=0.05, pause_s_max=2.0)  # until the last writer of a shared draft is done
CONTESTED_PER_PAGE = 1000


class Logged:
    """What was logged and is not known as a version yet."""

    def __init__(self, client: "Client", collection: str, task: "Task[Committed | None]", draft: str | None) -> None:
        """`draft`: of a shared one, its id on the log."""
        self._client = client
        self._collection = collection
        self._task = task
        self._draft = draft
        self._pid = os.getpid()

    @property
    def state(self) -> str:
        """ "pending", "refused", or "open" where it counts as a part of a shared draft."""
        if not self._task.done:
            return "pending"
        return "refused" if self._task.failed else "open"

    @property
    def is_version(self) -> bool:
        """Whether it is known to be a version, so that nobody needs to wait."""
        return self._draft is None and self._task.done and not self._task.failed

    @property
    def is_seal(self) -> bool:
        """Whether it seals a shared draft, so that the version has what others brought too."""
        return isinstance(self._task, FinishTask)

    def version(self) -> queries.VersionInfo:
        """Waits until it counts. Raises: EventRejected; InvalidInput when it is part of a draft that is still open."""
        committed = self._committed()
        if committed is not None:
            return self._info(committed.version)
        info = self._sealed()
        if info is None:
            raise InvalidInput(
                f"{self._still_open()} `run.finish_artifact` seals it, and `artifact.wait()` after that waits for it."
            )
        return info

    def wait(self, timeout_s: float | None) -> queries.VersionInfo | None:
        """As `version`; a draft that is to be sealed is waited for, and for one that is open the answer is None."""
        committed = self._committed()
        if committed is not None:
            return self._info(committed.version)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        polls = SEAL_POLL.start(deadline=deadline)
        while (info := self._sealed()) is None and isinstance(self._task, FinishTask):
            if not polls.pause():
                raise StoreUnavailable(f"{self._still_open()} It was waited for, for {timeout_s:g} seconds.")
        return info

    def task_here(self) -> "Task[Committed | None]":
        """Its task. Raises: InvalidInput where it is another process's to work off, after a fork."""
        if self._pid != os.getpid() and not self._task.done:
            raise InvalidInput(
                f"{self._collection} was logged by process {self._pid}, before a fork. Wait for it there."
            )
        return self._task

    def _committed(self) -> Committed | None:
        return self.task_here().result()

    def _sealed(self) -> queries.VersionInfo | None:
        assert self._draft is not None, "only a shared draft is committed later"
        self._client.catch_up_on(self._collection)
        found = queries.draft_info(self._client.stores.database, self._collection, self._draft)
        if found is not None and found.version is not None:
            return self._info(found.version)
        self._raise_refusal()
        if found is None or found.discarded:
            raise NotFound(
                f"the draft {self._name!r} of {self._collection} was discarded. Take a new distributed_id for the next."
            )
        return None

    def _raise_refusal(self) -> None:
        """A seal that waited for writers may have been refused when the last one was done."""
        if not isinstance(self._task, FinishTask) or self._task.commit is None:
            return
        sent = self._task.commit
        database = self._client.stores.database
        refused = queries.first_rejection(database, sent.session, sent.key, sent.sequence, sent.sequence)
        if refused is not None:
            raise EventRejected(refused.message, reason=Reason(refused.reason))

    def _still_open(self) -> str:
        assert self._draft is not None
        found = queries.draft_info(self._client.stores.database, self._collection, self._draft)
        done = "" if found is None else f" {found.done} writers are done"
        of = "" if found is None or found.waiting_for is None else f" of the {found.waiting_for} that it waits for"
        return f"the draft {self._name!r} of {self._collection} is still open:{done}{of}."

    @property
    def _name(self) -> str:
        return (self._draft or "").partition(":")[2]

    def _info(self, version: int) -> queries.VersionInfo:
        info = queries.version_info(self._client.stores.database, self._collection, version)
        if info is None:
            raise NotFound(f"{self._collection}:v{version} is not in the projection. Run `headwater doctor`.")
        return info


# --- what a version holds


def held_at(client: "Client", info: queries.VersionInfo, path: str) -> "Held | None":
    """What is at a path. Cost: one index look-up for each layer."""
    found = queries.entry(client.stores.database, info.layers, path)
    return None if found is None else held_of(found)


def held_under(client: "Client", info: queries.VersionInfo, folder: str) -> "Iterator[tuple[str, Held]]":
    """What is under a folder, "" for all, by path."""
    for page in queries.all_entries(client.stores.database, info.layers, prefix=folder):
        for found in page:
            yield found.path, held_of(found)


def read_small(artifact: "Artifact", path: str) -> bytes:
    """The content of an entry that is stored: of a version, or what a draft has of its base."""
    from headwater._download.download import read_entry

    assert artifact._client is not None
    stores, info, content = artifact._client.stores, artifact._info, artifact._content
    if info is None:
        info = content.base if isinstance(content, Overlay) and path not in content.files else None
    if info is None:
        raise InvalidInput(f"{path!r} can be read once {artifact.name} is logged.")
    return read_entry(stores.database, stores.blobs, info.layers, path)


def contested_paths(client: "Client", info: queries.VersionInfo) -> list[str]:
    """The paths that different writers of the version's draft wrote."""
    found: list[str] = []
    while info.contested > len(found):
        page = queries.contested_paths(
            client.stores.database,
            info.collection,
            info.version,
            after=found[-1] if found else None,
            limit=CONTESTED_PER_PAGE,
        )
        if not page:
            break
        found += page
    return found
