"""What a look at a server found, for operators."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence or two: what was found and, where it is wrong, what to do. Holds no secret."""

    is_good: bool
    text: str
