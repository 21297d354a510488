"""What was logged and is not known to be a version yet: waiting for its outcome."""

import os
import time

from headwater_consumer import queries
from headwater_runtime.retries import Backoff
from headwater_schemas.errors import EventRejected, InvalidInput, NotFound, Reason, StoreUnavailable
from headwater_stores.telling.waiting import telling, within

from headwater._commit.client import Client
from headwater._commit.shared_drafts import FinishTask
from headwater._commit.task import Task
from headwater._commit.tasks import Committed

GRACE_S = 0.5  # after a time-out, to say what kept who waited
# Until the last writer of a shared draft is done.
SEAL_POLL = Backoff(pause_s_min=0.05, pause_s_max=2.0, waits_until_deadline=True)


class PendingVersion:
    """A version, or a part of a shared draft, on its way."""

    def __init__(self, client: Client, collection: str, task: Task[Committed | None], draft: str | None) -> None:
        """`draft`: of a shared one, its id on the log."""
        self._client = client
        self._collection = collection
        self._task = task
        self._draft = draft
        self._pid = os.getpid()

    @property
    def task(self) -> Task[Committed | None]:
        """The task that logs it."""
        return self._task

    @property
    def state(self) -> str:
        """ "pending", "rejected", or "open" as an accepted part of a shared draft."""
        if not self._task.done:
            return "pending"
        return "rejected" if self._task.failed else "open"

    @property
    def is_version(self) -> bool:
        """Whether it is known to be a version, so `version` does not wait."""
        return self._draft is None and self._task.done and not self._task.failed

    @property
    def seals_draft(self) -> bool:
        """Whether it seals a shared draft, so the version also has what other writers added."""
        return isinstance(self._task, FinishTask)

    def version(self) -> queries.VersionInfo:
        """Wait for the version. Raises: EventRejected; InvalidInput when it is part of a draft that is still open."""
        info = self._wait_for_task(None) or self._sealed()
        if info is None:
            raise InvalidInput(f"{self._still_open()} Call `run.finish_artifact` to seal it, then `artifact.wait()`.")
        return info

    def wait(self, timeout_s: float | None) -> queries.VersionInfo | None:
        """As `version`, but waits for the seal of a draft that this finishes; None for an open draft.

        Raises: StoreUnavailable after `timeout_s`, whatever keeps it; the version goes on its way all the same.
        """
        task = self.task_of_this_process()
        if timeout_s is None:
            return self._wait(None)
        return within(
            timeout_s + GRACE_S, lambda: self._wait(timeout_s), overdue=lambda: self._overdue(task, timeout_s)
        )

    def _wait(self, timeout_s: float | None) -> queries.VersionInfo | None:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        if (info := self._wait_for_task(timeout_s)) is not None:
            return info
        polls = SEAL_POLL.start(deadline=deadline)
        with telling(self._awaited):
            while (info := self._sealed()) is None and self.seals_draft:
                if not polls.pause():
                    raise StoreUnavailable(
                        f"{self._still_open()} Gave up waiting after {timeout_s:g} seconds; call `wait()` again."
                    )
        return info

    def _overdue(self, task: Task[Committed | None], timeout_s: float) -> StoreUnavailable:
        if task.done:
            kept = "servers that do not answer"
        elif not task.sent:
            kept = "the store, which has not taken its content yet"
        else:
            kept = "the projection" if task.is_durable else "the log, which has not confirmed it yet"
        return StoreUnavailable(
            f"{self._collection} is not known to be a version after {timeout_s:g} seconds, which it waited for {kept}. "
            "It goes on its way; call `wait()` again."
        )

    def _awaited(self) -> str:
        """What a wait for the seal waits for, for people."""
        return f"other writers: {self._still_open()}".rstrip(".")

    def task_of_this_process(self) -> Task[Committed | None]:
        """Its task. Raises: InvalidInput where another process logs it, after a fork."""
        if self._pid != os.getpid() and not self._task.done:
            raise InvalidInput(
                f"{self._collection} was logged by process {self._pid} before it forked. Call `wait()` in that process."
            )
        return self._task

    def _wait_for_task(self, timeout_s: float | None) -> queries.VersionInfo | None:
        """What is recorded about the version; None where the task makes none."""
        task = self.task_of_this_process()
        is_news = not task.done  # else what came with its outcome may have changed since
        committed = task.result(timeout_s)
        if committed is None:
            return None
        return committed.info if is_news and committed.info is not None else self._info(committed.version)

    def _sealed(self) -> queries.VersionInfo | None:
        assert self._draft is not None, "only shared drafts are committed later"
        self._client.catch_up_on(self._collection)
        self._raise_rejected_seal()  # first: a draft whose own commit was rejected may be a version all the same
        found = self._client.stores.reads.draft_info(self._collection, self._draft)
        if found is not None and found.version is not None:
            return self._info(found.version)
        if found is None or found.discarded:
            raise NotFound(
                f"the draft {self._distributed_id!r} of {self._collection} was discarded. Use a new distributed_id."
            )
        return None

    def _raise_rejected_seal(self) -> None:
        """A seal that waited for writers may have been rejected when the last one was done."""
        if not isinstance(self._task, FinishTask) or self._task.commit is None:
            return
        sent = self._task.commit
        reads = self._client.stores.reads
        rejected = reads.first_rejection(sent.session, sent.key, sent.sequence, sent.sequence)
        if rejected is not None:
            raise EventRejected(rejected.message, reason=Reason(rejected.reason))

    def _still_open(self) -> str:
        assert self._draft is not None
        found = self._client.stores.reads.draft_info(self._collection, self._draft)
        done = "" if found is None else f" writers done: {found.writers_done}"
        of = "" if found is None or found.waiting_for is None else f" of {found.waiting_for}"
        return f"the draft {self._distributed_id!r} of {self._collection} is still open:{done}{of}."

    @property
    def _distributed_id(self) -> str:
        return (self._draft or "").partition(":")[2]

    def _info(self, version: int) -> queries.VersionInfo:
        info = self._client.stores.reads.version_info(self._collection, version)
        if info is None:
            raise NotFound(f"{self._collection}:v{version} is not in the projection. Run `headwater doctor`.")
        return info


class Unrecorded(PendingVersion):
    """What was filled for a store and then logged to one that is thrown away: nothing of it is recorded anywhere."""

    state = "unrecorded"
    is_version = False
    seals_draft = False

    def __init__(self, name: str) -> None:
        self._name = name

    def version(self) -> queries.VersionInfo:
        """Raises: InvalidInput."""
        raise InvalidInput(
            f"{self._name} was logged by a run with mode='disabled', which recorded nothing, so it has no version. "
            "Fill it while that run is active, or log it by a run that records."
        )

    def wait(self, timeout_s: float | None) -> None:
        """Nothing will come."""
