"""Compare a version with a folder, path by path."""

from collections.abc import Iterable, Iterator
from itertools import chain

from headwater_consumer import queries
from headwater_consumer.queries.reads import Reads
from headwater_schemas.paths import find_invalid

from headwater._download.folders import ItemKind, WalkItem
from headwater._download.link_resolver import EntryPage


def has_folder(reads: Reads, layers: tuple[int, ...], path: str) -> bool:
    """Whether the version has anything in the folder of that path, which a local disk shows."""
    return find_invalid([path]) is None and reads.has_folder(layers, path)


def pair_by_path(
    pages: Iterable[EntryPage], found: Iterable[WalkItem]
) -> Iterator[tuple[queries.EntryInfo | None, WalkItem | None]]:
    """Merge both sides in the order of paths: entry and file of one path together, None where one side lacks it.

    A folder comes without an entry, after what is in it. Both sides are sorted, so neither is held in memory.
    """
    infos = chain.from_iterable(pages)
    info = next(infos, None)
    for one in found:
        if one.kind is ItemKind.ENTERED:
            continue
        if one.kind is ItemKind.LEFT:
            yield None, one
            continue
        while info is not None and info.path < one.path:
            yield info, None
            info = next(infos, None)
        if info is not None and info.path == one.path:
            yield info, one
            info = next(infos, None)
        else:
            yield None, one
    while info is not None:
        yield info, None
        info = next(infos, None)
