"""`headwater usage`: how much room projects, artifacts and versions take, and how much of it only deleted ones need."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from heapq import nlargest
from typing import TYPE_CHECKING, Any

import click
from headwater_runtime.durations import format_seconds
from headwater_schemas.names import CollectionName, check_name, parse_version
from headwater_stores.telling.progress import counted, format_bytes

from headwater.cli.completion import complete_version
from headwater.cli.options import json_option, limit_option, namespace_options
from headwater.cli.output import iso, print_fields, print_json, print_table, report_omitted, time_text
from headwater.cli.resolve import open_reader, parse_name, report_nothing

if TYPE_CHECKING:
    from headwater_consumer.queries import VersionUsage
    from headwater_consumer.queries.usage_totals import SizedVersion, UsageTotals
    from headwater_stores.catching_up import StoreReader
    from headwater_stores.config.settings import Settings
    from headwater_stores.leftovers import Amount

    from headwater.cli.kept_usage import AsOf
    from headwater.cli.space import Counting, ProjectSpace

MONTHS_SHOWN = 12
_NUMBERS = ("versions", "deleted", "files", "needed", "reclaimable")
_OF_VERSION = ("files", "size", "own", "shared", "added", "reclaimable")


@click.command("usage", short_help="Show what takes up room.")
@click.argument("name", metavar="[NAME[:VERSION]]", required=False, shell_complete=complete_version)
@click.option("--exact", is_flag=True, help="Count large projects anew, too.")
@limit_option
@namespace_options
@json_option
def usage_command(
    name: str | None, exact: bool, limit: int, entity: str | None, project: str | None, as_json: bool
) -> None:
    """Show how much room all projects take, the artifacts of a project, the versions of NAME, or NAME:VERSION.

    A project is named by --project, or in the place of NAME as [ENTITY/]PROJECT where no artifact has that name. Each
    content counts once, however many versions have it. Needed is what live versions and open drafts have, reclaimable
    what only deleted versions have. Projects of more than 2,000 versions are shown as they were last counted, by
    `headwater maintain` or --exact, with the time of that: counting reads what each version added, which takes about a
    minute for a million small versions.
    """
    reader, settings = open_reader(entity, project)
    asked = _Asked(reader, settings, limit, exact=exact, as_json=as_json)
    if name is not None:
        collection, selector = parse_name(name, settings)
        if selector is not None:
            _show_version(reader, collection, selector, as_json)
        elif reader.stores.reads.collection_info(collection) is not None:
            _show_versions(asked, collection)
        else:
            _show_project(asked, _project_named(reader, name, settings, collection))
    elif project is not None:
        _show_project(asked, f"{settings.entity}/{settings.project}")
    else:
        _show_projects(asked, None if entity is None else check_name(entity, "entity"))


@dataclass(frozen=True, slots=True)
class _Asked:
    """How one wants to be told."""

    reader: "StoreReader"
    settings: "Settings"
    limit: int
    exact: bool  # count all anew
    as_json: bool


def _project_named(reader: "StoreReader", name: str, settings: "Settings", collection: str) -> str:
    """The project that NAME is, as no artifact is called so. Raises: NotFound."""
    from headwater._artifact.not_found import missing_artifact  # deferred: database

    *entities, project = name.split("/")
    namespace = "/".join([*(entities or [settings.entity]), project])
    if len(entities) <= 1 and reader.stores.reads.numbered_collections(namespace, limit=1):
        return namespace
    raise missing_artifact(reader, collection)


# --- projects -----------------------------------------------------------------------------------------------------


def _show_projects(asked: _Asked, entity: str | None) -> None:
    from headwater.cli.space import Counting, read_projects, summed  # deferred: database

    reader, stores, shows_objects = asked.reader, asked.reader.stores, _shows_objects(asked.reader, asked.settings)
    count = 0

    def counted_projects() -> "Iterator[_CountedProject]":
        nonlocal count
        for name in read_projects(stores.reads, entity):
            count += 1
            yield _counted(asked, counting, name, shows_objects=shows_objects, limit=1)

    with Counting(stores.reads) as counting:
        shown = nlargest(asked.limit, counted_projects(), key=lambda one: one.space.totals.stored_bytes)
    staged = summed(stores.blobs.abandoned()) if shows_objects else None
    if asked.as_json:
        print_json(
            {
                "projects": [one.as_json() for one in shown],
                "staged": None if staged is None else staged.count,
                "staged_bytes": None if staged is None else staged.size_bytes,
            }
        )
    elif shown:
        rows = [(one.space.project, *_numbers(one.space.totals), *_object_cells(one.space.objects)) for one in shown]
        columns = (*_NUMBERS, "objects", "stored")
        print_table(("project", *columns), rows, fold=("project",), right=columns)
        if staged is not None and staged.count:
            click.echo(f"\n{staged}; see `headwater gc`")
        _say_as_of(min((one.as_of for one in shown if one.as_of), key=lambda at: at.computed_us, default=None))
    else:
        report_nothing(reader, "artifacts", "no project has artifacts, or none that you may read")
    report_omitted(count - len(shown))


def _show_project(asked: _Asked, project: str) -> None:
    from headwater.cli.space import Counting, lists_json, totals_json  # deferred: database

    with Counting(asked.reader.stores.reads) as counting:
        shows_objects = _shows_objects(asked.reader, asked.settings)
        found = _counted(asked, counting, project, shows_objects=shows_objects, limit=asked.limit)
    space, shown = found.space, found.collections
    if asked.as_json:
        artifacts = [{"artifact": name, **totals_json(totals)} for name, totals in shown]
        print_json({**found.as_json(), **lists_json(space.totals), "artifacts": artifacts})
        return
    if not shown:
        report_nothing(asked.reader, "artifacts", f"{project} has no artifacts, or none that you may read")
        return
    rows = [(CollectionName.parse(name).name, *_numbers(totals)) for name, totals in shown]
    print_table(("artifact", *_NUMBERS), rows, fold=("artifact",), right=_NUMBERS)
    click.echo()
    objects = "" if space.objects is None else _objects_text(space.objects)
    print_fields([("project", project), *_total_fields(space.totals), ("stored", objects)])
    _say_as_of(found.as_of)
    report_omitted(space.collections - len(shown))


@dataclass(frozen=True, slots=True)
class _CountedProject:
    space: "ProjectSpace"
    collections: "list[tuple[str, UsageTotals]]"  # those that take up most
    as_of: "AsOf | None"  # None: of now

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {**self.space.as_json(), **_as_of_json(self.as_of)}


def _counted(asked: _Asked, counting: "Counting", project: str, *, shows_objects: bool, limit: int) -> _CountedProject:
    """A project as it was last counted, or counted now where it is small, was never counted, or that is asked for."""
    from headwater.cli.kept_usage import is_large_project, keeping, kept_of, space_as_kept  # deferred: database
    from headwater.cli.space import ProjectSpace, objects_of  # deferred: database

    stores, settings, large = asked.reader.stores, asked.settings, is_large_project(counting, project)
    if large and not asked.exact and (kept := kept_of(stores, settings, project, limit=limit)) is not None:
        space, shown, at = space_as_kept(kept, project)
        return _CountedProject(replace(space, objects=space.objects if shows_objects else None), shown, at)
    space = ProjectSpace(project, objects_of(stores.blobs, project) if shows_objects else None)
    with keeping(stores, settings, space) if large else nullcontext() as keep:

        def collections() -> "Iterator[tuple[str, UsageTotals]]":
            for one in space.count(counting):
                if keep is not None:
                    keep(*one)
                yield one

        shown = nlargest(limit, collections(), key=lambda one: one[1].stored_bytes)
    return _CountedProject(space, shown, None)


def _as_of_json(at: "AsOf | None") -> dict[str, Any]:
    return {"as_of": None if at is None else iso(at.computed_us), "cut": None if at is None else at.cut}


def _say_as_of(at: "AsOf | None") -> None:
    if at is not None:
        ago = format_seconds(max(0.0, time.time() - at.computed_us / 1_000_000))
        click.echo(f"\nas of {time_text(at.computed_us)}, {ago} ago; --exact counts anew")


def _shows_objects(reader: "StoreReader", settings: "Settings") -> bool:
    """Whether one can see the store of bytes. Says so where one cannot."""
    if settings.server is not None:
        click.echo("A server does not list objects and staged content: see them where that server runs.", err=True)
    return settings.server is None and reader.stores.missing is None


def _numbers(totals: "UsageTotals") -> tuple[str, ...]:
    counts = totals.live_versions, totals.deleted_versions, totals.files
    sizes = totals.needed_bytes, totals.reclaimable_bytes
    return (*[f"{count:,}" for count in counts], *map(format_bytes, sizes))


def _object_cells(objects: "Amount | None") -> tuple[str, str]:
    return ("", "") if objects is None else (f"{objects.count:,}", format_bytes(objects.size_bytes))


def _objects_text(objects: "Amount") -> str:
    return f"{format_bytes(objects.size_bytes)} in {counted(objects.count, 'object')}"


def _total_fields(totals: "UsageTotals") -> Iterator[tuple[str, str]]:
    yield "needed", format_bytes(totals.needed_bytes)
    yield "reclaimable", format_bytes(totals.reclaimable_bytes)
    yield "largest", ", ".join(f"{_short(one)} {format_bytes(one.size_bytes)}" for one in totals.largest)
    yield "oldest", ", ".join(f"{_short(one)} {time_text(one.created_us)}" for one in totals.oldest)
    months = list(totals.added_by_month.items())[-MONTHS_SHOWN:]
    yield "added", ", ".join(f"{month} {format_bytes(size)}" for month, size in months)


def _short(one: "SizedVersion") -> str:
    return f"{CollectionName.parse(one.collection).name}:v{one.version}"


# --- versions -----------------------------------------------------------------------------------------------------


def _show_versions(asked: _Asked, collection: str) -> None:
    from headwater.cli.space import lists_json, totals_json  # deferred: database

    totals, newest, at = _counted_versions(asked, collection)
    shown = [_version_json(asked.reader, collection, usage) for usage in reversed(newest)]
    if asked.as_json:
        lists = lists_json(totals)
        print_json({"artifact": collection, **totals_json(totals), **_as_of_json(at), **lists, "newest": shown})
        return
    rows = [_version_cells(one) for one in shown]
    print_table(("version", "state", *_OF_VERSION), rows, fold=("state",), right=_OF_VERSION)
    click.echo()
    print_fields([("artifact", collection), *_total_fields(totals)])
    _say_as_of(at)
    report_omitted(totals.versions - len(shown))


def _counted_versions(asked: _Asked, collection: str) -> "tuple[UsageTotals, Sequence[VersionUsage], AsOf | None]":
    """The sums of a collection, as last counted if it is large and kept; its newest versions; and when it was counted.

    The newest are those of now, each as it is now.
    """
    from headwater_consumer.queries.usage_totals import UsageTotals  # deferred: database

    from headwater.cli.kept_usage import as_of, kept_collection  # deferred: database
    from headwater.cli.space import Counting  # deferred: database

    stores, newest = asked.reader.stores, deque["VersionUsage"](maxlen=asked.limit)
    kept = None if asked.exact else kept_collection(stores, asked.settings, collection)
    with Counting(stores.reads) as counting:
        if kept is not None:
            totals = UsageTotals.of_text(kept.totals)
            newest.extend(counting.versions(collection, after=max(-1, totals.versions - asked.limit - 1)))
            return totals, newest, as_of(kept)
        info, totals = stores.reads.collection_info(collection), UsageTotals()
        counting.expect(0 if info is None else info.versions)
        for usage in counting.versions(collection):
            totals.add(collection, usage, usage.to_collection)
            newest.append(usage)
    return totals, newest, None


def _show_version(reader: "StoreReader", collection: str, selector: str, as_json: bool) -> None:
    from headwater._artifact.not_found import missing_artifact, missing_version  # deferred: database

    reads, number = reader.stores.reads, parse_version(selector)
    if number is None:
        number = reads.resolve_version(collection, selector)
    found = [] if number is None else reads.version_usages(collection, after=number - 1, limit=1)
    if not found or found[0].version != number:
        is_there = reads.collection_info(collection) is not None
        raise missing_version(reader, collection, selector) if is_there else missing_artifact(reader, collection)
    told = _version_json(reader, collection, found[0])
    if as_json:
        print_json(told)
        return
    _, _, *cells = _version_cells(told)
    print_fields([("version", told["artifact"]), ("state", told["state"]), *zip(_OF_VERSION, cells, strict=True)])


def _version_json(reader: "StoreReader", collection: str, usage: "VersionUsage") -> dict[str, Any]:
    """One version. What is its own is what deleting it, and nothing else, would free."""
    own = None if usage.deleted else reader.stores.reads.reclaimable_bytes(collection, [usage.version])
    added = usage.to_collection
    return {
        "artifact": f"{collection}:v{usage.version}",
        "state": "purged" if usage.purged else "deleted" if usage.deleted else "live",
        "files": usage.files,
        "size_bytes": usage.size_bytes,
        "own_bytes": own,
        "shared_bytes": None if own is None else max(0, usage.size_bytes - own),
        "added_bytes": added.needed + added.reclaimable,
        "reclaimable_bytes": added.reclaimable,
        "created": iso(usage.created_us),
    }


def _version_cells(told: dict[str, Any]) -> tuple[str, ...]:
    """Number, state, and what _OF_VERSION names."""
    sizes = ("size_bytes", "own_bytes", "shared_bytes", "added_bytes", "reclaimable_bytes")
    cells = ["" if told[key] is None else format_bytes(told[key]) for key in sizes]
    return (told["artifact"].rpartition(":")[2], told["state"], f"{told['files']:,}", *cells)
