"""A picture of lineage as data: nodes with all that is said of them, and edges. Nothing here says where it is drawn."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries.lineage_graphs import A_RUN, Node, NodeFacts
from headwater_consumer.queries.lineage_labels import OpenDraft, RunLabel, VersionLabel
from headwater_consumer.queries.results import state_at

from headwater_server.web import addresses
from headwater_server.web.lineage.asked import Asked
from headwater_server.web.lineage.drawing import Drawing
from headwater_server.web.lineage.parts import (
    DRAFT,
    RUN,
    RUNS,
    VERSIONS,
    draft_id,
    id_of,
    kind_of,
    node_of,
    project_of,
    title_of,
)
from headwater_server.web.lineage.universe import Universe
from headwater_server.web.words import counted

DRAFTS_MAX = 20
DELETED, RECALLED, EXTERNAL = "deleted", "recalled", "other project"
NO_JOB_TYPE = "no job type"
_AS_EXPECTED = "finished"  # a state that needs no word
LOGGED, USED, CHANGES = "logged", "used", "changes"  # what an edge says: a draft changes its base


@dataclass(frozen=True, slots=True)
class PictureNode:
    """A part of a lineage, as it is drawn, and as a row of the table beside it."""

    id: str
    kind: str  # see `parts`
    title: str
    detail: str
    project: str  # "entity/project"
    marks: Sequence[str]  # what is special about it, in words
    counts: Mapping[str, int]  # of what a group holds, by mark
    members: int  # 1 unless it is a group
    before: int  # neighbours that lead to it and are not drawn
    after: int  # neighbours that it leads to and that are not drawn
    address: str  # of its page; of a group, of the picture in which it is opened
    opens: str | None  # the address of the picture with what it hides; None: it hides nothing
    is_subject: bool
    time_us: int | None  # created, or started

    @property
    def hides(self) -> int:
        """How many versions and runs, or groups of them, it stands for that are not drawn."""
        return self.before + self.after + (self.members if self.kind in (VERSIONS, RUNS) else 0)

    def lines(self) -> list[str]:
        """What is written on it."""
        words = [*self.marks, *(f"{count} {mark}" for mark, count in self.counts.items())]
        more = f"+{self.before + self.after} more" if self.before + self.after else ""
        return [line for line in (self.title, self.detail, " · ".join(words), more) if line]


@dataclass(frozen=True, slots=True)
class PictureEdge:
    """From what was made first to what was made of it."""

    source: str
    target: str
    count: int  # of the edges between the versions and runs of both
    kind: str


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn, and how much there is."""

    nodes: Sequence[PictureNode]  # from the oldest to the newest
    edges: Sequence[PictureEdge]
    versions: int  # in all of the lineage that was asked for
    runs: int
    drawn: int  # of both together: the rest is in groups or hidden
    beyond: int  # more that are next to these, where a depth was asked for
    complete: bool  # False: there are more than these, at the bounds of counting
    drafts: int  # open ones of the collections that are drawn, of which DRAFTS_MAX at most are


def picture_of(
    database: Database,
    universe: Universe,
    drawing: Drawing,
    subject: Node,
    asked: Asked,
    *,
    address: Callable[[Asked], str],
    with_drafts: bool,
    now_us: int,
) -> Picture:
    """Say what is drawn. `address`: of the picture that answers what is asked."""
    alone = {part: node for part in drawing.members if (node := node_of(part)) is not None}
    labels = _Labels(
        queries.version_labels(database, [node for node in alone.values() if node[1] != A_RUN]),
        queries.run_labels(database, [name for name, version in alone.values() if version == A_RUN]),
        now_us,
    )
    nodes = [
        _node(part, members, universe.facts, drawing, labels, subject, asked, address)
        for part, members in drawing.members.items()
    ]
    edges = [
        PictureEdge(start, end, count, LOGGED if kind_of(start) in (RUN, RUNS) else USED)
        for (start, end), count in drawing.edges.items()
    ]
    found, drafts = _drafts(database, alone.values()) if with_drafts else ([], 0)
    for draft in found:
        nodes.append(_draft_node(draft, subject))
        edges += _draft_edges(draft, drawing)
    runs = sum(version == A_RUN for _, version in universe.facts)
    beyond = sum(universe.before.values()) + sum(universe.after.values())
    return Picture(nodes, edges, len(universe.facts) - runs, runs, len(alone), beyond, universe.complete, drafts)


@dataclass(frozen=True, slots=True)
class _Labels:
    versions: Mapping[Node, VersionLabel]
    runs: Mapping[str, RunLabel]
    now_us: int


def _node(
    part: str,
    members: Sequence[Node],
    facts: Mapping[Node, NodeFacts],
    drawing: Drawing,
    labels: _Labels,
    subject: Node,
    asked: Asked,
    address: Callable[[Asked], str],
) -> PictureNode:
    kind, project = kind_of(part), project_of(part)
    is_group = kind in (VERSIONS, RUNS)
    before, after = drawing.before.get(part, 0), drawing.after.get(part, 0)
    opens = address(asked.opening(part)) if is_group or before or after else None
    marks = Counter(mark for node in members for mark in _marks(node, facts[node], labels))
    external = [EXTERNAL] if project != _project(subject) else []
    first = members[0]
    times = [facts[node].started_us if node[1] == A_RUN else facts[node].created_us for node in members]
    return PictureNode(
        id=part,
        kind=kind,
        title=_title(part, kind, facts[first]),
        detail=_group_detail(kind, members, facts[first]) if is_group else _detail(first, facts[first], labels),
        project=project,
        marks=[*external, *([] if is_group else marks)],
        counts=dict(sorted(marks.items())) if is_group else {},
        members=len(members),
        before=before,
        after=after,
        address=_address(part) or opens or address(asked),
        opens=opens,
        is_subject=subject in members,
        time_us=max((time for time in times if time is not None), default=None),
    )


def _title(part: str, kind: str, facts: NodeFacts) -> str:
    if kind == RUN:
        return facts.job_type or title_of(part)
    return title_of(part) or NO_JOB_TYPE


def _detail(node: Node, facts: NodeFacts, labels: _Labels) -> str:
    if node[1] != A_RUN:
        label = labels.versions.get(node)
        return " · ".join(filter(None, [facts.type, *(label.aliases if label else ())]))
    known = labels.runs.get(node[0])
    name = node[0].rpartition("/")[2]
    return (known.display_name if known else None) or ("" if facts.job_type is None else name)


def _group_detail(kind: str, members: Sequence[Node], facts: NodeFacts) -> str:
    if kind == RUNS:
        return counted(len(members), "run")
    return " · ".join(filter(None, [facts.type, counted(len(members), "version")]))


def _marks(node: Node, facts: NodeFacts, labels: _Labels) -> list[str]:
    """What is special about it."""
    if node[1] != A_RUN:
        label = labels.versions.get(node)
        recalled = label is not None and label.recalled is not None
        return [DELETED] * facts.deleted + [RECALLED] * recalled
    if facts.state is None:
        return []
    state = state_at(facts.state, facts.heartbeat_us, facts.heartbeat_due_us, labels.now_us)
    return [] if state == _AS_EXPECTED else [state]


def _address(part: str) -> str | None:
    """Of a page about it; None for a group."""
    node = node_of(part)
    if node is None:
        return None
    name, version = node
    return addresses.run(name) if version == A_RUN else addresses.version(name, version)


def _project(node: Node) -> str:
    return node[0].rpartition("/")[0]


# --- drafts: what may become of versions that are drawn


def _drafts(database: Database, drawn: Iterable[Node]) -> tuple[list[OpenDraft], int]:
    collections = {name for name, version in drawn if version != A_RUN}
    return queries.drafts_beside(database, collections, limit=DRAFTS_MAX)


def _draft_node(draft: OpenDraft, subject: Node) -> PictureNode:
    project = draft.collection.rpartition("/")[0]
    return PictureNode(
        id=draft_id(draft.collection, draft.draft),
        kind=DRAFT,
        title=draft.collection.rpartition("/")[2],
        detail=f"{draft.type} · from v{draft.base}" if draft.base is not None else draft.type,
        project=project,
        marks=[DRAFT, *([EXTERNAL] if project != _project(subject) else [])],
        counts={},
        members=1,
        before=0,
        after=0,
        address=addresses.collection(draft.collection),
        opens=None,
        is_subject=False,
        time_us=None,
    )


def _draft_edges(draft: OpenDraft, drawing: Drawing) -> list[PictureEdge]:
    target = draft_id(draft.collection, draft.draft)
    ends = defaultdict(str, {id_of((run, A_RUN)): LOGGED for run in draft.writers})
    if draft.base is not None:
        ends[id_of((draft.collection, draft.base))] = CHANGES
    return [PictureEdge(start, target, 1, kind) for start, kind in ends.items() if start in drawing.members]
