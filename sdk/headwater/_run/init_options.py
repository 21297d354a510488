"""Options of `init` that scripts bring along from experiment trackers: honoured, or refused saying what to do."""

from collections.abc import Iterable

from headwater_schemas.errors import InvalidInput, NotFound
from headwater_schemas.limits import TAGS_MAX
from headwater_schemas.names import RunName
from headwater_stores.config.settings import Settings

from headwater._commit.client import client_for
from headwater._content.attributes import Names
from headwater._run.active import current_run
from headwater._run.run import Run

ONLINE, OFFLINE, DISABLED = "online", "offline", "disabled"
_FINISH_FIRST = (True, "finish_previous")
_RETURN_ACTIVE = (False, "return_previous")
_BESIDE = (None, "create_new", "default")
_RESUMING = (None, False, "allow")  # what an `id` means anyway


def check_options(*, mode: str | None, notes: str | None, dir: object, settings: object) -> None:
    """Raises: InvalidInput saying what to do instead of an option that cannot be honoured."""
    if mode == OFFLINE:
        raise InvalidInput(
            "mode='offline' has no meaning, because a folder is a store that needs no server. Pass url='./store', or "
            "set HEADWATER_URL to a folder."
        )
    if mode not in (None, ONLINE, DISABLED):
        raise InvalidInput(f"mode={mode!r} is not known. Use 'online', the default, or 'disabled' to record nothing.")
    instead = {
        "notes": (notes, "Put the text into config={'notes': …}, or describe what the run logs with description=…"),
        "dir": (dir, "A run keeps no files of its own. Set HEADWATER_CACHE_DIR to move the caches"),
        "settings": (settings, "Set environment variables or the settings file; `headwater doctor` shows what counts"),
    }
    for name, (given, advice) in instead.items():
        if given is not None:
            raise InvalidInput(f"{name}= is not an option of headwater.init. {advice}.")


def checked_tags(tags: Iterable[str] | None) -> tuple[str, ...]:
    """The tags of a run. Raises: InvalidName; InvalidInput for too many, which the log would refuse."""
    names = tuple(Names(() if tags is None else tags))
    if len(names) > TAGS_MAX:
        raise InvalidInput(f"a run has {len(names):,} tags; at most {TAGS_MAX} are allowed. Give it fewer.")
    return names


def run_before(reinit: bool | str | None) -> Run | None:
    """The active run, where it is to be returned again; where it is to be finished first, that is done.

    Raises: InvalidInput for an unknown option; as `Run.finish`.
    """
    if reinit not in (*_FINISH_FIRST, *_RETURN_ACTIVE, *_BESIDE):
        raise InvalidInput(
            f"reinit={reinit!r} is not known. Use 'finish_previous' or True to finish the active run first, "
            "'return_previous' or False to get it again, or 'create_new', the default, to have both."
        )
    if reinit in _BESIDE:
        return None
    run = current_run()
    if run is not None and reinit in _FINISH_FIRST:
        run.finish()
        return None
    return run


def check_resume(resume: bool | str | None, id: str | None) -> None:
    """Raises: InvalidInput for an unknown option, and for one that needs an `id`."""
    if resume not in (*_RESUMING, True, "auto", "must", "never"):
        raise InvalidInput(f"resume={resume!r} is not known. Use 'allow', the default, 'must' or 'never', with id=….")
    if id is None and resume in (True, "auto", "must"):
        raise InvalidInput(
            f"resume={resume!r} needs an id, because headwater keeps nothing on this machine about runs that ended. "
            "Pass id=…, the same each time."
        )


def check_run_exists(settings: Settings, run: RunName, resume: bool | str | None) -> None:
    """Raises: NotFound where "must" resumes nothing; InvalidInput where "never" would; StoreError."""
    if resume not in ("must", "never"):
        return
    client = client_for(settings, create=True)
    client.catch_up()
    found = client.stores.reads.run_info(str(run))
    if found is None and resume == "must":
        raise NotFound(f"there is no run {run} to resume. Pass resume='allow' to start it.")
    if found is not None and resume == "never":
        raise InvalidInput(f"run {run} exists already, and resume='never'. Pass another id, or none.")
