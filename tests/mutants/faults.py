"""Every single fault that can be put into a module: where it is, what is changed, and the text with it in.

Five kinds: a comparison changed, an integer off by one, a guard dropped, a condition negated, a call dropped. A fault
edits the text where the syntax tree says, so that all the rest stays as it was written.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

COMPARISON, OFF_BY_ONE, GUARD, CONDITION, CALL = (
    "comparison changed",
    "off by one",
    "guard dropped",
    "condition negated",
    "call dropped",
)
_OPERATORS = re.compile(r"\bnot\s+in\b|\bis\s+not\b|<=|>=|==|!=|<|>|\bin\b|\bis\b")
_OTHER = {
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "==": "!=",
    "!=": "==",
    "in": "not in",
    "not in": "in",
    "is": "is not",
    "is not": "is",
}
_ORDERED = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_LEAVES = (ast.Raise, ast.Return, ast.Continue, ast.Break)
SHOWN_MAX = 70  # characters of the source in one line


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One edit of one module."""

    path: str  # of the module, from the root
    line: int
    start: int  # byte in the module's text
    end: int  # exclusive
    kind: str
    replacement: str

    def within(self, text: str) -> str:
        """The module with the fault in it."""
        raw = text.encode()
        return (raw[: self.start] + self.replacement.encode() + raw[self.end :]).decode()

    def description(self, text: str) -> str:
        """`kind: before → after`, on one line."""
        before = _one_line(text.encode()[self.start : self.end].decode())
        return f"{self.kind}: {before} → {_one_line(self.replacement)}"


def faults_in(path: str, text: str) -> list[Fault]:
    """All faults of a module, in the order of its text."""
    return sorted(set(_Finder(path, text).found()))


class _Finder:
    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._raw = text.encode()
        self._tree = ast.parse(text)
        self._line_starts = [0]
        for line in self._raw.splitlines(keepends=True):
            self._line_starts.append(self._line_starts[-1] + len(line))

    def found(self) -> Iterator[Fault]:
        for node in _deciding(self._tree):
            match node:
                case ast.Compare():
                    yield from self._comparisons(node)
                case ast.Constant(value=int()) if not isinstance(node.value, bool):
                    yield self._fault(OFF_BY_ONE, node, str(node.value + 1))
                case ast.Expr(value=ast.Call()):
                    yield self._fault(CALL, node, "pass")
                case ast.If():
                    if not node.orelse and isinstance(node.body[-1], _LEAVES):
                        yield self._fault(GUARD, node, "pass")
                    yield from self._negated(node.test)
                case ast.IfExp() | ast.While():
                    yield from self._negated(node.test)
                case ast.comprehension():
                    for condition in node.ifs:
                        yield from self._negated(condition)
                case ast.BoolOp():
                    for part in node.values:
                        yield from self._negated(part)

    def _comparisons(self, node: ast.Compare) -> Iterator[Fault]:
        operands = [node.left, *node.comparators]
        for left, right in pairwise(operands):
            start, end = self._end(left), self._start(right)
            found = _OPERATORS.search(self._raw[start:end].decode())
            assert found, f"{self._path}:{left.lineno} has no operator between its operands"
            other = _OTHER[" ".join(found[0].split())]
            yield Fault(self._path, left.lineno, start + found.start(), start + found.end(), COMPARISON, other)

    def _negated(self, condition: ast.expr) -> Iterator[Fault]:
        """Not where changing the comparison is the same."""
        if isinstance(condition, ast.Compare) and len(condition.ops) == 1:
            if isinstance(condition.ops[0], _ORDERED):
                yield self._negation(condition)
        elif isinstance(condition, ast.UnaryOp) and isinstance(condition.op, ast.Not):
            yield self._fault(CONDITION, condition, f"({self._text(condition.operand)})")
        elif not isinstance(condition, ast.NamedExpr):  # whose parentheses are not part of it
            yield self._negation(condition)

    def _negation(self, condition: ast.expr) -> Fault:
        return self._fault(CONDITION, condition, f"(not ({self._text(condition)}))")

    def _fault(self, kind: str, node: ast.stmt | ast.expr, replacement: str) -> Fault:
        return Fault(self._path, node.lineno, self._start(node), self._end(node), kind, replacement)

    def _text(self, node: ast.expr) -> str:
        return self._raw[self._start(node) : self._end(node)].decode()

    def _start(self, node: ast.stmt | ast.expr) -> int:
        return self._line_starts[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.stmt | ast.expr) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._line_starts[node.end_lineno - 1] + node.end_col_offset


def _deciding(node: ast.AST) -> Iterator[ast.AST]:
    """`node` and all below it that decides something: no assertions, annotations, decorators or formatted texts."""
    yield node
    for name, child in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for below in child if isinstance(child, list) else [child]:
            if isinstance(below, ast.AST) and not _decides_nothing(below):
                yield from _deciding(below)


def _decides_nothing(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, ast.Assert | ast.JoinedStr)


def _one_line(text: str) -> str:
    joined = " ".join(text.split())
    return joined if len(joined) <= SHOWN_MAX else f"{joined[: SHOWN_MAX - 1]}…"
