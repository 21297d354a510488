"""A query as one caller asks it: what it may read of what the arguments name, and the answer."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from headwater_consumer.database import Database
from headwater_consumer.queries.reads import ListQuery, PagedQuery, Query
from headwater_schemas.access import ADMIN, READER
from headwater_stores.stores import Stores

from headwater_server.access.caller import Caller
from headwater_server.layer_owners import LayerOwners
from headwater_server.lists import listed
from headwater_server.service import Service

ROWS_PER_ANSWER = 5000  # of a query in pages; then its caller asks for those beyond


@dataclass(slots=True)
class Asked:
    """One query with its arguments, all of them by name."""

    service: Service
    caller: Caller
    query: Query[Any, Any]
    arguments: dict[str, Any]
    more: bool = False  # whether the answer is a part, and its caller asks for what is beyond
    _readable: dict[str, bool] = field(default_factory=dict)  # of the projects that were judged

    @property
    def database(self) -> Database:
        """Of the store."""
        return self.service.database

    @property
    def stores(self) -> Stores:
        """Of the server."""
        return self.service.stores

    @property
    def owners(self) -> LayerOwners:
        """Whose layers are."""
        return self.service.layer_owners

    @property
    def sees_all(self) -> bool:
        """Whether its caller may read every project."""
        return self.caller.scopes(READER) is None

    def may_read(self, qualified: str) -> bool:
        """Whether its caller may read what is called "entity/project/…", or "entity/project"."""
        project = "/".join(qualified.split("/", 2)[:2])
        if project not in self._readable:
            self._readable[project] = self.caller.may(READER, project)
        return self._readable[project]

    def may_read_all(self, qualified: Iterable[str]) -> bool:
        """Whether it may read all of these."""
        return all(map(self.may_read, qualified))

    def administers(self, scope: str) -> bool:
        """Whether its caller is an admin of an entity or project."""
        return self.caller.may(ADMIN, scope)

    def answer(self, **changed: Any) -> Any:
        """What the store answers, to the same question but for arguments that are `changed`. Sets `more`."""
        return self._answered(self.database, {**self.arguments, **changed})

    def nothing(self) -> Any:
        """What a store answers in which nothing was ever logged."""
        return self._answered(self.service.nothing, self.arguments)

    def _answered(self, database: Database, arguments: dict[str, Any]) -> Any:
        query, self.more = self.query, False
        if isinstance(query, ListQuery):
            found, self.more = listed(query, database, arguments)
            return found
        if isinstance(query, PagedQuery):
            found, self.more = _some_of(query.function(database, **arguments))
            return found
        return query.function(database, **arguments)


def _some_of(all_pages: Iterable[Any]) -> tuple[list[Any], bool]:
    """The first pages, and whether there may be more."""
    pages: list[Any] = []
    rows = 0
    for page in all_pages:
        pages.append(page)
        rows += len(page[0]) if isinstance(page, tuple) else len(page)  # of columns, or of records
        if rows >= ROWS_PER_ANSWER:
            return pages, True
    return pages, False
