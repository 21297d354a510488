"""A version beside a folder: which paths are in both, and which in one of the two."""

from collections.abc import Iterable, Iterator
from itertools import chain

from headwater_consumer import queries

from headwater._download.folders import Found, Kind
from headwater._download.link_resolver import Page


def side_by_side(
    pages: Iterable[Page], found: Iterable[Found]
) -> Iterator[tuple[queries.EntryInfo | None, Found | None]]:
    """Entry and finding of one path together, in the order of paths; None for what is on one side alone.

    Folders come with no entry, when they are left. Both sides are in order, so neither is held.
    """
    infos = chain.from_iterable(pages)
    info = next(infos, None)
    for one in found:
        if one.kind is Kind.ENTERED:
            continue
        if one.kind is Kind.LEFT:
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
