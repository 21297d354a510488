"""`headwater ls`: list projects, the artifacts of a project, the versions of an artifact, or the files of a version."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from headwater_schemas.digests import to_text
from headwater_schemas.errors import NotFound
from headwater_schemas.names import CollectionName, RunName
from headwater_schemas.paths import normalize
from headwater_stores.config.commands import LIST_PROJECTS, in_project
from headwater_stores.telling.progress import format_bytes

from headwater.cli.completion import complete_type, complete_version
from headwater.cli.options import json_option, limit_option, namespace_options
from headwater.cli.output import iso, print_json, print_table, report_empty, report_omitted, short_digest, time_text
from headwater.cli.resolve import nothing_in, open_reader, parse_name, report_nothing
from headwater.cli.version_json import version_json

if TYPE_CHECKING:
    from headwater_consumer.queries import EntryInfo, VersionInfo
    from headwater_stores.catching_up import ReadableStore


@click.command("ls", short_help="List artifacts, versions or files.")
@click.argument("name", metavar="[NAME[:VERSION]]", required=False, shell_complete=complete_version)
@click.option("--projects", "lists_projects", is_flag=True, help="List the projects of the store, or of --entity.")
@click.option("-t", "--type", "type_name", help="Only artifacts of this type.", shell_complete=complete_type)
@click.option("--prefix", help="Only files of the version below this folder.")
@limit_option
@namespace_options
@json_option
def ls_command(
    name: str | None,
    lists_projects: bool,
    type_name: str | None,
    prefix: str | None,
    limit: int,
    entity: str | None,
    project: str | None,
    as_json: bool,
) -> None:
    """List the artifacts of a project, the versions of NAME, or the files of NAME:VERSION.

    Without NAME, list the projects if the default project has no artifacts.
    """
    if lists_projects and not (name is project is type_name is prefix is None):
        raise click.UsageError("--projects lists projects: omit NAME, --project, --type and --prefix.")
    reader, settings = open_reader(entity, project)
    if lists_projects:
        _list_projects(reader, entity, limit, as_json)
        return
    collection, selector = (None, None) if name is None else parse_name(name, settings)
    if type_name is not None and collection is not None:
        raise click.UsageError("--type filters the artifacts of a project: omit the name.")
    if prefix is not None and selector is None:
        raise click.UsageError("--prefix filters the files of a version: name a version, such as pets:v3.")
    if collection is None:
        namespace = f"{settings.entity}/{settings.project}"
        found = _list_collections(reader, namespace, type_name, limit, as_json)
        if not (found or as_json):
            _report_no_artifacts(reader, namespace, type_name, entity, limit, is_default=project is None)
    elif selector is None:
        _list_versions(reader, collection, limit, as_json)
    else:
        from headwater._artifact.resolve import find_version  # deferred: database

        assert name is not None, "a selector follows a name"
        info = find_version(reader, name, settings.entity, settings.project)
        _list_entries(reader, info, prefix, limit, as_json)


def _list_projects(reader: "ReadableStore", entity: str | None, limit: int, as_json: bool) -> None:

    reads = reader.stores.reads
    found = reads.project_infos(entity=entity, limit=limit)
    if as_json:
        print_json([dataclasses.asdict(info) for info in found])
    elif found:
        rows = [(info.project, _count_text(info.artifacts), _count_text(info.runs)) for info in found]
        print_table(("project", "artifacts", "runs"), rows, fold=("project",), right=("artifacts", "runs"))
        whose = "its artifacts" if len(found) == 1 else "the artifacts of the first"
        click.echo(f"`{in_project('ls', found[0].project)}` lists {whose}.", err=True)
    else:
        report_empty(
            "no project has artifacts or runs yet"
            if reader.stores.shows_all
            else "there is no project that you may read"
        )
    if len(found) == limit:
        report_omitted(reads.count_projects(entity=entity, after=found[-1].project))


def _count_text(count: int) -> str:
    from headwater_consumer.queries.namespaces import COUNTED_MAX  # deferred: database

    return f"{count:,}{'' if count < COUNTED_MAX else '+'}"


def _list_collections(reader: "ReadableStore", project: str, type_name: str | None, limit: int, as_json: bool) -> bool:
    """Whether there are any."""

    found = reader.stores.reads.collections(project, type=type_name, limit=limit)
    if as_json:
        print_json(
            [
                {"artifact": c.collection, "type": c.type, "versions": c.versions, "created": iso(c.created_us)}
                for c in found
            ]
        )
    elif found:
        rows = [
            (CollectionName.parse(c.collection).name, c.type, f"{c.versions:,}", time_text(c.created_us)) for c in found
        ]
        print_table(("artifact", "type", "versions", "created"), rows, fold=("artifact", "type"), right=("versions",))
    if len(found) == limit:
        report_omitted(reader.stores.reads.count_collections(project, type=type_name) - limit)
    return bool(found)


def _report_no_artifacts(
    reader: "ReadableStore", project: str, type_name: str | None, entity: str | None, limit: int, *, is_default: bool
) -> None:
    """Where nobody asked for this very project, what they look for may be in another."""
    nothing = nothing_in(reader, project, "artifacts" if type_name is None else f"artifacts of type {type_name!r}")
    if reader.stores.missing is not None:
        report_nothing(reader, "artifacts", nothing)
    elif type_name is not None:
        report_empty(nothing)
    elif is_default:
        click.echo(f"{nothing}. Projects that have artifacts or runs:", err=True)
        _list_projects(reader, entity, limit, as_json=False)
    else:
        report_empty(f"{nothing}. {LIST_PROJECTS}")


def _list_versions(reader: "ReadableStore", collection: str, limit: int, as_json: bool) -> None:

    from headwater._artifact.not_found import missing_artifact  # deferred: database

    found = reader.stores.reads.version_infos(collection, limit=limit)
    if not found and reader.stores.reads.collection_info(collection) is None:
        raise missing_artifact(reader, collection)
    if as_json:
        print_json([version_json(info) for info in found])
    elif found:
        _print_versions(found)
    else:
        report_empty(f"{collection} has no versions: all were deleted")
    if len(found) == limit:
        report_omitted(reader.stores.reads.count_versions(collection, after=found[-1].version))


def _print_versions(found: "list[VersionInfo]") -> None:
    rows = [
        (
            f"v{info.version}",
            ", ".join(info.aliases),
            f"{info.entry_count:,}",
            format_bytes(info.size_bytes),
            "" if info.run is None else RunName.parse(info.run).id,
            time_text(info.created_us),
        )
        for info in found
    ]
    columns = ("version", "aliases", "files", "size", "logged by", "created")
    print_table(columns, rows, fold=("aliases",), right=("files", "size"))


def _list_entries(reader: "ReadableStore", info: "VersionInfo", prefix: str | None, limit: int, as_json: bool) -> None:

    reads = reader.stores.reads
    folder = "" if prefix is None else reads.stored_path(info.layers, normalize(prefix))
    found = reads.entries_page(info.layers, prefix=folder, limit=limit + 1)
    if folder and not found:
        raise NotFound(f"{info.collection}:v{info.version} has no folder {folder!r}. Omit --prefix to list all files.")
    shown = found[:limit]
    if as_json:
        print_json([_entry_json(entry) for entry in shown])
    elif shown:
        _print_entries(shown)
    else:
        report_empty(f"{info.collection}:v{info.version} has no files")
    if not folder:
        report_omitted(info.entry_count - len(shown))
    elif len(found) > limit:
        click.echo("There are more; --limit shows them.", err=True)


def _print_entries(shown: "Sequence[EntryInfo]") -> None:
    rows = [
        (entry.path, "" if entry.size is None else format_bytes(entry.size), _content_text(entry)) for entry in shown
    ]
    print_table(("path", "size", "content"), rows, fold=("path",), right=("size",), cut="content")


def _content_text(entry: "EntryInfo") -> str:
    return short_digest(to_text(entry.digest)) if entry.digest is not None else entry.uri or ""


def _entry_json(entry: "EntryInfo") -> dict[str, Any]:
    digest = None if entry.digest is None else to_text(entry.digest)
    return {
        "path": entry.path,
        "size_bytes": entry.size,
        "digest": digest,
        "uri": entry.uri,
        "checksum": entry.checksum,
        "object_version": entry.object_version,
        "executable": entry.executable,
    }
