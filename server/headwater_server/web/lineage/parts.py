"""The parts of a picture by their ids, which addresses carry: a version, a run, or a group of either.

    version:team/vision/model:v3     run:team/vision/f3b1      draft:team/vision/model/own%2F…
    versions:team/vision/model       runs:team/vision/train    (with the job type; runs without one: runs:team/vision/)

Names are as they are; free text is quoted as in addresses, so that an id has no space, comma or quote.
"""

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, unquote

from headwater_consumer.queries.lineage_graphs import A_RUN, Node, NodeFacts
from headwater_schemas.errors import InvalidName
from headwater_schemas.names import CollectionName, RunName, parse_version

VERSION, RUN, VERSIONS, RUNS, DRAFT = "version", "run", "versions", "runs", "draft"


def id_of(node: Node) -> str:
    """Of one version, or one run."""
    name, version = node
    return f"{RUN}:{name}" if version == A_RUN else f"{VERSION}:{name}:v{version}"


def group_of(node: Node, facts: NodeFacts) -> str:
    """Of all versions of its collection, or all runs of its job type and project."""
    name, version = node
    if version != A_RUN:
        return f"{VERSIONS}:{name}"
    return f"{RUNS}:{name.rpartition('/')[0]}/{_quoted(facts.job_type or '')}"


@lru_cache(maxsize=1024)
def _quoted(text: str) -> str:
    return quote(text, safe="")


def draft_id(collection: str, draft: str) -> str:
    """Of an open draft."""
    return f"{DRAFT}:{collection}/{quote(draft, safe='')}"


def kind_of(part: str) -> str:
    """VERSION, RUN, …"""
    return part.partition(":")[0]


def project_of(part: str) -> str:
    """ "entity/project"."""
    return "/".join(part.partition(":")[2].split("/", 2)[:2])


def title_of(part: str) -> str:
    """How people call it within its project; "" for runs without a job type."""
    if kind_of(part) == DRAFT:
        return part.rpartition("/")[0].rpartition("/")[2]
    return unquote(part.rpartition("/")[2])


def node_of(part: str) -> Node | None:
    """The version or run that an id names; None for another id."""
    kind, _, name = part.partition(":")
    name, _, selector = name.partition(":") if kind == VERSION else (name, "", "")
    try:
        if kind == RUN:
            return str(RunName.parse(name)), A_RUN
        version = parse_version(selector)
        return None if kind != VERSION or version is None else (str(CollectionName.parse(name)), version)
    except InvalidName:
        return None


def nodes_of(part: str, facts: Mapping[Node, NodeFacts]) -> list[Node]:
    """The versions and runs among these that an id stands for."""
    one = node_of(part)
    if one is not None:
        return [one] if one in facts else []
    return [node for node, known in facts.items() if group_of(node, known) == part]
