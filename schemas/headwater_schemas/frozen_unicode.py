"""Unicode 14.0, whatever the version of the interpreter.

The projector decides by the characters of texts and stores messages that quote them, and every replay must decide and
write the same. The interpreter's own tables grow with each of its releases, so `str.isprintable`, `repr` and
`unicodedata.normalize` may not be asked about a text as it is. `unicode-14.0-printable.txt` lists the printable
characters; it is final.

All of this is pure and needs milliseconds once, when the first text outside ASCII comes.
"""

import re
import unicodedata
from functools import cache
from typing import Literal

TABLE = "unicode-14.0-printable.txt"  # ranges "FIRST-LAST", ascending, in hexadecimal
QUOTED_MAX = 2048  # characters; every name and path is quoted whole

# The only characters that have another normal form without being printable: the en quad and the em quad.
_SPACES_WITH_FORMS = "\u2000\u2001"


def is_printable(text: str) -> bool:
    """Whether all characters are printable: assigned, and no control, format, separator (but " ") or private use."""
    return text.isprintable() if text.isascii() else _not_printable().search(text) is None


def quoted(text: str, at_most: int = QUOTED_MAX) -> str:
    """`text` for a message, as `repr` writes it: in quotes, with what is not printable escaped. A long one is cut."""
    if len(text) > at_most:
        return f"{quoted(text[:at_most], at_most)}…"
    if text.isascii():
        return repr(text)
    quote = '"' if "'" in text and '"' not in text else "'"
    escaped = _not_printable().sub(_escape, text.replace("\\", "\\\\"))
    return quote + (escaped if quote == '"' else escaped.replace("'", "\\'")) + quote


def normalize(form: Literal["NFC", "NFD"], text: str) -> str:
    """`text` in a normal form of Unicode 14.0, where characters of later versions stand for themselves.

    Texts of assigned characters keep their normal form in every later version (Unicode's stability policy), so the
    interpreter is asked about each stretch of them alone.
    """
    if is_printable(text):
        return unicodedata.normalize(form, text)
    return _assigned_stretch().sub(lambda found: unicodedata.normalize(form, found[0]), text)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


@cache
def _not_printable() -> re.Pattern[str]:
    return re.compile(f"[^{_printable_ranges()}]")


@cache
def _assigned_stretch() -> re.Pattern[str]:
    """Other characters are assigned too, but have no other form, and nothing composes or trades places across them."""
    return re.compile(f"[{_printable_ranges()}{_SPACES_WITH_FORMS}]+")


def _printable_ranges() -> str:
    """The printable characters, as the inside of a character class."""
    from importlib.resources import files  # not before a text outside ASCII comes

    lines = (files("headwater_schemas") / TABLE).read_text("ascii").split()
    return "".join("\\U{:0>8}-\\U{:0>8}".format(*line.split("-")) for line in lines)
