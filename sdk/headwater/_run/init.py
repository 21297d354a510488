"""Starting a run."""

import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from headwater_schemas.events import RunStarted
from headwater_schemas.names import RunName, check_label, check_name
from headwater_stores.config.settings import Settings, read_settings
from headwater_stores.telling.progress import notify

from headwater._commit.client import Client, client_for
from headwater._run import heartbeat
from headwater._run.capture.capture import capturer
from headwater._run.disabled import DisabledRun, settings_of_throwaway_store
from headwater._run.init_options import (
    DISABLED,
    check_options,
    check_resume,
    check_run_exists,
    checked_tags,
    run_before,
)
from headwater._run.live_values import encoded
from headwater._run.run import Run
from headwater._run.upkeep import Capturing, Upkeep
from headwater._run.writer import RunWriter

ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
ID_LENGTH = 8


def init(
    project: str | None = None,
    entity: str | None = None,
    job_type: str | None = None,
    group: str | None = None,
    config: Mapping[str, Any] | None = None,
    name: str | None = None,
    tags: Iterable[str] | None = None,
    id: str | None = None,
    *,
    url: str | os.PathLike[str] | None = None,
    mode: str | None = None,
    resume: bool | str | None = None,
    reinit: bool | str | None = None,
    notes: str | None = None,
    dir: object = None,
    settings: object = None,
) -> Run:
    """Start a run, or resume the run with this `id`. Reads the settings.

    Resuming keeps inputs and outputs, and replaces job type, group, config, name and tags. Use the run as a context
    manager or call `finish()`; a run that is still open when the interpreter exits is finished automatically, in the
    state in which the process ends.

    `url` is the store, instead of that of the settings: several can be open in one process. `mode="disabled"` records
    nothing: what the run logs is in a folder that is deleted when the process ends. `resume="must"` demands that the
    run with this `id` exists, "never" that it does not. A run that is active stays open beside the new one, unless
    `reinit` is "finish_previous" (or True), or "return_previous" (or False), which returns it. `notes`, `dir` and
    `settings` are refused, saying what to do instead.
    Raises: InvalidName, InvalidMetadata, InvalidInput, InvalidSettings, NotFound, StoreError.
    """
    check_options(mode=mode, notes=notes, dir=dir, settings=settings)
    check_resume(resume, id)
    found = read_settings(url=url)
    run_name = RunName(
        check_name(entity if entity is not None else found.entity, "entity"),
        check_name(project if project is not None else found.project, "project"),
        check_name(id if id is not None else _new_id(), "run"),
    )
    for text, kind in ((job_type, "job_type"), (group, "group"), (name, "name")):
        if text is not None:
            check_label(text, kind)
    started = RunStarted(
        run=str(run_name),
        job_type=job_type,
        group=group,
        display_name=name,
        config=encoded("config", config),
        tags=checked_tags(tags),
        heartbeat_seconds=heartbeat.FIRST_S,
    )
    if mode != DISABLED:
        check_run_exists(found, run_name, resume)
    before = run_before(reinit)
    if before is not None:
        return before
    if mode == DISABLED:
        return _start_disabled(run_name, started, found, partial(DisabledRun, url))
    return _start(client_for(found, create=True), run_name, started, Run, capture=capturer(found.capture))


def _start_disabled(run_name: RunName, event: RunStarted, settings: Settings, run_type: Callable[..., Run]) -> Run:
    client = client_for(settings_of_throwaway_store(), create=True)
    client.is_throwaway = True
    run = _start(client, run_name, event, run_type, capture=None)
    if not settings.quiet:
        notify("mode='disabled': nothing of this run is recorded")
    return run


def _start(
    client: Client,
    run_name: RunName,
    event: RunStarted,
    run_type: Callable[..., Run],
    *,
    capture: Capturing | None,
) -> Run:
    writer = RunWriter(client, run_name, "running")
    run = run_type(
        writer,
        job_type=event.job_type,
        group=event.group,
        config=event.config,
        display_name=event.display_name,
        tags=event.tags,
    )
    upkeep = Upkeep(run.path, run.config, run.summary, writer, capture=capture)
    writer.start(run, event, upkeep)
    return run


def _new_id() -> str:
    return "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))
