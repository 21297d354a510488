"""Resolve links to entries of other versions, as if those entries were this version's own.

The links of a page are resolved together, with one query for each version that they name.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

from headwater_consumer import queries
from headwater_consumer.queries.reads import Reads
from headwater_schemas import digests
from headwater_schemas.errors import InvalidInput, NotFound
from headwater_schemas.links import is_link, parse_link

from headwater.errors import ReferenceChanged

LINK_DEPTH_MAX = 8  # links to links; each names a version that existed before, so even two are rare
VERSIONS_CACHED_MAX = 1024  # versions that the links of one listing name

EntryPage = Sequence[queries.EntryInfo]


class LinkResolver:
    """Resolves the links in the pages of one listing."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._version = lru_cache(maxsize=VERSIONS_CACHED_MAX)(reads.version_info)

    def resolve(self, page: EntryPage) -> EntryPage:
        """The same paths, with each link replaced by the entry that it names: a stored file, or a reference.

        Raises: NotFound naming the entry whose version is deleted or has no such path; ReferenceChanged when a link
        names other content than it recorded; InvalidInput for a malformed link, or one that leads through too many.
        """
        infos = list(page)
        for _ in range(LINK_DEPTH_MAX):
            links = [i for i, info in enumerate(infos) if _is_link(info)]
            if not links:
                return infos
            self._follow(infos, links)
        if unresolved := next(filter(_is_link, infos), None):
            raise InvalidInput(
                f"{unresolved.path!r} resolves through more than {LINK_DEPTH_MAX} links. Add a reference to the file "
                "itself."
            )
        return infos

    def _follow(self, infos: list[queries.EntryInfo], links: Sequence[int]) -> None:
        """Replace each link by the entry that it names."""
        by_version: dict[tuple[str, int], dict[int, str]] = defaultdict(dict)
        for i in links:
            collection, number, path = parse_link(infos[i].uri or "")
            by_version[collection, number][i] = path
        for (collection, number), paths in by_version.items():
            layers = self._layers_of(collection, number, infos[next(iter(paths))])
            entries = self._reads.entries_of(layers, list(dict.fromkeys(paths.values())))
            for i, path in paths.items():
                infos[i] = _resolve_link(infos[i], entries.get(path) or self._otherwise_spelled(layers, path))

    def _otherwise_spelled(self, layers: tuple[int, ...], path: str) -> queries.EntryInfo | None:
        """The entry whose path is another spelling of `path`."""
        other = self._reads.stored_path(layers, path)
        return None if other == path else self._reads.entry(layers, other)

    def _layers_of(self, collection: str, number: int, link: queries.EntryInfo) -> tuple[int, ...]:
        """The layers of a version. Raises: NotFound naming the path of `link`."""
        info = self._version(collection, number)
        if info is None:
            raise _broken_link(link, f"{collection}:v{number} is not in this store")
        if info.deleted:
            raise _broken_link(link, f"{collection}:v{number} was deleted")
        return info.layers


def _is_link(info: queries.EntryInfo) -> bool:
    return info.uri is not None and is_link(info.uri)


def _resolve_link(link: queries.EntryInfo, found: queries.EntryInfo | None) -> queries.EntryInfo:
    """The entry that the link names, under the link's own path. Raises: NotFound, ReferenceChanged."""
    if found is None:
        raise _broken_link(link, "that version has no such entry")
    # Versions never change, but an event may have recorded a wrong checksum or size.
    checksum = found.checksum if found.digest is None else digests.to_text(found.digest)
    if link.checksum not in (None, checksum) or link.size not in (None, found.size):
        raise ReferenceChanged(
            f"{link.path!r} refers to {link.uri}, recorded as {_content(link.checksum, link.size)}, but found "
            f"{_content(checksum, found.size)}. Add the reference again."
        )
    return found._replace(path=link.path)


def _content(checksum: str | None, size: int | None) -> str:
    return f"{checksum} of {'unknown size' if size is None else f'{size:,} bytes'}"


def _broken_link(link: queries.EntryInfo, why: str) -> NotFound:
    return NotFound(
        f"{link.path!r} refers to {link.uri}, but {why}. Nothing was written. Download the other entries with "
        "`path_prefix`."
    )
