"""Runs: one execution, what it used and what it logged."""

import os
import secrets
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from headwater_schemas import metadata
from headwater_schemas.errors import HeadwaterError, InvalidInput, InvalidName, NotFound, StoreError
from headwater_schemas.names import (
    LATEST,
    ArtifactReference,
    RunName,
    check_distributed_id,
    check_name,
    check_text,
    parse_version,
)

from headwater._artifact.artifact import Artifact
from headwater._config.settings import read_settings
from headwater._content.attributes import Aliases, Names
from headwater._progress import Progress, tell

if TYPE_CHECKING:
    from headwater_consumer.queries import RunInfo, VersionInfo

    from headwater._commit.client import Client
    from headwater._commit.shared_drafts import Sharing
    from headwater._commit.write_queue import Task

ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
ID_LENGTH = 8
TASKS_LOOKED_THROUGH = 256  # after so many more, a run forgets those that ended well


def init(
    project: str | None = None,
    entity: str | None = None,
    job_type: str | None = None,
    group: str | None = None,
    config: Mapping[str, Any] | None = None,
    name: str | None = None,
    tags: Iterable[str] | None = None,
    id: str | None = None,
) -> "Run":
    """Start a run, or take up again the one with this `id`, which is then what is given here. Settings are read now.

    Use it as a context manager, or call `finish()`; a run that is left open is finished when the interpreter ends.
    Raises: InvalidName, InvalidMetadata, InvalidInput, InvalidSettings, StoreError.
    """
    from headwater_schemas.events import RunStarted

    from headwater._commit.client import client_for

    settings = read_settings()
    run_name = RunName(
        check_name(entity if entity is not None else settings.entity, "entity"),
        check_name(project if project is not None else settings.project, "project"),
        check_name(id if id is not None else _new_id(), "run"),
    )
    config_text = metadata.encode({} if config is None else config, "config")
    tag_list = tuple(Names(() if tags is None else tags))
    for text, kind in ((job_type, "job_type"), (group, "group"), (name, "name")):
        if text is not None:
            check_text(text, kind)
    client = client_for(settings, create=True)
    started = RunStarted(
        run=str(run_name), job_type=job_type, group=group, display_name=name, config=config_text, tags=tag_list
    )
    client.send([started], judged=False)
    run = Run(client, run_name, job_type, group, config_text, name, tag_list)
    run._begin()
    return run


class Run:
    """One execution. Made by `init`; `Api().run(...)` gives those of the past."""

    def __init__(
        self,
        client: "Client",
        name: RunName,
        job_type: str | None,
        group: str | None,
        config: str,
        display_name: str | None,
        tags: Sequence[str],
        state: str = "running",
        started_us: int = 0,
    ) -> None:
        self._client = client
        self._name = name
        self._config = config
        self._state = state
        self._place = (started_us, str(name))  # in the list of the runs that it was read from
        self._pid: int | None = None  # the process that started it, and will finish it
        self._tasks: list[Task[Any]] = []  # those whose end is not known, or was told to nobody
        self.job_type = job_type
        self.group = group
        self.name = display_name or name.id
        self.tags = tuple(tags)

    @classmethod
    def _of_name(cls, client: "Client", name: str) -> "Run":
        from headwater_consumer import queries

        info = queries.run_info(client.stores.database, name)
        if info is None:  # an edge names a run whose own events are still on their way
            return cls(client, RunName.parse(name), None, None, "{}", None, (), "unknown")
        return cls._of_info(client, info)

    @classmethod
    def _of_info(cls, client: "Client", info: "RunInfo") -> "Run":
        parsed = RunName.parse(info.run)
        said = info.job_type, info.group, info.config, info.display_name, info.tags
        return cls(client, parsed, *said, state=info.state, started_us=info.started_us)

    # --- what it is

    @property
    def id(self) -> str:
        """Its id within the project."""
        return self._name.id

    @property
    def path(self) -> str:
        """`entity/project/id`."""
        return str(self._name)

    @property
    def entity(self) -> str:
        """Whose it is."""
        return self._name.entity

    @property
    def project(self) -> str:
        """The project it is in."""
        return self._name.project

    @property
    def config(self) -> dict[str, Any]:
        """What it was started with: a copy."""
        return metadata.decode(self._config)

    @property
    def state(self) -> str:
        """ "running", "finished" or "failed", as far as this object knows."""
        return self._state

    # --- what it does

    def log_artifact(
        self,
        artifact_or_path: Artifact | str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,
        aliases: Iterable[str] | None = None,
    ) -> Artifact:
        """Log an artifact, or a file or folder, as an output of this run. Returns at once; `wait()` waits.

        A file or folder becomes an artifact `name`, `run-ID-FILENAME` unless given, of type `type`, "file" or "dataset"
        unless given. `latest` always moves to what was logged; `aliases` do so too.
        Raises: InvalidName, InvalidFile, StoreReadOnly; InvalidInput when the run is over or the artifact was logged.
        """
        from headwater._commit.save import log

        self._check_running()
        wanted = _aliases(aliases)
        artifact = self._as_artifact(artifact_or_path, name, type)
        self._remember(log(artifact, self._client, self._namespace, self.path, wanted))
        return artifact

    def upsert_artifact(self, artifact: Artifact, distributed_id: str | None = None) -> Artifact:
        """Add an artifact's content to the draft that all runs with this `distributed_id` fill together.

        The id is the run's `group` unless given, and belongs to the artifact's name. With it this run has said all it
        will say, for a `finish_artifact` that waits for writers. Nothing is visible before that. Returns at once;
        `wait()` waits until what was added counts.
        Raises: InvalidInput when there is no id, the run is over or the artifact was logged; InvalidName. Waiting
        raises EventRejected when the draft was sealed before, naming the version.
        """
        from headwater._commit.save import upsert

        self._check_running()
        sharing = self._sharing(artifact, distributed_id)
        self._remember(upsert(artifact, self._client, self._namespace, sharing))
        return artifact

    def finish_artifact(
        self, artifact: Artifact, distributed_id: str | None = None, writers: int | None = None
    ) -> Artifact:
        """Seal the draft that runs filled with `upsert_artifact`, with what `artifact` itself adds.

        `writers` waits for so many runs that upserted: the version is sealed when the last of them has. Finishing twice
        is the same version; an artifact that was upserted to the draft adds nothing more. Description, metadata,
        aliases and tags are those of `artifact`. Returns at once; `wait()` waits for the version. Raises: as
        `upsert_artifact`.
        """
        from headwater._commit.save import finish

        self._check_running()
        sharing = self._sharing(artifact, distributed_id)
        self._remember(finish(artifact, self._client, self._namespace, sharing, writers))
        return artifact

    def use_artifact(
        self, artifact: Artifact | str, type: str | None = None, aliases: Iterable[str] | None = None
    ) -> Artifact:
        """Record that this run consumes a version, and return it.

        By name it is `[[entity/]project/]name[:alias or version]`, `latest` unless given. An artifact that was not
        logged yet is logged first, once for each content. `type`, where given, must be its type; `aliases` move to it.
        Raises: NotFound, InvalidName, InvalidInput.
        """
        from headwater_schemas.events import ArtifactUsed

        self._check_running()
        wanted = _aliases(aliases)
        if isinstance(artifact, Artifact):
            check_expected_type(artifact, type)
            found = self._logged(artifact, wanted)
            info, requested = self._recorded(found), found.source_name
        else:
            found = find_artifact(self._client, artifact, self._name.entity, self._name.project)
            info, requested = found._known(), artifact
        check_expected_type(found, type)
        used = ArtifactUsed(collection=info.collection, version=info.version, run=self.path, requested=requested)
        self._remember(self._client.send([used]))
        for alias in wanted:
            if alias not in info.aliases:
                found.aliases.move(alias)
        return found

    def logged_artifacts(self) -> list[Artifact]:
        """What this run logged, each version once; content that was there before counts too."""
        from headwater._artifact.lineage import outputs_of

        return [version_artifact(self._client, *version) for version in outputs_of(self._client, self.path)]

    def used_artifacts(self) -> list[Artifact]:
        """What this run used, each version once."""
        from headwater._artifact.lineage import inputs_of

        return [version_artifact(self._client, *version) for version in inputs_of(self._client, self.path)]

    def names_used(self, artifact: Artifact | str) -> list[str]:
        """The names under which this run asked for a version, the first one first; none where it did not use it.

        Raises: InvalidInput before the artifact is logged; for a name, as `use_artifact`.
        """
        from headwater._artifact.lineage import names_used

        if not isinstance(artifact, Artifact):
            artifact = find_artifact(self._client, artifact, self.entity, self.project)
        return names_used(self._client, self.path, artifact)

    def finish(self, state: str = "finished") -> None:
        """Wait for everything that was logged, then end the run, as "finished" or "failed". Finishing twice is fine.

        Raises: the first error of what was logged and not waited for; the run is over all the same. InvalidInput for
        another state, and the run goes on.
        """
        from headwater_schemas.events import RUN_STATES_FINAL

        if state not in RUN_STATES_FINAL:
            raise InvalidInput(f"run {self.path} cannot end as {state!r}. It ends as {' or '.join(RUN_STATES_FINAL)}.")
        if self._state != "running":
            return
        if self._pid != os.getpid():
            self._client.logger.drain()  # a child of a fork does not end its parent's run
            return
        self._wait_with_progress()
        self._end(state)
        for task in self._tasks:
            if task.unheard_error is not None:
                raise task.unheard_error

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            self.finish()
            return
        try:
            self.finish("failed")
        except HeadwaterError as also:
            tell(f"while leaving run {self.id}: {also}")  # the first error is the one to be raised

    def __repr__(self) -> str:
        return f"<Run {self.path} ({self._state})>"

    # --- within

    @property
    def _namespace(self) -> str:
        return f"{self._name.entity}/{self._name.project}"

    def _logged(self, artifact: Artifact, aliases: tuple[str, ...]) -> Artifact:
        """An artifact that is a version of this run's store; one that was not logged yet is logged by no run."""
        from headwater._commit.save import log

        if artifact.state == "draft":
            log(artifact, self._client, self._namespace, None, aliases)
        elif artifact._client is not None and artifact._client.url != self._client.url:
            raise InvalidInput(
                f"{artifact.name} is in the store {artifact._client.url}, but the run is in {self._client.url}. "
                "Ask for it by its name there."
            )
        return artifact.wait()

    def _recorded(self, artifact: Artifact) -> "VersionInfo":
        """What is recorded about a version by now. Raises: NotFound when it was deleted."""
        from headwater_consumer import queries

        info = artifact._known()
        self._client.catch_up_on(info.collection)
        now = queries.version_info(self._client.stores.database, info.collection, info.version)
        if now is None or now.deleted:
            raise NotFound(f"{artifact.qualified_name} was deleted, so no run can use it. Use another version.")
        return now

    def _sharing(self, artifact: Artifact, distributed_id: str | None) -> "Sharing":
        from headwater._commit.shared_drafts import Sharing

        if not isinstance(artifact, Artifact):
            raise InvalidInput(f"a shared draft is filled by Artifact objects, not by a {type(artifact).__name__}.")
        shared_id = distributed_id if distributed_id is not None else self.group
        if shared_id is None:
            raise InvalidInput(
                f"there is neither a distributed_id nor a group, so nobody could share a draft of {artifact._name}. "
                "Give distributed_id=…, or start all its runs with the same headwater.init(group=…)."
            )
        try:
            return Sharing(check_distributed_id(shared_id), self.path)
        except InvalidName as error:
            if distributed_id is not None:
                raise
            raise InvalidName(
                f"the group {shared_id[:80]!r} of the run cannot be the id of a shared draft: {error} "
                "Or give distributed_id=…, which comes before the group."
            ) from error

    def _remember(self, task: "Task[Any]") -> None:
        self._tasks.append(task)
        if len(self._tasks) % TASKS_LOOKED_THROUGH == 0:
            self._tasks = [task for task in self._tasks if not task.done or task.unheard_error is not None]

    def _begin(self) -> None:
        self._pid = os.getpid()
        _active.append(self)
        self._client.before_exit(self._finish_at_exit)

    def _end(self, state: str) -> None:
        from headwater_schemas.events import RunFinished

        self._state = state
        if self in _active:
            _active.remove(self)
        self._client.not_before_exit(self._finish_at_exit)
        self._client.send([RunFinished(run=self.path, state=state)], judged=False).result()

    def _finish_at_exit(self) -> None:
        if self._state != "running" or self._pid != os.getpid():
            return
        try:
            self.finish("failed" if _is_crashing() else "finished")
        except StoreError:
            raise  # what does not work for one run does not for the next
        except HeadwaterError as error:
            tell(f"run {self.id} was left open, and not everything in it was logged: {error}")

    def _wait_with_progress(self) -> None:
        logger = self._client.logger
        if not logger.busy:
            return
        with Progress("logging", total=1, unit="", quiet=self._client.quiet) as progress:
            logger.drain(progress=progress.of)

    def _check_running(self) -> None:
        if self._state != "running":
            raise InvalidInput(f"run {self.path} is over ({self._state}). Start another with `headwater.init`.")

    def _as_artifact(
        self, given: Artifact | str | os.PathLike[str], name: str | None, type_name: str | None
    ) -> Artifact:
        if isinstance(given, Artifact):
            if name is not None and name != given._name:
                raise InvalidInput(f"the artifact is called {given._name!r}; it cannot be logged as {name!r}.")
            check_expected_type(given, type_name)
            return given
        path = os.fspath(given) if isinstance(given, str | os.PathLike) else None
        if not isinstance(path, str) or not path:
            raise InvalidInput(f"what is logged is an Artifact, or the path of a file or folder, not {given!r}.")
        is_folder = os.path.isdir(path)
        if type_name is None:
            type_name = "dataset" if is_folder else "file"
        artifact = Artifact(self._name_for(path) if name is None else name, type_name)
        if is_folder:
            artifact.add_dir(path)
        else:
            artifact.add_file(path)
        return artifact

    def _name_for(self, path: str) -> str:
        name = f"run-{self.id}-{os.path.basename(os.path.abspath(path))}"
        try:
            return check_name(name, "artifact")
        except InvalidName as error:
            raise InvalidName(f"{error} Or give one: log_artifact({path!r}, name=…).") from None


def _aliases(given: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(Aliases(() if given is None else given))


_active: list[Run] = []  # started here and not finished, oldest first


def active_run() -> Run | None:
    """The newest run of this process that is open."""
    return _active[-1] if _active else None


def client_and_namespace() -> "tuple[Client, str]":
    """Where an artifact goes that is filled now: with the newest run that is open, else where the settings say."""
    from headwater._commit.client import client_for

    run = active_run()
    if run is not None:
        return run._client, run._namespace
    settings = read_settings()
    return client_for(settings, create=True), f"{settings.entity}/{settings.project}"


def find_artifact(client: "Client", text: str, entity: str, project: str) -> Artifact:
    """The version that `text` names; entity and project stand in where it names none.

    Raises: InvalidName; NotFound naming what is there instead.
    """
    from headwater_consumer import queries

    wanted = ArtifactReference.parse(text)
    collection = f"{wanted.entity or entity}/{wanted.project or project}/{wanted.name}"
    client.catch_up_on(collection)
    version = queries.resolve_version(client.stores.database, collection, wanted.selector)
    if version is not None:
        return version_artifact(client, collection, version)
    known = queries.collection_info(client.stores.database, collection)
    if known is None:
        raise NotFound(f"there is no artifact {collection}. `headwater ls` lists those that are there.")
    raise NotFound(_not_there(client, collection, wanted.selector))


def _not_there(client: "Client", collection: str, selector: str) -> str:
    """What is said of a version or alias that an artifact does not have."""
    from headwater_consumer import queries

    number = parse_version(selector)
    if number is not None and (info := queries.version_info(client.stores.database, collection, number)) is not None:
        return f"{collection}:v{info.version} was deleted. `headwater ls {collection}` lists what is left."
    latest = queries.resolve_version(client.stores.database, collection, LATEST)
    newest = "" if latest is None else f"; the latest is v{latest}"
    return f"{collection} has no version or alias {selector!r}{newest}. `headwater ls {collection}` lists them."


def version_artifact(client: "Client", collection: str, version: int) -> Artifact:
    """The artifact of a version that is known to be there."""
    from headwater_consumer import queries

    info = queries.version_info(client.stores.database, collection, version)
    if info is None:
        raise NotFound(f"{collection}:v{version} is not there.")
    return Artifact._of_version(client, info)


def check_expected_type(artifact: Artifact, type_name: str | None) -> None:
    """Raises: InvalidInput naming both types."""
    if type_name is not None and type_name != artifact.type:
        raise InvalidInput(f"{artifact.name} is of type {artifact.type!r}, not {type_name!r}.")


def _is_crashing() -> bool:
    """Whether this process ends by an error: one that nobody caught, or that a process of `multiprocessing` ends by."""
    error = sys.exc_info()[1]
    if isinstance(error, SystemExit):
        return error.code not in (None, 0)
    return error is not None or getattr(sys, "last_type", None) is not None


def _new_id() -> str:
    return "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))
