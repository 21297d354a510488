"""`headwater diff`: compare two versions."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from headwater_schemas.digests import to_text
from headwater_stores.telling.progress import format_bytes

from headwater._artifact.artifact import Artifact, stored_version
from headwater.cli.completion import complete_version
from headwater.cli.options import json_option, limit_option, namespace_options
from headwater.cli.output import json_text, print_json, print_table, report_omitted
from headwater.cli.resolve import version_named

if TYPE_CHECKING:
    from headwater_consumer.queries.differences import EntryContent

    from headwater._content.differences import AttributeChange, EntryChange

EXIT_DIFFERENT = 1


class Summary:
    """Counts all changes and keeps the first `limit` of them."""

    def __init__(self, changes: "Iterable[EntryChange]", limit: int) -> None:
        self.first: list[EntryChange] = []
        self.counts: Counter[str] = Counter()
        self.growth: Counter[str] = Counter()  # bytes
        for change in changes:
            self.counts[change.change] += 1
            self.growth[change.change] += change.growth
            if len(self.first) < limit:
                self.first.append(change)

    @property
    def total(self) -> int:
        return self.counts.total()

    def as_text(self) -> str:
        from headwater._content.differences import CHANGES  # deferred: database

        counts = [
            f"{self.counts[change]:,} {change} ({signed(self.growth[change])})"
            for change in CHANGES
            if self.counts[change]
        ]
        return ", ".join(counts)


@click.command("diff", short_help="Compare two versions.")
@click.argument("before", metavar="A", shell_complete=complete_version)
@click.argument("after", metavar="B", shell_complete=complete_version)
@click.option("--exit-code", is_flag=True, help="Exit with code 1 if the versions differ.")
@limit_option
@namespace_options
@json_option
def diff_command(
    before: str, after: str, exit_code: bool, limit: int, entity: str | None, project: str | None, as_json: bool
) -> None:
    """Show what changed from version A to version B: entries, type, description and metadata.

    Diffing related versions costs only the size of the change. Aliases, tags and time to live are not compared.
    """
    from headwater._content.differences import attribute_changes, entry_changes  # deferred: database

    old, new = version_named(before, entity, project), version_named(after, entity, project)
    old_version, new_version = stored_version(old), stored_version(new)
    summary = Summary(entry_changes(new_version.reads, old_version.info, new_version.info), limit)
    attributes = attribute_changes(old, new)
    if as_json:
        print_json(_as_json(old, new, summary, attributes))
    else:
        _print(old, new, summary, attributes)
    report_omitted(summary.total - len(summary.first))
    if exit_code and (summary.total or attributes):
        raise SystemExit(EXIT_DIFFERENT)


def signed(growth: int) -> str:
    """`+1.5 kB`, `-312 B`."""
    return f"{'-' if growth < 0 else '+'}{format_bytes(abs(growth))}"


def _print(old: Artifact, new: Artifact, summary: Summary, attributes: "list[AttributeChange]") -> None:
    if not summary.total and not attributes:
        click.echo(f"{old.qualified_name} and {new.qualified_name} are the same.")
        return
    if summary.total:
        rows = [(change.change, change.path, *_sizes(change)) for change in summary.first]
        print_table(("", "path", "before", "after"), rows, fold=("path",), right=("before", "after"))
    if attributes:
        columns = ("attribute", "before", "after")
        cells = [(_name(one), _text(one.before), _text(one.after)) for one in attributes]
        print_table(columns, cells, fold=columns)
    click.echo(summary.as_text() or "The entries are the same.")


def _sizes(change: "EntryChange") -> tuple[str, str]:
    before, after = [
        "" if held is None or held.size is None else format_bytes(held.size) for held in (change.before, change.after)
    ]
    if not change.changes_executable:
        return before, after
    assert change.before is not None
    return (f"{before}, executable", after) if change.before.executable else (before, f"{after}, executable")


def _name(change: "AttributeChange") -> str:
    return change.field if change.key is None else f"{change.field} {change.key}"


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json_text(value)


def _as_json(old: Artifact, new: Artifact, summary: Summary, attributes: "list[AttributeChange]") -> dict[str, Any]:
    from headwater._content.differences import CHANGES  # deferred: database

    return {
        "before": old.qualified_name,
        "after": new.qualified_name,
        "same": not summary.total and not attributes,
        "counts": {change: summary.counts[change] for change in CHANGES},
        "growth_bytes": {change: summary.growth[change] for change in CHANGES},
        "changes": [
            {
                "path": change.path,
                "change": change.change,
                "before": _held_json(change.before),
                "after": _held_json(change.after),
            }
            for change in summary.first
        ],
        "attributes": [asdict(one) for one in attributes],
    }


def _held_json(held: "EntryContent | None") -> dict[str, Any] | None:
    """An entry in the format of `ls`."""
    if held is None:
        return None
    return {
        "size_bytes": held.size,
        "digest": None if held.digest is None else to_text(held.digest),
        "uri": held.uri,
        "checksum": held.checksum,
        "object_version": held.object_version,
        "executable": held.executable,
    }
