"""`headwater lineage`: print the upstream or downstream graph of a version as a tree."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from headwater_stores.telling.progress import printable

from headwater.cli.options import json_option, namespace_options, version_argument
from headwater.cli.output import console, print_json
from headwater.cli.resolve import open_reader

if TYPE_CHECKING:
    from headwater_consumer import queries
    from headwater_stores.catching_up import ReadableStore

Purposes = Mapping[tuple[str, int, str], Sequence[str]]  # of the use of a version by a run

GUIDE_COLUMNS = 4  # indentation per level of a tree
GUIDES_SHARE = 0.5  # of the terminal width; the rest is for names


@click.command("lineage", short_help="Show what a version was made from.")
@version_argument
@click.option("--down", is_flag=True, help="Show what was made from the version instead.")
@namespace_options
@json_option
def lineage_command(name: str, down: bool, entity: str | None, project: str | None, as_json: bool) -> None:
    """Show the runs and versions that a version was made from, as a tree."""
    from headwater_consumer.queries import lineage  # deferred: database

    from headwater._artifact.resolve import find_version  # deferred: database

    reader, settings = open_reader(entity, project)
    info = find_version(reader, name, settings.entity, settings.project)
    reads = reader.stores.reads
    found = (reads.descendants if down else reads.ancestry)(info.collection, info.version)
    purposes = reads.purposes_of({edge.run for edge in found.edges if edge.used})
    if as_json:
        print_json(_as_json(found, purposes))
        return
    lines = lineage.tree(found)
    namespace = f"{settings.entity}/{settings.project}/"
    out = console()
    levels_max = max(1, int(out.width * GUIDES_SHARE) // GUIDE_COLUMNS)
    out.print(_drawn(reader, lines, purposes, namespace, levels_max=levels_max))
    if found.truncated or len(lines) == lineage.TREE_LINES_MAX:
        click.echo("The tree was truncated. Start from a version closer to the ones you need.", err=True)


def _drawn(
    reader: "ReadableStore", lines: "list[queries.TreeLine]", purposes: Purposes, namespace: str, *, levels_max: int
) -> Any:
    """A tree; nodes deeper than `levels_max` are not indented further but labelled with their level."""
    from rich.markup import escape
    from rich.tree import Tree

    branches: list[Tree] = []  # the current branch at each depth
    for line in lines:
        label = escape(printable(_label(reader, line, namespace) + _purpose(line, purposes)))
        more = " [dim](shown above)[/dim]" if line.repeated else ""
        text = f"[bold]{label}[/bold]{more}" if line.run is None else f"{label}{more}"
        level = min(line.depth, levels_max)
        deep = f"[dim]level {line.depth}:[/dim] " if line.depth > level else ""
        branch = Tree(text) if level == 0 else branches[level - 1].add(f"{deep}{text}")
        branches[level:] = [branch]
    return branches[0]


def _label(reader: "ReadableStore", line: "queries.TreeLine", namespace: str) -> str:
    """A version with its type and aliases, or a run with its job type; `namespace` is omitted."""
    from headwater_consumer.database.lost_transactions import lost_transactions  # deferred: database

    if line.run is not None:
        run = reader.stores.reads.run_info(line.run)
        job = f" ({run.job_type})" if run is not None and run.job_type else ""
        return f"run {line.run.removeprefix(namespace)}{job}"
    assert line.collection is not None
    assert line.version is not None
    reads = reader.stores.reads
    info = reads.version_info(line.collection, line.version)
    if info is None:  # edges only name existing versions
        raise lost_transactions(reads.name)
    aliases = f" [{', '.join(info.aliases)}]" if info.aliases else ""
    return f"{line.collection.removeprefix(namespace)}:v{line.version} ({info.type}){aliases}"


def _purpose(line: "queries.TreeLine", purposes: Purposes) -> str:
    """What the use is for that leads to a line: of a version by the run above, or of the version above by a run."""
    if line.edge is None or not line.edge.used:
        return ""
    found = purposes.get(line.edge[:3], ())
    return f" as {', '.join(found)}" if found else ""


def _as_json(found: "queries.Lineage", purposes: Purposes) -> dict[str, Any]:
    return {
        "artifact": f"{found.collection}:v{found.version}",
        "direction": "up" if found.upstream else "down",
        "truncated": found.truncated,
        "edges": [
            {
                "run": edge.run,
                "artifact": f"{edge.collection}:v{edge.version}",
                "relation": "used" if edge.used else "logged",
                "use_as": list(purposes.get(edge[:3], ())) if edge.used else [],
            }
            for edge in found.edges
        ],
    }
