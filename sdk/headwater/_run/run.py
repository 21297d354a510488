"""Runs: one execution with its inputs and outputs."""

import json
import os
from collections.abc import Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, NoReturn

from headwater_consumer import queries
from headwater_schemas import metadata
from headwater_schemas.errors import HeadwaterError, InvalidInput, InvalidName, NotFound, StoreMissing, StoreUnavailable
from headwater_schemas.events import ArtifactUsed
from headwater_schemas.names import RunName, check_distributed_id, check_name, check_purpose
from headwater_stores.config.local_paths import absolute, local_path
from headwater_stores.config.settings import store_folder
from headwater_stores.telling.progress import notify

from headwater._artifact.artifact import Artifact, stored_version
from headwater._artifact.building import state_of
from headwater._artifact.lineage import inputs_of, outputs_of, use_of
from headwater._artifact.lookup import check_expected_type, find_artifact, version_artifact
from headwater._artifact.stored import DOWNLOADS
from headwater._commit.client import Client
from headwater._commit.save import log_version
from headwater._commit.shared_drafts import SharedDraft, check_writers
from headwater._content.attributes import UNSET, Aliases, expected_version
from headwater._fixed_attributes import FixedAttributes
from headwater._notebook import NotebookView
from headwater._run import other_trackers
from headwater._run.capture.capture import code_folders
from headwater._run.capture.difference import code_artifact
from headwater._run.capture.shown import as_dictionary
from headwater._run.exit_state import is_failure
from headwater._run.heartbeat import now_us
from headwater._run.live_values import LiveValues
from headwater._run.writer import RunWriter


class Run(FixedAttributes, NotebookView):
    """One execution. `init` starts a run; `Api().run(…)` returns past runs."""

    job_type: str | None
    group: str | None
    name: str
    tags: tuple[str, ...]

    def __init__(
        self,
        writer: RunWriter,
        *,
        job_type: str | None,
        group: str | None,
        config: str,
        display_name: str | None,
        tags: Sequence[str],
        summary: str = metadata.EMPTY,
        info: queries.RunInfo | None = None,
    ) -> None:
        """`info` is what is recorded about a run that this process did not start."""
        self._writer = writer
        self._info = info
        self._config = LiveValues("config", config, check=writer.check_own)
        self._summary = LiveValues("summary", summary, check=writer.check_own)
        self.job_type = job_type
        self.group = group
        self.name = display_name or writer.run.id
        self.tags = tuple(tags)

    # --- identity and state

    @property
    def id(self) -> str:
        """The id within the project."""
        return self._writer.run.id

    @property
    def path(self) -> str:
        """`entity/project/id`."""
        return self._writer.name

    @property
    def entity(self) -> str:
        """The entity that owns it."""
        return self._writer.run.entity

    @property
    def project(self) -> str:
        """The project it belongs to."""
        return self._writer.run.project

    @property
    def config(self) -> LiveValues:
        """The parameters, by name. They can be changed until the run ends, in the process that started it.

        Changes are recorded together, in the background, and all of them when the run ends.
        """
        return self._config

    @config.setter
    def config(self, values: LiveValues) -> None:
        _check_changed_in_place("config", values, self._config)

    @property
    def summary(self) -> LiveValues:
        """The results, by name; as `config`."""
        return self._summary

    @summary.setter
    def summary(self, values: LiveValues) -> None:
        _check_changed_in_place("summary", values, self._summary)

    @property
    def capture(self) -> dict[str, Any]:
        """What the run executes: `commit`, `remote`, `branch` and `dirty` ("yes", "no" or "unknown") of its git
        repository, and `command`, `python`, `platform`, `host`, `user`, `packages`.

        Empty where nothing was captured. For a run that has just begun it may wait for two seconds.
        """
        return as_dictionary(self._writer.captured())

    @property
    def state(self) -> str:
        """ "running", "finished", "failed" or "killed", as known to this object; of past runs also "crashed".

        A run is crashed once twice the interval that it announced has passed without a heartbeat.
        """
        if self._info is not None and self._writer.state == self._info.state:
            return self._info.state_at(now_us())
        return self._writer.state

    # --- inputs and outputs

    def log_artifact(
        self,
        artifact_or_path: Artifact | str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,
        aliases: Iterable[str] | None = None,
        *,
        expect_latest: str | None = UNSET,
    ) -> Artifact:
        """Log an artifact, file or folder as an output of this run. Returns immediately; `wait()` waits.

        A file or folder becomes an artifact called `name`, by default `run-ID-FILENAME`, of type `type`, by default
        "file" or "dataset". `latest` and the given `aliases` move to the logged version. An artifact that this run has
        logged already is not logged again; one that is a version already becomes an output of this run, too.
        `expect_latest` is a version such as "v3", or None for no version yet: waiting raises EventRejected, naming who
        logged what came first, unless that is the latest version when this one is committed.
        Raises: InvalidName, InvalidFile, StoreReadOnly; InvalidInput if the run has ended, or the attributes of a
        version were changed and not saved.
        """
        writer = self._writer
        writer.check_running()
        wanted, expected = _aliases(aliases), expected_version("expect_latest", expect_latest)
        artifact = self._as_artifact(artifact_or_path, name, type)
        state_of(artifact).log(
            writer.client, writer.namespace, wanted, writer.log, run=self.path, expect_latest=expected
        )
        return artifact

    def log_code(self, name: str = "code") -> Artifact:
        """Log the code that this run executes: its git commit, and the files that differ from it, as an output.

        The artifact `name` of type "code" has the commit in `code.json`, the difference in `uncommitted.diff`, and new
        files below `untracked`, up to 10 MiB each. No secret in them is masked. Reads all files that differ.
        Raises: InvalidName, InvalidInput where the code is in no git repository; see `log_artifact`.
        """
        self._writer.check_running()
        store = store_folder(self._writer.client.url)
        without = [DOWNLOADS] if store is None else [DOWNLOADS, str(store)]
        return self.log_artifact(code_artifact(name, code_folders(), without=without))

    def upsert_artifact(self, artifact: Artifact, distributed_id: str | None = None) -> Artifact:
        """Add an artifact's entries to the shared draft selected by `distributed_id` (default: the run's `group`).

        Ids are scoped to the artifact's name. The run then counts as done for a `finish_artifact` that waits for
        writers. Nothing is visible before the draft is sealed. Returns immediately; `wait()` waits until the entries
        are recorded.
        Raises: InvalidInput without an id, after the run has ended, or if the artifact was logged; InvalidName. Waiting
        raises EventRejected naming the version if the draft is already sealed.
        """
        writer = self._writer
        writer.check_running()
        shared = self._shared_draft(artifact, distributed_id)
        commit = partial(writer.upsert, shared=shared)
        state_of(artifact).upsert(writer.client, writer.namespace, shared.draft, commit, run=self.path)
        return artifact

    def finish_artifact(
        self, artifact: Artifact, distributed_id: str | None = None, writers: int | None = None
    ) -> Artifact:
        """Add the artifact's entries, if any, to the shared draft and seal it.

        With `writers`, the draft is sealed once that many runs have upserted. Finishing a draft twice gives the same
        version, and an artifact that was upserted to the draft adds nothing more. The version takes description,
        metadata, aliases and tags from `artifact`. Returns immediately; `wait()` waits for the version. Raises: see
        `upsert_artifact`.
        """
        writer = self._writer
        writer.check_running()
        shared = self._shared_draft(artifact, distributed_id)
        commit = partial(writer.finish_draft, shared=shared, writers=check_writers(writers))
        state_of(artifact).finish(writer.client, writer.namespace, shared.draft, commit)
        return artifact

    def use_artifact(
        self,
        artifact: Artifact | str,
        type: str | None = None,
        aliases: Iterable[str] | None = None,
        use_as: str | None = None,
    ) -> Artifact:
        """Record a version as an input of this run, and return it.

        A name is `[[entity/]project/]name[:alias or version]`; the default is `latest`. An artifact that was not logged
        yet is logged first. If `type` is given, it must match. `aliases` move to the version. `use_as` is kept with the
        use: its purpose, such as "training data". Of a version that was recalled a note says why.
        Raises: NotFound, InvalidName, InvalidInput.
        """
        self._writer.check_running()
        wanted = _aliases(aliases)
        if use_as is not None:
            check_purpose(use_as)
        if isinstance(artifact, Artifact):
            check_expected_type(artifact, type)
            found = self._logged(artifact, wanted)
            info, requested = self._current_info(found), found.source_name
        else:
            found = find_artifact(self._writer.client, artifact, self.entity, self.project)
            info, requested = stored_version(found).info, artifact
        check_expected_type(found, type)
        if info.recalled is not None:
            notify(
                f"{self._writer.client.session.shown(info.collection)}:v{info.version} was recalled: {info.recalled}"
            )
        used = ArtifactUsed(
            collection=info.collection, version=info.version, run=self.path, requested=requested, use_as=use_as
        )
        self._writer.send([used])
        for alias in wanted:
            if alias not in info.aliases:
                found.aliases.move(alias)
        return found

    def logged_artifacts(self) -> list[Artifact]:
        """The versions that this run logged, including existing versions with the same content."""
        client = self._writer.client
        return [version_artifact(client, *version) for version in outputs_of(client, self.path)]

    def used_artifacts(self) -> list[Artifact]:
        """The versions that this run used."""
        client = self._writer.client
        return [version_artifact(client, *version) for version in inputs_of(client, self.path)]

    def names_used(self, artifact: Artifact | str) -> list[str]:
        """The names under which this run requested a version, in order; empty if the run did not use it.

        Raises: InvalidInput before the artifact is logged; for a name, see `use_artifact`.
        """
        return list(self._use_of(artifact).requested)

    def used_as(self, artifact: Artifact | str) -> list[str]:
        """The purposes for which this run used a version, as given to `use_artifact(use_as=…)`, in order.

        Raises: as `names_used`.
        """
        return list(self._use_of(artifact).use_as)

    def finish(self, state: str = "finished", *, exit_code: int | None = None) -> None:
        """Wait for everything that was logged, then end the run as "finished", "failed" or "killed". Calling it again
        does nothing. A run of `Api().run(…)` that is still open is ended, too.

        An `exit_code` says the same: 0 is "finished", any other "failed". A run of which something could not be logged
        ends as "failed".
        Raises: the first logging error that no `wait()` raised, after ending the run; InvalidInput for any other state,
        without ending it.
        """
        if exit_code is not None:
            state = "finished" if exit_code == 0 else "failed"
        try:
            self._writer.finish(state)
        except StoreUnavailable:
            self._writer.client.told_unavailable = True
            raise

    # Scripts of experiment trackers call these: each raises an error that says what headwater records and what not.
    log = staticmethod(other_trackers.log)
    watch = staticmethod(other_trackers.watch)
    define_metric = staticmethod(other_trackers.define_metric)

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{other_trackers.advice(name)}")

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, and what another process gets, is as from `Api().run(…)`: it can log to the run."""
        config, summary = metadata.encode(self._config, "config"), metadata.encode(self._summary, "summary")
        facts = (self.job_type, self.group, self.name, self.tags, config, summary, self._info)
        return _elsewhere, (self._writer.client, self.path, self._writer.state, facts)

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None or not is_failure(error):
            self.finish()
            return
        try:
            self.finish("failed")
        except HeadwaterError as also:
            if isinstance(also, StoreMissing) and isinstance(error, StoreMissing):
                return  # the same, which is raised
            notify(f"while leaving run {self.id}: {also}")  # the first error is the one to be raised

    def _shown_fields(self) -> dict[str, str]:
        return {
            "run": self.path,
            "name": self.name,
            "job type": self.job_type or "",
            "group": self.group or "",
            "state": self.state,
            "tags": ", ".join(self.tags),
            "config": json.dumps(dict(self.config), ensure_ascii=False, default=str) if self.config else "",
        }

    def __repr__(self) -> str:
        return f"<Run {self.path} ({self.state})>"

    def _use_of(self, artifact: Artifact | str) -> queries.RunInputInfo:
        client = self._writer.client
        if not isinstance(artifact, Artifact):
            artifact = find_artifact(client, artifact, self.entity, self.project)
        info = stored_version(artifact).info
        return use_of(client, self.path, (info.collection, info.version))

    def _logged(self, artifact: Artifact, aliases: tuple[str, ...]) -> Artifact:
        """An artifact that is a version of this run's store; one that was not logged yet is logged by no run."""
        writer, state = self._writer, state_of(artifact)
        if state.stage == "draft":
            state.log(writer.client, writer.namespace, aliases, lambda record: log_version(writer.client, record, None))
        elif state.is_elsewhere(writer.client):
            raise InvalidInput(
                f"{artifact.name} is in the store {state.store_url}, but the run is in {writer.client.url}. Use a "
                "version of that store, by name."
            )
        return artifact.wait()

    def _current_info(self, artifact: Artifact) -> queries.VersionInfo:
        """What is recorded about a version by now. Raises: NotFound when it was deleted."""
        info = stored_version(artifact).info
        client = self._writer.client
        client.catch_up_on(info.collection)
        now = client.stores.reads.version_info(info.collection, info.version)
        if now is None or now.deleted:
            raise NotFound(f"{artifact.qualified_name} was deleted, so no run can use it. Use another version.")
        return now

    def _shared_draft(self, artifact: Artifact, distributed_id: str | None) -> SharedDraft:
        if not isinstance(artifact, Artifact):
            raise InvalidInput(f"a shared draft takes Artifact objects, and not {type(artifact).__name__}.")
        shared_id = distributed_id if distributed_id is not None else self.group
        if shared_id is None:
            raise InvalidInput(
                f"no distributed_id or group selects the shared draft of {state_of(artifact).base_name}. Pass "
                "distributed_id=…, or start all runs with the same headwater.init(group=…)."
            )
        try:
            return SharedDraft(check_distributed_id(shared_id), self.path)
        except InvalidName as error:
            if distributed_id is not None:
                raise
            raise InvalidName(
                f"the run's group {shared_id[:80]!r} cannot be the id of a shared draft: {error} Or pass "
                "distributed_id=…, which takes precedence over the group."
            ) from error

    def _as_artifact(
        self, given: Artifact | str | os.PathLike[str], name: str | None, type_name: str | None
    ) -> Artifact:
        if isinstance(given, Artifact):
            if name is not None and name != state_of(given).base_name:
                raise InvalidInput(
                    f"the artifact is named {state_of(given).base_name!r} and cannot be logged as {name!r}. Omit name=."
                )
            check_expected_type(given, type_name)
            return given
        if not isinstance(given, str | os.PathLike) or not os.fspath(given):
            raise InvalidInput(f"log_artifact takes an Artifact or the path of a file or folder, not {given!r}.")
        path = local_path(given)
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
        name = f"run-{self.id}-{os.path.basename(absolute(path))}"
        try:
            return check_name(name, "artifact")
        except InvalidName as error:
            raise InvalidName(f"{error} Or pass a name: log_artifact({path!r}, name=…).") from None


def _elsewhere(client: Client, path: str, state: str, facts: tuple[Any, ...]) -> Run:
    job_type, group, name, tags, config, summary, info = facts
    writer = RunWriter(client, RunName.parse(path), state)
    return Run(
        writer,
        job_type=job_type,
        group=group,
        config=config,
        display_name=name,
        tags=tags,
        summary=summary,
        info=info,
    )


def _check_changed_in_place(kind: str, values: object, own: LiveValues) -> None:
    if values is not own:  # else it is what `|=` leaves
        raise InvalidInput(f"the {kind} of a run cannot be replaced. Change it with `run.{kind}.update(…)`.")


def _aliases(given: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(Aliases(() if given is None else given))
