"""Text that is shown as it is, and JSON that is shown with its structure."""

import codecs
import json
from decimal import Decimal
from typing import Any

TEXT_BYTES_MAX = 128 * 1024  # that are shown
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_CHARACTER_BYTES_MAX = 4
_CONTROLS = frozenset(range(32)) - {*b"\t\n\r\f\x1b"}  # that no text has


def text_of(head: bytes, *, is_whole: bool) -> str | None:
    """The text that these bytes begin; None where they are none. A character that is cut at the end is left out."""
    encoding = next((name for bom, name in _BOMS if head.startswith(bom)), "utf-8")
    if encoding != "utf-16" and not _CONTROLS.isdisjoint(head):
        return None
    for cut in range(1 if is_whole else _CHARACTER_BYTES_MAX):
        try:
            return head[: len(head) - cut].decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def indented(text: str) -> str | None:
    """JSON with its structure shown; None where it is not JSON, would not fit, or would not say the same."""
    try:
        shown = json.dumps(
            json.loads(text, parse_float=_float, object_pairs_hook=_object), indent=2, ensure_ascii=False
        )
        shown.encode()
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return shown if len(shown) <= TEXT_BYTES_MAX else None


def _float(text: str) -> float:
    """Raises: ValueError for a number with more digits than are kept."""
    number = float(text)
    if Decimal(text) != Decimal(repr(number)):
        raise ValueError(text)
    return number


def _object(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises: ValueError for an object that has a key twice, of which one would be lost."""
    found = dict(items)
    if len(found) < len(items):
        raise ValueError(items)
    return found
