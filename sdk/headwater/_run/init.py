"""Starting a run."""

import secrets
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from headwater_schemas.events import RunStarted
from headwater_schemas.names import RunName, check_label, check_name

from headwater._commit.client import client_for
from headwater._config.settings import read_settings
from headwater._content.attributes import Names
from headwater._run.capture.capture import capturer
from headwater._run.heartbeat import FIRST_S
from headwater._run.live_values import encoded
from headwater._run.run import Run
from headwater._run.upkeep import Upkeep
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
) -> Run:
    """Start a run, or resume the run with this `id`. Reads the settings.

    Resuming keeps inputs and outputs, and replaces job type, group, config, name and tags. Use the run as a context
    manager or call `finish()`; a run that is still open when the interpreter exits is finished automatically.
    Raises: InvalidName, InvalidMetadata, InvalidInput, InvalidSettings, StoreError.
    """
    settings = read_settings()
    run_name = RunName(
        check_name(entity if entity is not None else settings.entity, "entity"),
        check_name(project if project is not None else settings.project, "project"),
        check_name(id if id is not None else _new_id(), "run"),
    )
    config_text = encoded("config", config)
    tag_list = tuple(Names(() if tags is None else tags))
    for text, kind in ((job_type, "job_type"), (group, "group"), (name, "name")):
        if text is not None:
            check_label(text, kind)
    client = client_for(settings, create=True)
    started = RunStarted(
        run=str(run_name),
        job_type=job_type,
        group=group,
        display_name=name,
        config=config_text,
        tags=tag_list,
        heartbeat_seconds=FIRST_S,
    )
    writer = RunWriter(client, run_name, "running")
    run = Run(writer, job_type=job_type, group=group, config=config_text, display_name=name, tags=tag_list)
    upkeep = Upkeep(
        run.path,
        run.config,
        run.summary,
        send=writer.send,
        send_sure=partial(client.send, rejectable=False),
        capture=capturer(settings.capture),
    )
    writer.start(started, upkeep)
    return run


def _new_id() -> str:
    return "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))
