"""What an error says about a name that is not there: where else it is, and what to type next.

Somebody else may have logged it, in another project, or it is spelled a little differently. Each name and each command
can be pasted as it stands.
"""

from difflib import get_close_matches

from headwater_consumer.queries.reads import Reads
from headwater_schemas.errors import NotFound
from headwater_schemas.names import LATEST, CollectionName, RunName, parse_version
from headwater_stores.catching_up import ReadableStore
from headwater_stores.config.commands import LIST_PROJECTS, in_project

SUGGESTED_MAX = 3
CLOSENESS_MIN = 0.7  # as `difflib` counts: "imagse" is close to "images", "image" to "images"


def missing_artifact(reader: ReadableStore, collection: str, selector: str = LATEST) -> NotFound:
    """The error for an artifact that is not there, of which a version was asked for."""
    if reader.stores.missing is not None:
        return NotFound(f"there is no artifact {collection}: {reader.stores.missing}")
    reads, name = reader.stores.reads, CollectionName.parse(collection)
    there = reads.collection_names(name.namespace)
    near = _nearest_first(reads.collections_named(name.name), collection)
    near = near or _similar(name.name, there)
    listing = f"`{in_project('ls', name.namespace)}` lists those of the project" if there else LIST_PROJECTS
    suggestion = _did_you_mean([_with_selector(reads, one, selector) for one in near[:SUGGESTED_MAX]])
    return NotFound(f"there is no artifact {collection}. {suggestion or f'{listing}.'}")


def missing_version(reader: ReadableStore, collection: str, selector: str) -> NotFound:
    """The error for a version or alias that an artifact does not have."""
    reads, number = reader.stores.reads, parse_version(selector)
    listing = f"`headwater ls {collection}` lists"
    there = None if number is None else reads.version_info(collection, number)
    if there is not None and there.purged:
        return NotFound(
            f"{collection}:v{number} was deleted and purged, so it is gone; {listing} the remaining versions."
        )
    if number is not None and there is not None:
        ending = reads.ending_of(collection, number)
        told = "" if ending is None or not ending.message else f" by {ending.author}: {ending.message.rstrip('.')}"
        return NotFound(
            f"{collection}:v{number} was deleted{told}. `headwater restore {collection}:v{number}` brings it back; "
            f"{listing} the remaining versions."
        )
    latest = reads.resolve_version(collection, LATEST)
    newest = "" if latest is None else f"; the latest is v{latest}"
    others = _nearest_first(reads.collections_named(CollectionName.parse(collection).name), collection)
    having = [one for one in others if reads.resolve_version(one, selector) is not None]
    suggestion = _did_you_mean([f"{one}:{selector}" for one in having[:SUGGESTED_MAX]])
    return NotFound(f"{collection} has no version or alias {selector!r}{newest}. {suggestion or f'{listing} them.'}")


def missing_run(reader: ReadableStore, run: str) -> NotFound:
    """The error for a run that is not there."""
    if reader.stores.missing is not None:
        return NotFound(f"there is no run {run}: {reader.stores.missing}")
    name = RunName.parse(run)
    near = _nearest_first(reader.stores.reads.runs_named(name.id), run)
    suggestion = _did_you_mean(near[:SUGGESTED_MAX])
    listing = f"`{in_project('runs', name.namespace)}` lists those of the project. {LIST_PROJECTS}."
    return NotFound(f"there is no run {run}. {suggestion or listing}")


def _nearest_first(names: list[str], wanted: str) -> list[str]:
    """First those of the same entity, then those of a project of the same name."""
    entity, project, _ = wanted.split("/")

    def distance(name: str) -> tuple[bool, bool, str]:
        its_entity, its_project, _ = name.split("/")
        return its_entity != entity, its_project != project, name

    return sorted((name for name in names if name != wanted), key=distance)


def _similar(name: str, collections: list[str]) -> list[str]:
    """Those of one project whose names are spelled almost like that."""
    by_name = {CollectionName.parse(one).name: one for one in collections}
    return [by_name[close] for close in get_close_matches(name, by_name, SUGGESTED_MAX, CLOSENESS_MIN)]


def _with_selector(reads: Reads, collection: str, selector: str) -> str:
    """With the version or alias that was asked for, where it is there."""
    if selector == LATEST or reads.resolve_version(collection, selector) is None:
        return collection
    return f"{collection}:{selector}"


def _did_you_mean(names: list[str]) -> str:
    if not names:
        return ""
    *most, last = [f"`{name}`" for name in names]
    return f"Did you mean {', '.join(most)} or {last}?" if most else f"Did you mean {last}?"
