"""The active run, as `headwater.run`, `headwater.config` and `headwater.finish` mean it."""

from typing import TYPE_CHECKING, Any

from headwater_schemas.errors import InvalidInput

from headwater._active_run.active_run import active_run

if TYPE_CHECKING:
    from headwater._run.run import Run


def current_run() -> "Run | None":
    """The newest open run of this thread or task; else the only one of this process; None where no run is open.

    Raises: InvalidInput naming them, where several are open and none was started by this thread or task.
    """
    found = active_run()
    return None if found is None else found.handle


def current_config() -> Any:
    """The config of the active run. Raises: InvalidInput where there is none."""
    run = current_run()
    if run is None:
        raise InvalidInput("no run is active, so there is no config. Call `headwater.init(…)` first.")
    return run.config


def finish(state: str = "finished", *, exit_code: int | None = None) -> None:
    """Finish the active run, as `Run.finish` does. Does nothing where no run is open. Raises: as `Run.finish`."""
    run = current_run()
    if run is not None:
        run.finish(state, exit_code=exit_code)
