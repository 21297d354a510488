"""`headwater log` and `headwater get`."""

import json
import os

import click
from headwater_schemas.errors import InvalidInput

from headwater._artifact import Artifact
from headwater._run import find_artifact, init
from headwater.cli.common import json_option, opened, print_json, where_options

JOB_TYPE = "headwater log"


@click.command("log")
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option("-n", "--name", required=True, help="The artifact's name.")
@click.option("-t", "--type", "type_name", default="dataset", show_default=True, help="The artifact's type.")
@click.option("-a", "--alias", "aliases", multiple=True, help="An alias to move to the version; repeat for more.")
@click.option("-d", "--description", help="What it is, for people.")
@click.option("-m", "--metadata", "metadata_text", help="What it is, for programs: a JSON object.")
@where_options
@json_option
def log_command(
    paths: tuple[str, ...],
    name: str,
    type_name: str,
    aliases: tuple[str, ...],
    description: str | None,
    metadata_text: str | None,
    entity: str | None,
    project: str | None,
    as_json: bool,
) -> None:
    """Log files and folders as one version of an artifact.

    A folder's files come in at the top; files under their own names.
    """
    with init(project=project, entity=entity, job_type=JOB_TYPE) as run:
        artifact = Artifact(name, type_name, description, _metadata(metadata_text))
        for path in paths:
            if os.path.isdir(path):
                artifact.add_dir(path)
            else:
                artifact.add_file(path)
        run.log_artifact(artifact, aliases=aliases).wait()
    if as_json:
        print_json(
            {
                "artifact": artifact.qualified_name,
                "version": artifact.version,
                "digest": artifact.digest,
                "size_bytes": artifact.size,
                "files": artifact.file_count,
                "run": run.path,
            }
        )
    else:
        click.echo(artifact.qualified_name)


@click.command("get")
@click.argument("name")
@click.argument("root", required=False, type=click.Path())
@where_options
@json_option
def get_command(name: str, root: str | None, entity: str | None, project: str | None, as_json: bool) -> None:
    """Download a version into ROOT, ./artifacts/NAME:vN unless given. NAME may be name, name:alias or name:v3."""
    client, settings = opened(entity, project)
    artifact = find_artifact(client, name, settings.entity, settings.project)
    folder = artifact.download(root)
    if as_json:
        print_json({"artifact": artifact.qualified_name, "root": folder, "files": artifact.file_count})
    else:
        click.echo(folder)


def _metadata(text: str | None) -> dict[str, object] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"--metadata is not JSON: {error}. Write an object such as '{{\"rows\": 10}}'.") from None
    if not isinstance(value, dict):
        raise InvalidInput(f"--metadata is a JSON {type(value).__name__}, not an object. Write '{{\"key\": value}}'.")
    return value
