"""A chain of layers, as a version stores it: their numbers, topmost first, separated by commas; "" for no layers."""

from collections.abc import Sequence

LayerChain = tuple[int, ...]  # topmost first


def parse_chain(text: str) -> LayerChain:
    """`"7,3"` → `(7, 3)`."""
    return tuple([int(layer) for layer in text.split(",")]) if text else ()


def format_chain(layers: Sequence[int]) -> str:
    """`(7, 3)` → `"7,3"`."""
    return ",".join(map(str, layers))
