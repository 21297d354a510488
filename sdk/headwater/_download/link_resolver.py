"""Links followed: entries of other versions, as if they were this version's own.

Many links are followed together, one question for each version that they name.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache, partial

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_schemas import digests
from headwater_schemas.errors import InvalidInput, NotFound

from headwater._content.links import is_link, parse_link
from headwater.errors import ReferenceChanged

LINKS_FOLLOWED_MAX = 8  # one after the other; each names a version that was there before, so two are rare already
VERSIONS_KNOWN_MAX = 1024  # to which links of one listing lead; beyond it they are asked for again

Page = Sequence[queries.EntryInfo]


class Links:
    """Follows the links in the pages of one listing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version = lru_cache(maxsize=VERSIONS_KNOWN_MAX)(partial(queries.version_info, database))

    def followed(self, page: Page) -> Page:
        """The same entries under the same paths, each link with what it leads to: a stored file, or another URI.

        Raises: NotFound naming the entry whose version is deleted, or has no such path; ReferenceChanged when a link
        leads to other content than it recorded; InvalidInput for one that is malformed, or leads to too many others.
        """
        infos = list(page)
        for _ in range(LINKS_FOLLOWED_MAX):
            links = [i for i, info in enumerate(infos) if _leads_on(info)]
            if not links:
                return infos
            self._follow(infos, links)
        if endless := next(filter(_leads_on, infos), None):
            raise InvalidInput(
                f"{endless.path!r} leads through more than {LINKS_FOLLOWED_MAX} links. Refer to where the file is."
            )
        return infos

    def _follow(self, infos: list[queries.EntryInfo], links: Sequence[int]) -> None:
        """Put in the place of each link what it names."""
        by_version: dict[tuple[str, int], dict[int, str]] = defaultdict(dict)
        for i in links:
            collection, number, path = parse_link(infos[i].uri or "")
            by_version[collection, number][i] = path
        for (collection, number), paths in by_version.items():
            layers = self._layers_of(collection, number, infos[next(iter(paths))])
            there = queries.entries_of(self._database, layers, list(dict.fromkeys(paths.values())))
            for i, path in paths.items():
                infos[i] = _taken(infos[i], there.get(path))

    def _layers_of(self, collection: str, number: int, link: queries.EntryInfo) -> tuple[int, ...]:
        """The layers of a version. Raises: NotFound, in the name of `link`."""
        info = self._version(collection, number)
        if info is None:
            raise _leads_nowhere(link, f"{collection}:v{number} is not recorded here")
        if info.deleted:
            raise _leads_nowhere(link, f"{collection}:v{number} was deleted")
        return info.layers


def _leads_on(info: queries.EntryInfo) -> bool:
    return info.uri is not None and is_link(info.uri)


def _taken(link: queries.EntryInfo, found: queries.EntryInfo | None) -> queries.EntryInfo:
    """What the link leads to, under the link's own path. Raises: NotFound, ReferenceChanged."""
    if found is None:
        raise _leads_nowhere(link, "that version has no such path")
    # Versions never change, but an event can say what was never so.
    checksum = found.checksum if found.digest is None else digests.to_text(found.digest)
    if link.checksum not in (None, checksum) or link.size not in (None, found.size):
        raise ReferenceChanged(
            f"{link.path!r} refers to {link.uri} with {_content(link.checksum, link.size)}, but there is "
            f"{_content(checksum, found.size)}. Add the reference anew."
        )
    return found._replace(path=link.path)


def _content(checksum: str | None, size: int | None) -> str:
    return f"{checksum} of {'unknown size' if size is None else f'{size:,} bytes'}"


def _leads_nowhere(link: queries.EntryInfo, why: str) -> NotFound:
    return NotFound(
        f"{link.path!r} refers to {link.uri}, but {why}. Nothing was written. Restore that version, or download the "
        "rest with `path_prefix`."
    )
