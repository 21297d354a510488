"""The port of the reading side: every query that clients ask, without the database that answers them.

A query is one function in the modules beside this one. Here it has its place in the port, which has two adapters:
`DirectReads` asks a database of this process, and another asks a server over HTTP.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from headwater_consumer import queries

if TYPE_CHECKING:
    from headwater_consumer.database import Database

P = ParamSpec("P")
T = TypeVar("T")


class Query(Generic[P, T]):
    """One query of the port: the attribute of `Reads` that takes what the function takes after its database."""

    def __init__(self, find: "Callable[[], Callable[Concatenate[Database, P], T]]") -> None:
        """`find` imports the function: most processes need a few."""
        self._find = find

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @property
    def function(self) -> "Callable[Concatenate[Database, P], T]":
        """What answers it, given a database. Imports the function's module."""
        return self._find()

    def __get__(self, reads: "Reads", kind: object = None) -> Callable[P, T]:
        asking = vars(reads)[self.name] = reads.asking(self)  # found there from now on
        return asking


class PagedQuery(Query[P, Iterator[T]]):
    """A query that yields pages by path. Its argument `after` is a path: the pages begin beyond it."""

    def __init__(
        self, find: "Callable[[], Callable[Concatenate[Database, P], Iterator[T]]]", last_path: Callable[[T], str]
    ) -> None:
        """`last_path`: of a page."""
        super().__init__(find)
        self.last_path = last_path


class ListQuery(Query[P, list[T]]):
    """A query that lists so many items as its argument `limit` says at most.

    What follows an item is listed by its `key`, as the argument `by`. Whoever answers may do so in several parts.
    """

    def __init__(
        self,
        find: "Callable[[], Callable[Concatenate[Database, P], list[T]]]",
        key: Callable[[T], Any],
        *,
        by: str = "after",
    ) -> None:
        super().__init__(find)
        self.key, self.by = key, by


class Reads(ABC):
    """What is recorded. Safe to use from threads. The functions in `queries` say what each query answers and raises.

    Each answer is of one moment, whichever adapter gives it; a long one comes in pages, each of a moment of its own.
    """

    name: str  # of the store that is asked, for messages

    @abstractmethod
    def asking(self, query: Query[P, T]) -> Callable[P, T]:
        """The function that asks this query."""

    # --- collections and their versions
    artifact_types = ListQuery(lambda: queries.artifact_types, str)
    collection_info = Query(lambda: queries.collection_info)
    collection_names = Query(lambda: queries.collection_names)
    collections = ListQuery(lambda: queries.collections, lambda info: info.collection)
    collections_named = Query(lambda: queries.collections_named)
    count_artifact_types = Query(lambda: queries.count_artifact_types)
    count_collections = Query(lambda: queries.count_collections)
    count_versions = Query(lambda: queries.count_versions)
    contested_paths = ListQuery(lambda: queries.contested_paths, str)
    resolve_version = Query(lambda: queries.resolve_version)
    version_info = Query(lambda: queries.version_info)
    version_infos = ListQuery(lambda: queries.version_infos, lambda info: info.version)
    version_named = Query(lambda: queries.version_named)
    version_with_digest = Query(lambda: queries.version_with_digest)

    # --- entries, by the layers of a version
    all_entries = PagedQuery(lambda: queries.all_entries, lambda page: page[-1].path)
    diff_layers = PagedQuery(lambda: queries.diff_layers, lambda page: page[-1].path)
    entries_of = Query(lambda: queries.entries_of)
    entries_page = ListQuery(lambda: queries.entries_page, lambda info: info.path)
    entry = Query(lambda: queries.entry)
    has_folder = Query(lambda: queries.has_folder)
    listing = PagedQuery(lambda: queries.listing, lambda page: page[0][-1])
    path_conflict = Query(lambda: queries.path_conflict)
    stored_path = Query(lambda: queries.stored_path)

    # --- content
    condemned_objects = Query(lambda: queries.condemned_objects)
    current_places = Query(lambda: queries.current_places)
    layers_with_digest = Query(lambda: queries.layers_with_digest)
    next_attempts = Query(lambda: queries.next_attempts)
    objects_of = Query(lambda: queries.objects_of)
    reclaimable_bytes = Query(lambda: queries.reclaimable_bytes)
    numbered_collections = ListQuery(lambda: queries.numbered_collections, lambda row: row[0])
    kept_usage = Query(lambda: queries.kept_usage)
    version_usages = ListQuery(lambda: queries.version_usages, lambda usage: usage.version)
    stored_locations = Query(lambda: queries.stored_locations)
    versions_referencing = Query(lambda: queries.versions_referencing)

    # --- projects and drafts
    chosen_algorithm = Query(lambda: queries.chosen_algorithm)
    count_projects = Query(lambda: queries.count_projects)
    draft_info = Query(lambda: queries.draft_info)
    first_rejection = Query(lambda: queries.first_rejection)
    open_drafts = ListQuery(lambda: queries.open_drafts, lambda info: (info.collection, info.draft))
    project_infos = ListQuery(lambda: queries.project_infos, lambda info: info.project)
    project_settings = Query(lambda: queries.project_settings)

    # --- retention
    collections_with_ttl = ListQuery(lambda: queries.collections_with_ttl, str)
    restorations = Query(lambda: queries.restorations)
    retention_changes = Query(lambda: queries.retention_changes)
    retention_policies = ListQuery(lambda: queries.retention_policies, lambda info: info.name)

    # --- runs and lineage
    ancestry = Query(lambda: queries.ancestry)
    capture_of = Query(lambda: queries.capture_of)
    count_runs = Query(lambda: queries.count_runs)
    dependents = Query(lambda: queries.dependents)
    descendants = Query(lambda: queries.descendants)
    input_of = Query(lambda: queries.input_of)
    inputs_of = ListQuery(lambda: queries.inputs_of, lambda info: (info.collection, info.version))
    outputs_of = ListQuery(lambda: queries.outputs_of, tuple)
    purposes_of = Query(lambda: queries.purposes_of)
    run_info = Query(lambda: queries.run_info)
    runs = ListQuery(lambda: queries.runs, lambda info: queries.cursor_of(info))
    runs_named = Query(lambda: queries.runs_named)
    used_by = ListQuery(lambda: queries.used_by, str)

    # --- version events
    ending_of = Query(lambda: queries.ending_of)
    history_of = ListQuery(lambda: queries.history_of, lambda event: (event.position, event.index), by="before")

    # --- access
    grants = ListQuery(lambda: queries.grants, lambda info: (info.scope, info.principal))
    has_role_within = Query(lambda: queries.has_role_within)
    role_granted = Query(lambda: queries.role_granted)
    token_with_id = Query(lambda: queries.token_with_id)
    subscription_with_id = Query(lambda: queries.subscription_with_id)
    subscriptions = ListQuery(lambda: queries.subscriptions, lambda info: (info.scope, info.subscription))
    tokens = ListQuery(lambda: queries.tokens, lambda info: (info.scope, info.token))


class DirectReads(Reads):
    """The adapter that asks a database of this process."""

    def __init__(self, database: "Database") -> None:
        self.name = database.name
        self._database = database

    def asking(self, query: Query[P, T]) -> Callable[P, T]:
        """See `Reads.asking`."""
        return partial(query.function, self._database)


def all_queries() -> dict[str, Query[Any, Any]]:
    """Every query of the port, by name."""
    return {name: value for name, value in vars(Reads).items() if isinstance(value, Query)}
