"""A picture of lineage in the language of Graphviz."""

from collections.abc import Iterator

from headwater_server.web.lineage.parts import DRAFT, RUN, RUNS, VERSION, VERSIONS
from headwater_server.web.lineage.picture import Picture, PictureNode

DOT = "text/vnd.graphviz; charset=utf-8"
_SHAPES = {
    VERSION: "shape=box",
    RUN: "shape=box, style=rounded",
    VERSIONS: "shape=box3d",
    RUNS: "shape=component",
    DRAFT: "shape=box, style=dotted",
}


def dot(picture: Picture) -> str:
    """The text of the graph."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    yield "digraph lineage {"
    yield '  rankdir=LR; node [fontname="sans-serif"];'
    for node in picture.nodes:
        yield f"  {_quoted([node.id])} [label={_quoted(node.lines())}, {_SHAPES[node.kind]}{_border(node)}];"
    for edge in picture.edges:
        count = f" [label={_quoted([str(edge.count)])}]" if edge.count > 1 else ""
        yield f"  {_quoted([edge.source])} -> {_quoted([edge.target])}{count};"
    yield "}"


def _border(node: PictureNode) -> str:
    return ", penwidth=2, peripheries=2" if node.marks else ""


def _quoted(lines: list[str]) -> str:
    """With the two characters that mean something in a string taken literally, and no line end of its own."""
    texts = [" ".join(line.split()).replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return '"' + "\\n".join(texts) + '"'
