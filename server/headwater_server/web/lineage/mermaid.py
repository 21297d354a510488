"""A picture of lineage as a Mermaid flowchart, for Markdown."""

import re
from collections.abc import Iterator

from headwater_server.web.lineage.parts import DRAFT, RUN, RUNS, VERSION, VERSIONS
from headwater_server.web.lineage.picture import Picture, PictureNode

MERMAID = "text/vnd.mermaid; charset=utf-8"
_SHAPES = {VERSION: "[{}]", RUN: "([{}])", VERSIONS: "[[{}]]", RUNS: "[({})]", DRAFT: "[/{}/]"}
_PLAIN = re.compile(r"[^\w .:,·…-]")  # all else could mean something to Mermaid or to HTML


def mermaid(picture: Picture) -> str:
    """The text of the chart."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    yield "flowchart LR"
    number = {node.id: f"n{i}" for i, node in enumerate(picture.nodes)}
    for node in picture.nodes:
        yield f"  {number[node.id]}{_SHAPES[node.kind].format(_label(node))}"
    for edge in picture.edges:
        count = f"|{edge.count}|" if edge.count > 1 else ""
        yield f"  {number[edge.source]} -->{count} {number[edge.target]}"
    for word in sorted({mark for node in picture.nodes for mark in node.marks}):
        names = ",".join(number[node.id] for node in picture.nodes if word in node.marks)
        yield f"  classDef {word.replace(' ', '-')} stroke-width:3px,stroke-dasharray:6 3"
        yield f"  class {names} {word.replace(' ', '-')}"


def _label(node: PictureNode) -> str:
    lines = [_plain(line) for line in node.lines()]
    return f'"{"<br>".join(lines)}"'


def _plain(text: str) -> str:
    return _PLAIN.sub(lambda match: f"#{ord(match[0])};", text)
