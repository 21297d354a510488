"""The grammar of paths inside a version.

A path is relative, uses forward slashes, has no empty, `.` or `..` segment, no control character and no lone
surrogate. Unicode is not normalised, and characters of any version of it are welcome. `normalize` converts a path to
that form or raises; `find_invalid` checks a whole batch in one pass.
"""

import re
from collections.abc import Callable, Iterable, Sequence, Set
from itertools import chain, islice, product
from pathlib import PurePath

from headwater_schemas import frozen_unicode
from headwater_schemas.errors import InvalidPath
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import PATH_BYTES_MAX, PATH_DEPTH_MAX, SEGMENT_BYTES_MAX

SPELLINGS_MAX = 64  # that are tried: of six names outside ASCII, each in two forms

_FORBIDDEN_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# One pass over paths joined and framed by newlines: an empty or dot segment, or a forbidden character other than the
# newlines of the frame.
_INVALID_IN_FRAME = re.compile("[\n/](?:/|\\.{0,2}(?=[\n/]))|[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def normalize(path: str | PurePath) -> str:
    """Return the normal form of `path`: `./a`, `a//b` and `a/b/` become `a`, `a/b`, `a/b`.

    Raises: InvalidPath when it is absolute, contains `..`, is empty, too long, or has a forbidden character.
    """
    text = _text_of(path)
    segments = [segment for segment in text.split("/") if segment not in ("", ".")]
    if not segments:
        raise InvalidPath(f"{quoted(text)} names no file. Give a path inside the artifact, such as 'data/train.csv'.")
    if ".." in segments:
        raise InvalidPath(f"{quoted(text)} leads out of the artifact with '..'. Give a path inside it.")
    return _check("/".join(segments))


def normalize_folder(path: str | PurePath) -> str:
    """As `normalize`, for a folder. The top, such as "." and "", is ""."""
    is_top = all(segment in ("", ".") for segment in _text_of(path).split("/"))
    return "" if is_top else normalize(path)


def find_invalid(paths: Sequence[str]) -> str | None:
    """The first of `paths` that is not in normal form, or None."""
    frame = "\n" + "\n".join(paths) + "\n"
    well_formed = _INVALID_IN_FRAME.search(frame) is None and frame.count("\n") == len(paths) + 1
    # A short path cannot exceed a limit on bytes, whatever its characters: four bytes each at most.
    suspects = (path for path in paths if len(path) > SEGMENT_BYTES_MAX // 4) if well_formed else iter(paths)
    return next((path for path in suspects if not _is_normal(path)), None)


def colliding_forms(paths: Iterable[str]) -> tuple[str, str] | None:
    """Two different `paths`, or folders of theirs, that look the same (have one NFC form), or None."""
    every = list(paths)
    plain = list(filter(str.isascii, every))  # each is its own NFC form, so that they cannot collide with each other
    seen: dict[str, str] = {}
    for path in every if len(plain) < len(every) else ():
        if path.isascii():
            continue
        for name in (path, *folders_of(path)):
            other = seen.setdefault(composed(name), name)
            if other != name:
                return other, name
    # Three characters outside ASCII have their NFC form inside it: the Kelvin sign, the Greek question mark and varia.
    if any(form.isascii() and form != name for form, name in seen.items()):
        names = (name for path in plain for name in (path, *folders_of(path)))
        return next(((seen[name], name) for name in names if seen.get(name, name) != name), None)
    return None


def other_spellings(path: str) -> list[str]:
    """The composed (NFC) and the decomposed (NFD) form of `path`, where they differ from it."""
    if path.isascii():
        return []
    forms = dict.fromkeys((composed(path), frozen_unicode.normalize("NFD", path)))
    return [form for form in forms if form != path]


def as_stored(path: str, is_there: Callable[[str], bool]) -> str:
    """`path` in the one of its spellings that is there; as it was given where none is.

    Each of its names may be composed, as most keyboards type it, or decomposed, as macOS stores it.
    """
    if path.isascii() or is_there(path):
        return path
    forms = [dict.fromkeys((composed(name), frozen_unicode.normalize("NFD", name))) for name in path.split("/")]
    mixed = map("/".join, islice(product(*forms), SPELLINGS_MAX))
    return next(filter(is_there, chain(other_spellings(path), mixed)), path)


def composed(path: str) -> str:
    """The NFC form of Unicode 14.0: the same text for all paths that look the same."""
    return path if path.isascii() else frozen_unicode.normalize("NFC", path)


def folders_of(path: str) -> list[str]:
    """`"a/b/c"` → `["a", "a/b"]`: the folders that `path` implies."""
    return [path[:i] for i, character in enumerate(path) if character == "/"]


def folders_of_all(paths: Iterable[str], *, known: Set[str] = frozenset()) -> set[str]:
    """The folders that any of `paths` implies, without those that a known one implies. Cost: the new folders'."""
    direct = {path.rpartition("/")[0] for path in paths} - known
    direct.discard("")
    return direct.union(*map(folders_of, direct))


def file_and_folder(paths: Iterable[str]) -> str | None:
    """The first, in order, of `paths` that others of them need as a folder, or None."""
    files = set(paths)
    return min(files & folders_of_all(files), default=None)


def conflict_reason(path: str, other: str) -> str:
    """Why two paths cannot be in one version: one is a folder of the other, or they look alike."""
    if path.startswith(f"{other}/") or other.startswith(f"{path}/"):
        return file_and_folder_text(min(path, other))
    return look_alike_text(path, other)


def file_and_folder_text(path: str) -> str:
    """What is wrong with a path that `file_and_folder` finds."""
    return f"{quoted(path)} would be a file and a folder at once"


def look_alike_text(path: str, other: str) -> str:
    """What is wrong with two paths that `colliding_forms` finds."""
    return f"{path!a} and {other!a} look the same to a reader, in part or whole"


def range_of_folder(folder: str) -> tuple[str, str]:
    """The half-open range `[from, to)`, in code point order, of all paths under `folder`."""
    return f"{folder}/", f"{folder}0"  # "0" is the character after "/"


def _text_of(path: str | PurePath) -> str:
    if isinstance(path, PurePath):
        if path.is_absolute() or path.drive or path.root:
            raise InvalidPath(f"{quoted(str(path))} is absolute. Give a path relative to the artifact's root.")
        return path.as_posix()
    if not isinstance(path, str):
        raise InvalidPath(f"a path must be text or a PurePath, not {type(path).__name__}.")
    if path.startswith("/"):
        raise InvalidPath(f"{quoted(path)} is absolute. Give a path relative to the artifact's root.")
    return path


def _check(path: str) -> str:
    if found := _FORBIDDEN_CHARACTER.search(path):
        raise InvalidPath(
            f"{quoted(path)} contains {quoted(found[0])}: control characters and undecodable bytes are not allowed. "
            "Rename it."
        )
    segments = path.split("/")
    if len(path.encode()) > PATH_BYTES_MAX or len(segments) > PATH_DEPTH_MAX:
        raise InvalidPath(f"{quoted(path, 60)} exceeds {PATH_BYTES_MAX} bytes or {PATH_DEPTH_MAX} levels. Shorten it.")
    if any(len(segment.encode()) > SEGMENT_BYTES_MAX for segment in segments):
        raise InvalidPath(f"{quoted(path, 60)} has a name of more than {SEGMENT_BYTES_MAX} bytes. Shorten it.")
    return path


def _is_normal(path: str) -> bool:
    try:
        return normalize(path) == path
    except InvalidPath:
        return False
