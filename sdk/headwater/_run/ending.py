"""Ends a run that another process started."""

from headwater_schemas.errors import InvalidInput, NotFound
from headwater_schemas.events import RUN_STATES_FINAL, RunFinished

from headwater._commit.client import Client


def check_final(run: str, state: object) -> None:
    """Raises: InvalidInput unless a run can end in this state."""
    if state not in RUN_STATES_FINAL:
        *others, last = RUN_STATES_FINAL
        raise InvalidInput(f"run {run} cannot end as {state!r}. Use {', '.join(others)} or {last}.")


def end_run(client: Client, run: str, state: str) -> None:
    """Record that "entity/project/ID" ended, whichever process started it. All that is known about it stays.

    Returns once it is projected. Raises: InvalidInput for another state, or where it has ended; NotFound;
    EventRejected; StoreReadOnly.
    """
    check_final(run, state)
    client.catch_up()
    info = client.stores.reads.run_info(run)
    if info is None:
        raise NotFound(f"there is no run {run}. `headwater runs` lists the runs of a project.")
    if info.finished_us is not None:
        raise InvalidInput(f"run {run} has ended ({info.state}). A run that has ended stays as it is.")
    client.send([RunFinished(run=run, state=state)]).result()
