"""`headwater log`: files, folders and references become a version, a draft over one, or a part of a shared draft."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click
from headwater_schemas.errors import InvalidInput

from headwater._artifact.artifact import Artifact
from headwater._artifact.lookup import check_expected_type
from headwater._run.init import init
from headwater.cli.common import json_option, print_json, version_named, where_options
from headwater.cli.completing import complete_type, complete_version
from headwater.cli.values import json_object, name_and_uri, ttl_option

if TYPE_CHECKING:
    from headwater._artifact.building import Policy
    from headwater._run.run import Run

JOB_TYPE = "headwater log"
TYPE = "dataset"  # unless given


@dataclass(frozen=True, slots=True)
class Content:
    """What is to be in the version."""

    paths: tuple[str, ...]
    folder: str | None
    references: tuple[str, ...]
    removed: tuple[str, ...]
    immutable: bool
    checksum: bool

    def put_into(self, artifact: Artifact) -> None:
        """Removals come first, so that a folder can be taken out and put in anew."""
        policy: Policy = "immutable" if self.immutable else "mutable"
        for item in self.removed:
            artifact.remove(item)
        for path in self.paths:
            if os.path.isdir(path):
                artifact.add_dir(path, self.folder, policy=policy)
            else:
                artifact.add_file(path, self._name_of(path), policy=policy)
        for reference in self.references:
            name, uri = name_and_uri(reference)
            artifact.add_reference(uri, name, checksum=self.checksum)

    def _name_of(self, path: str) -> str | None:
        return None if self.folder is None else f"{self.folder}/{os.path.basename(os.path.abspath(path))}"


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be said about the version."""

    description: str | None
    metadata: dict[str, Any] | None
    aliases: Sequence[str]
    tags: Sequence[str]
    ttl: timedelta | None

    def put_on(self, artifact: Artifact) -> None:
        if self.description is not None:
            artifact.description = self.description
        if self.metadata is not None:
            artifact.metadata = self.metadata
        artifact.aliases.extend(self.aliases)
        artifact.tags.extend(self.tags)
        if self.ttl:
            artifact.ttl = self.ttl


@dataclass(frozen=True, slots=True)
class Sharing:
    """Which shared draft it goes to, and whether that is complete with it."""

    distributed_id: str
    finish: bool
    writers: int | None

    def send(self, run: "Run", artifact: Artifact) -> None:
        if self.finish:
            run.finish_artifact(artifact, self.distributed_id, self.writers)
        else:
            run.upsert_artifact(artifact, self.distributed_id)


@click.command("log", short_help="Log files, folders and references as a version.")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("-n", "--name", help="The artifact's name; with --base it is the base's.")
@click.option(
    "-t", "--type", "type_name", help="The artifact's type.  [default: dataset]", shell_complete=complete_type
)
@click.option("--to", "folder", help="Put PATHS under this folder of the version.")
@click.option("--reference", "references", multiple=True, metavar="[NAME=]URI", help="Refer to it; repeat for more.")
@click.option("--no-checksum", is_flag=True, help="Keep the URIs alone, and ask nobody what is there.")
@click.option("-a", "--alias", "aliases", multiple=True, help="An alias to move to the version; repeat for more.")
@click.option("--tag", "tags", multiple=True, help="A tag for the version; repeat for more.")
@click.option("-d", "--description", help="What it is, for people.")
@click.option("-m", "--metadata", "metadata_text", metavar="JSON", help="What it is, for programs: a JSON object.")
@ttl_option
@click.option("--immutable", is_flag=True, help="Large files do not change until this ends: read them once.")
@click.option(
    "--use",
    "used",
    multiple=True,
    metavar="NAME[:VERSION]",
    help="What it was made from, for its lineage; repeat for more.",
    shell_complete=complete_version,
)
@click.option(
    "--base",
    metavar="NAME[:VERSION]",
    help="Start from this version, which is used by that.",
    shell_complete=complete_version,
)
@click.option("--remove", "removed", multiple=True, metavar="PATH", help="Leave this entry or folder of the base out.")
@click.option("--distributed-id", metavar="ID", help="Add to the draft that all who give this ID fill together.")
@click.option("--finish", is_flag=True, help="Seal the draft of --distributed-id, with what is given here.")
@click.option("--writers", type=click.IntRange(min=1), help="Seal it once so many runs have added to it.")
@click.option("--run", "run_id", metavar="ID", help="The run to log with; one that is tried again is the same writer.")
@where_options
@json_option
def log_command(
    paths: tuple[str, ...],
    references: tuple[str, ...],
    removed: tuple[str, ...],
    folder: str | None,
    immutable: bool,
    no_checksum: bool,
    description: str | None,
    metadata_text: str | None,
    aliases: tuple[str, ...],
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

    A folder's files come in at the top; files under their own names.
    """
    sharing = _sharing(distributed_id, finish, writers)
    content = Content(paths, folder, references, removed, immutable, not no_checksum)
    _check_content(content, which["base"], sharing)
    metadata = None if metadata_text is None else json_object(metadata_text, "--metadata")
    artifact, inputs = _begun(entity, project, **which)
    inputs += [version_named(name, entity, project) for name in used]
    Said(description, metadata, aliases, tags, ttl).put_on(artifact)
    with init(project=project, entity=entity, job_type=JOB_TYPE, id=run_id) as run:
        for version in inputs:
            run.use_artifact(version)
        content.put_into(artifact)
        if sharing is None:
            run.log_artifact(artifact).wait()
        else:
            sharing.send(run, artifact)
    _report(artifact, run, distributed_id, as_json=as_json)


def _sharing(distributed_id: str | None, finish: bool, writers: int | None) -> Sharing | None:
    if distributed_id is not None:
        if writers is not None and not finish:
            raise click.UsageError("--writers says when a draft is sealed: give --finish too.")
        return Sharing(distributed_id, finish, writers)
    if finish or writers is not None:
        raise click.UsageError("--finish and --writers are about a shared draft: give --distributed-id.")
    return None


def _check_content(content: Content, base: str | None, sharing: Sharing | None) -> None:
    if content.removed and base is None:
        raise click.UsageError("--remove takes something out of a base: give --base.")
    seals_only = sharing is not None and sharing.finish
    if not (content.paths or content.references or content.removed or base or seals_only):
        raise click.UsageError("there is nothing to log: give PATHS, --reference or --base.")


def _begun(
    entity: str | None, project: str | None, *, name: str | None, type_name: str | None, base: str | None
) -> tuple[Artifact, list[Artifact]]:
    """A new artifact, or a draft; and its bases, one or none."""
    if base is None:
        if name is None:
            raise click.UsageError("an artifact needs a name: give --name, or --base.")
        return Artifact(name, TYPE if type_name is None else type_name), []
    version = version_named(base, entity, project)
    check_expected_type(version, type_name)
    draft = version.new_draft()
    if name is not None and name != draft.name:
        raise InvalidInput(f"a draft of {version.qualified_name} is a version of {draft.name}, not of {name}.")
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
        click.echo(f"{name}: added to the draft {distributed_id!r}, which is open" if is_open else name)


def _is_open(artifact: Artifact) -> bool:
    """Whether it is part of a shared draft that others go on with."""
    try:
        return not artifact.version
    except InvalidInput:
        return True
