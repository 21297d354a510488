"""Jobs that one process does in a store at a time: the others wait."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from headwater_consumer.operational.leases import LEASE_S, RENEW_S, HeldLease, holder_of
from headwater_schemas.errors import StoreError, StoreUnavailable

from headwater_stores.config.settings import Settings
from headwater_stores.new_logs import alone
from headwater_stores.operational import open_operational
from headwater_stores.telling.waiting import telling

LOOK_S = 0.5  # between two attempts to get the lease


@contextmanager
def exclusive_job(settings: Settings, job: str) -> Iterator[None]:
    """A block that one process is in at a time, of those who do this job in a store.

    In a folder, which must exist, the kernel unlocks what a process held that was killed. On servers its lease ends by
    itself, which is waited for. Raises: StoreUnavailable where another's job goes on for longer.
    """
    if settings.profile is None:
        with alone(settings.store / f"{job}.lock"):
            yield
        return
    with closing(open_operational(settings)) as operational:
        deadline = time.monotonic() + LEASE_S + RENEW_S
        with telling(lambda: f"{_holder(settings, job)}, which is {job} there"):
            while (lease := HeldLease.take(operational, job)) is None:
                if time.monotonic() > deadline:
                    raise StoreUnavailable(
                        f"{holder_of(operational, job)} is {job} to {settings.url}: one does at a time. Try again "
                        "later."
                    )
                time.sleep(LOOK_S)
        with lease:
            yield


def _holder(settings: Settings, job: str) -> str:
    with suppress(StoreError), closing(open_operational(settings, create=False)) as operational:
        return holder_of(operational, job) or "another process"
    return "another process"
