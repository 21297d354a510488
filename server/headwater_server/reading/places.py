"""Where content is stays within the server: clients are told a label in place of an object's name, and no offset.

Contents are read by project and digest.
"""

from typing import TypeVar

from headwater_consumer.queries import EntryInfo
from headwater_schemas.entries import BlobLocation
from headwater_schemas.object_names import lost_label, place_label

from headwater_server.reading.asked import Asked

T = TypeVar("T")


def of_entry(asked: Asked) -> EntryInfo | None:
    """`entry`."""
    found: EntryInfo | None = asked.answer()
    return None if found is None else _labelled(found, _label_of_layers(asked))


def of_entries(asked: Asked) -> list[EntryInfo]:
    """`entries_page`."""
    return _all_labelled(asked.answer(), _label_of_layers(asked))


def of_pages(asked: Asked) -> list[list[EntryInfo]]:
    """`all_entries`."""
    label = _label_of_layers(asked)
    return [_all_labelled(page, label) for page in asked.answer()]


def of_paths(asked: Asked) -> dict[str, EntryInfo]:
    """`entries_of`."""
    label = _label_of_layers(asked)
    return {path: _labelled(info, label) for path, info in asked.answer().items()}


def of_contents(asked: Asked) -> dict[bytes, BlobLocation]:
    """`stored_locations`, as far as the store still has them: what it lost, its caller sends again."""
    project = asked.arguments["project"]
    label = place_label(project)
    found = (
        {} if label in asked.arguments["without"] else asked.service.stored.find(project, asked.arguments["digests"])
    )
    return {digest: BlobLocation(label, 0, place.size) for digest, place in found.items()}


def of_labels(asked: Asked) -> list[BlobLocation]:
    """`current_places`: labels lead nowhere else, and the server itself follows what is moved."""
    return list(asked.arguments["places"])


def of_objects(asked: Asked) -> dict[str, int]:
    """`objects_of`, which its caller asks in order to find out whether the store has them all: that is done here."""
    ends: dict[str, int] = asked.answer()
    sizes = asked.stores.blobs.sizes(ends)
    project = asked.owners.projects_of(asked.arguments["layers"]).popitem()[1] if ends else ""
    if any(sizes.get(name, -1) < end for name, end in ends.items()):
        return {lost_label(project): 1}
    return {place_label(project): 0} if ends else {}


def _label_of_layers(asked: Asked) -> str:
    projects = asked.owners.projects_of(asked.arguments["layers"][:1])
    return place_label(next(iter(projects.values()), ""))


def _all_labelled(infos: list[EntryInfo], label: str) -> list[EntryInfo]:
    return [_labelled(info, label) for info in infos]


def _labelled(info: EntryInfo, label: str) -> EntryInfo:
    return info if info.object_name is None else info._replace(object_name=label, object_offset=0)
