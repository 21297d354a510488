"""The result of checking a server, for operators."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One sentence or two: what was found and, where something is wrong, what to do. Contains no secret."""

    is_good: bool
    text: str
