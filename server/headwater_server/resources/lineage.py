"""Lineage, walked step by step: an edge is followed only where the caller may read both of its ends.

So nothing behind what it may not read is told, nor counted.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import Edge
from headwater_schemas.version_events import microseconds_of
from pydantic import BeforeValidator

from headwater_server.access.caller import Caller, CallerOf
from headwater_server.access.not_before import NotBefore
from headwater_server.http.answering import answer
from headwater_server.resources import models
from headwater_server.resources.naming import ReadableCollection, Selector, may_read, version_of
from headwater_server.service import ServiceOf

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def _with_zone(text: object) -> object:
    """RFC 3339 alone: the validator would take numbers and times without a zone, too."""
    if not isinstance(text, str) or _TIME.fullmatch(text) is None:
        raise ValueError("it is no time with a zone, such as 2026-01-31T12:00:00Z")
    return text


DEPTH_MAX, DEPTH_DEFAULT = 100, 10
NODES_MAX, NODES_DEFAULT = 10_000, 1000
EDGES_PER_STATEMENT = 10_000
COUNTED_MAX = 1000  # of what is hidden

AsOf = Annotated[
    datetime,
    BeforeValidator(_with_zone),
    Query(description="Only what was recorded by then.", examples=["2026-01-31T12:00:00Z"]),
]
_Version = tuple[str, int]

router = APIRouter(
    prefix="/projects/{entity}/{project}/collections/{name}/versions/{version}",
    tags=["lineage"],
    dependencies=[NotBefore],
)


@router.get("/lineage", response_model=models.Lineage)
async def get_lineage(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    collection: ReadableCollection,
    version: Selector,
    direction: Annotated[
        Literal["up", "down"], Query(description="`up`: what it was made from; `down`: what was made from it.")
    ] = "up",
    depth: Annotated[int, Query(ge=1, le=DEPTH_MAX, description="Steps at most.")] = DEPTH_DEFAULT,
    nodes: Annotated[int, Query(ge=1, le=NODES_MAX, description="Versions and runs at most.")] = NODES_DEFAULT,
    as_of: AsOf | None = None,
) -> Response:
    """The runs and versions that a version was made from, or that were made from it."""
    info = await version_of(service, collection, version)
    walk = _Walk(service.database, caller, upstream=direction == "up", nodes_max=nodes, as_of_us=_as_of_us(as_of))
    await service.query(walk.go, (collection, info.version), depth)
    return answer(request, walk.model((collection, info.version)))


@dataclass(slots=True)
class _Walk:
    """One walk: what it found, each node with the steps that lead there."""

    database: Database
    caller: Caller
    upstream: bool
    nodes_max: int
    as_of_us: int | None
    versions: dict[_Version, int] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    edges: dict[Edge, None] = field(default_factory=dict)
    beyond_depth: int = 0
    complete: bool = True
    left_out: set[_Version | str] = field(default_factory=set)

    def go(self, start: _Version, depth: int) -> None:
        """Walk from `start`. Cost: two statements for each step and 64 nodes of it."""
        self.versions[start] = 0
        latest = [start]
        for step in range(1, depth + 1):
            runs = self._runs_beside(latest, step)
            latest = self._versions_beside(runs, step)
            if not latest:
                return
        seen_by_depth = {edge.run for edge in self._edges_to_runs(latest)} - self.runs.keys()
        self.beyond_depth = min(len(seen_by_depth), COUNTED_MAX)

    def model(self, start: _Version) -> models.Lineage:
        """What it found, as it is answered."""
        hidden = models.Hidden(beyond_depth=self.beyond_depth, beyond_nodes=min(len(self.left_out), COUNTED_MAX))
        return models.Lineage(
            artifact=_named(start),
            direction="up" if self.upstream else "down",
            versions=[models.LineageVersion(artifact=_named(one), depth=step) for one, step in self.versions.items()],
            runs=[models.LineageRun(run=run, depth=step) for run, step in self.runs.items()],
            edges=[
                models.LineageEdge(
                    artifact=_named((edge.collection, edge.version)),
                    run=edge.run,
                    kind="used" if edge.used else "logged",
                )
                for edge in self.edges
            ],
            hidden=hidden,
            complete=self.complete,
        )

    def _runs_beside(self, versions: list[_Version], step: int) -> list[str]:
        """The new ones."""
        added = []
        for edge in self._edges_to_runs(versions):
            is_new = edge.run not in self.runs
            if is_new and not self._has_room():
                self.left_out.add(edge.run)
                continue
            if is_new:
                self.runs[edge.run] = step
                added.append(edge.run)
            self.edges[edge] = None
        return added

    def _versions_beside(self, runs: list[str], step: int) -> list[_Version]:
        """The new ones."""
        added = []
        found = queries.versions_of_runs(
            self.database, runs, used=self.upstream, as_of_us=self.as_of_us, limit=EDGES_PER_STATEMENT
        )
        self.complete &= len(found) < EDGES_PER_STATEMENT
        for edge in found:
            version = edge.collection, edge.version
            is_new = version not in self.versions
            if not may_read(self.caller, edge.collection):
                continue
            if is_new and not self._has_room():
                self.left_out.add(version)
                continue
            if is_new:
                self.versions[version] = step
                added.append(version)
            self.edges[edge] = None
        return added

    def _edges_to_runs(self, versions: list[_Version]) -> list[Edge]:
        """Those whose run the caller may read; that it may read the version is known."""
        found = queries.runs_of_versions(
            self.database, versions, used=not self.upstream, as_of_us=self.as_of_us, limit=EDGES_PER_STATEMENT
        )
        self.complete &= len(found) < EDGES_PER_STATEMENT
        return [edge for edge in found if may_read(self.caller, edge.run)]

    def _has_room(self) -> bool:
        return len(self.versions) + len(self.runs) < self.nodes_max


def _named(version: _Version) -> str:
    return f"{version[0]}:v{version[1]}"


def _as_of_us(as_of: datetime | None) -> int | None:
    return None if as_of is None else microseconds_of(as_of)
