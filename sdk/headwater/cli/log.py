"""`headwater log`: log files, folders and references as a version, a draft of one, or part of a shared draft."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click
from headwater_schemas.errors import InvalidInput
from headwater_stores.config.local_paths import absolute, local_path

from headwater._artifact.artifact import Artifact
from headwater._artifact.building import state_of
from headwater._content.attributes import UNSET
from headwater.cli.completion import complete_type, complete_version
from headwater.cli.options import json_option, namespace_options
from headwater.cli.output import print_json
from headwater.cli.parsing import expected_version_option, json_object, name_and_uri, ttl_option
from headwater.cli.resolve import version_named

if TYPE_CHECKING:
    from headwater._artifact.building import Policy
    from headwater._run.run import Run

JOB_TYPE = "headwater log"
TYPE_DEFAULT = "dataset"


@dataclass(frozen=True, slots=True)
class ContentOptions:
    """The content of the version."""

    paths: tuple[str, ...]
    folder: str | None
    references: tuple[str, ...]
    removed: tuple[str, ...]
    ignore: tuple[str, ...]
    policy: "Policy"
    checksum: bool

    def apply(self, artifact: Artifact) -> None:
        """Remove first, so that a folder can be removed and added in one command."""
        for item in self.removed:
            artifact.remove(item)
        if len(self.paths) + len(self.references) > 1:
            state_of(artifact).refuse_second_sources()
        several = len({os.path.realpath(path) for path in self.paths if os.path.isdir(path)}) > 1
        for path in self.paths:
            if os.path.isdir(path):
                name = self._name_of(path) if several else self.folder
                artifact.add_dir(path, name, policy=self.policy, ignore=self.ignore)
            else:
                artifact.add_file(path, self._name_of(path), policy=self.policy)
        for reference in self.references:
            name, uri = name_and_uri(reference)
            artifact.add_reference(uri, name, checksum=self.checksum)

    def _name_of(self, path: str) -> str:
        """Where a path is kept under its own name. Raises: InvalidInput for one that has none."""
        name = os.path.basename(absolute(path))
        if not name:
            raise InvalidInput(f"{path!r} has no name that could be kept. Log it alone.")
        return name if self.folder is None else f"{self.folder}/{name}"


@dataclass(frozen=True, slots=True)
class AttributeOptions:
    """The attributes of the version."""

    description: str | None
    metadata: dict[str, Any] | None
    aliases: Sequence[str]
    tags: Sequence[str]
    ttl: timedelta | None

    def apply(self, artifact: Artifact) -> None:
        if self.description is not None:
            artifact.description = self.description
        if self.metadata is not None:
            artifact.metadata = self.metadata
        artifact.aliases.extend(self.aliases)
        artifact.tags.extend(self.tags)
        if self.ttl:
            artifact.ttl = self.ttl


@dataclass(frozen=True, slots=True)
class DraftOptions:
    """The shared draft to add to, and whether to seal it."""

    distributed_id: str
    finish: bool
    writers: int | None

    def log(self, run: "Run", artifact: Artifact) -> None:
        if self.finish:
            run.finish_artifact(artifact, self.distributed_id, self.writers)
        else:
            run.upsert_artifact(artifact, self.distributed_id)


@click.command("log", short_help="Log files, folders and references as a version.")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("-n", "--name", help="Artifact name; with --base, the name of the base.")
@click.option("-t", "--type", "type_name", help="Artifact type.  [default: dataset]", shell_complete=complete_type)
@click.option("--to", "folder", help="Put PATHS below this folder of the version.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="PATTERN",
    help="Leave out of folders what matches, as in .gitignore; repeatable.",
)
@click.option("--reference", "references", multiple=True, metavar="[NAME=]URI", help="Add a reference; repeatable.")
@click.option("--no-checksum", is_flag=True, help="Record references without requesting them.")
@click.option("-a", "--alias", "aliases", multiple=True, help="Move this alias to the version; repeatable.")
@expected_version_option("--expect-latest", "Log only if this is the latest version, or if there is none.")
@click.option("--tag", "tags", multiple=True, help="Add this tag to the version; repeatable.")
@click.option("-d", "--description", help="Description.")
@click.option("-m", "--metadata", "metadata_text", metavar="JSON", help="Metadata, as a JSON object.")
@ttl_option
@click.option("--immutable", is_flag=True, help="Read large files only once; they must not change meanwhile.")
@click.option("--verify", is_flag=True, help="Read all files and what is stored of them; store again what is damaged.")
@click.option(
    "--use",
    "used",
    multiple=True,
    metavar="NAME[:VERSION]",
    help="Record this version as an input; repeatable.",
    shell_complete=complete_version,
)
@click.option(
    "--base",
    metavar="NAME[:VERSION]",
    help="Start from this version, and record it as an input.",
    shell_complete=complete_version,
)
@click.option(
    "--remove", "removed", multiple=True, metavar="PATH", help="Remove this entry or folder of the base; repeatable."
)
@click.option("--distributed-id", metavar="ID", help="Add to the shared draft with this ID.")
@click.option("--finish", is_flag=True, help="Add to the draft of --distributed-id and seal it.")
@click.option("--writers", type=click.IntRange(min=1), help="Seal the draft once this many runs have added to it.")
@click.option("--run", "run_id", metavar="ID", help="Run ID, for retries that count as the same writer.")
@namespace_options
@json_option
def log_command(
    paths: tuple[str, ...],
    references: tuple[str, ...],
    removed: tuple[str, ...],
    ignore: tuple[str, ...],
    folder: str | None,
    immutable: bool,
    verify: bool,
    no_checksum: bool,
    description: str | None,
    metadata_text: str | None,
    aliases: tuple[str, ...],
    expect_latest: str | None,
    tags: tuple[str, ...],
    ttl: timedelta | None,
    used: tuple[str, ...],
    distributed_id: str | None,
    finish: bool,
    writers: int | None,
    run_id: str | None,
    entity: str | None,
    project: str | None,
    as_json: bool,
    **which: str | None,
) -> None:
    """Log files, folders and references as one version of an artifact.

    The contents of a folder are added at the top level; several folders keep their names, and so do files. Left out of
    folders are .git, headwater's stores, and what --ignore or a .headwaterignore file says.
    """
    from headwater._run.init import init  # deferred: database

    draft = _draft_options(distributed_id, finish, writers)
    policy = _policy(immutable=immutable, verify=verify)
    content = ContentOptions(
        tuple(map(local_path, paths)), folder, references, removed, ignore, policy, not no_checksum
    )
    _check_content(content, which["base"], draft)
    if draft is not None and expect_latest is not UNSET:
        raise click.UsageError("--expect-latest and --distributed-id exclude each other.")
    metadata = None if metadata_text is None else json_object(metadata_text, "--metadata")
    artifact, inputs = _new_artifact(entity, project, **which)
    inputs += [version_named(name, entity, project) for name in used]
    AttributeOptions(description, metadata, aliases, tags, ttl).apply(artifact)
    with init(project=project, entity=entity, job_type=JOB_TYPE, id=run_id) as run:
        for version in inputs:
            run.use_artifact(version)
        content.apply(artifact)
        if draft is None:
            run.log_artifact(artifact, expect_latest=expect_latest).wait()
        else:
            draft.log(run, artifact)
    _report(artifact, run, distributed_id, as_json=as_json)


def _draft_options(distributed_id: str | None, finish: bool, writers: int | None) -> DraftOptions | None:
    if distributed_id is not None:
        if writers is not None and not finish:
            raise click.UsageError("--writers requires --finish.")
        return DraftOptions(distributed_id, finish, writers)
    if finish or writers is not None:
        raise click.UsageError("--finish and --writers require --distributed-id.")
    return None


def _policy(*, immutable: bool, verify: bool) -> "Policy":
    if immutable and verify:
        raise click.UsageError("--immutable and --verify exclude each other.")
    return "immutable" if immutable else "verify" if verify else "mutable"


def _check_content(content: ContentOptions, base: str | None, draft: DraftOptions | None) -> None:
    if content.removed and base is None:
        raise click.UsageError("--remove requires --base.")
    seals_only = draft is not None and draft.finish
    if not (content.paths or content.references or content.removed or base or seals_only):
        raise click.UsageError("nothing to log. Give PATHS, --reference or --base.")


def _new_artifact(
    entity: str | None, project: str | None, *, name: str | None, type_name: str | None, base: str | None
) -> tuple[Artifact, list[Artifact]]:
    """A new artifact or a draft, and its base as a list of inputs."""
    from headwater._artifact.lookup import check_expected_type  # deferred: database

    if base is None:
        if name is None:
            raise click.UsageError("the artifact has no name. Give --name or --base.")
        return Artifact(name, TYPE_DEFAULT if type_name is None else type_name), []
    version = version_named(base, entity, project)
    check_expected_type(version, type_name)
    draft = version.new_draft()
    if name is not None and name != draft.name:
        raise InvalidInput(
            f"a draft of {version.qualified_name} becomes a version of {draft.name}, not of {name}. Omit --name."
        )
    return draft, [version]


def _report(artifact: Artifact, run: "Run", distributed_id: str | None, *, as_json: bool) -> None:
    is_open = distributed_id is not None and _is_open(artifact)
    name = f"{run.entity}/{run.project}/{artifact.name}" if is_open else artifact.qualified_name
    if as_json:
        print_json(
            {
                "artifact": name,
                "version": None if is_open else artifact.version,
                "state": artifact.state,
                "distributed_id": distributed_id,
                "digest": artifact.digest,
                "size_bytes": artifact.size,
                "files": artifact.file_count,
                "run": run.path,
            }
        )
    else:
        click.echo(f"{name}: added to the open draft {distributed_id!r}" if is_open else name)


def _is_open(artifact: Artifact) -> bool:
    """Whether it is part of a shared draft that is not sealed yet."""
    try:
        return not artifact.version
    except InvalidInput:
        return True
