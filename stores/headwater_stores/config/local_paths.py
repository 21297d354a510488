"""Paths on this machine, as callers give them: the one rule for `~`, and for paths that are relative.

`~` and `~/…` are the home folder, `~name/…` is that of an account, as in a shell. A file that is really called `~…`
is written `./~…`.
"""

import os

from headwater_schemas.errors import InvalidFile

HINT_LITERAL = "as a name in the current folder, write it with './' in front"


def local_path(given: object) -> str:
    """The path that a caller gave, with `~` replaced; otherwise as it was given.

    Raises: InvalidFile for anything that is not a path; for an empty text, which would mean the current folder but is
    almost always an unset variable; for a `~` that means nothing, or two things.
    """
    if not isinstance(given, str | bytes | os.PathLike):
        raise InvalidFile(f"a local path is text or a Path, not {type(given).__name__}: {given!r:.60}.")
    text = os.fsdecode(given)
    if not text:
        raise InvalidFile("a local path is empty. Give the path of a file or folder; '.' is the current folder.")
    if "\0" in text:
        raise InvalidFile(f"{text!r} contains a zero byte, so it is no path of a file or folder. Remove it.")
    if not text.startswith("~"):
        return text
    is_here = os.path.lexists(text)
    try:
        expanded = with_home(text)
    except InvalidFile:
        if is_here and text.partition("/")[0] != "~":
            return text  # such as "~$report.docx"
        raise
    if is_here:  # a shell's `*` names it like this
        raise InvalidFile(
            f"{text!r} is in the current folder, and would also mean {expanded!r}. Write './{text}' or that path."
        )
    return expanded


def local_folder(given: object) -> str:
    """As `local_path`, for a folder to write to or to compare, which only text and Paths name."""
    text = given.__fspath__() if isinstance(given, os.PathLike) else given
    if not isinstance(text, str) or not text or "\0" in text:
        raise InvalidFile(f"{given!r} is not a folder path. Pass a string or Path; '.' is the current folder.")
    return local_path(text)


def absolute(path: str) -> str:
    """The absolute form of a path, in which `~` has no meaning. Raises: InvalidFile in a folder that was removed."""
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        raise InvalidFile(
            f"{path!r} is relative to the current folder, which was removed. Use an absolute path, or change to an "
            "existing folder."
        ) from None


def with_home(path: str) -> str:
    """`path` with a leading `~` or `~name` replaced by that home folder. Raises: InvalidFile where there is none."""
    who, slash, rest = path.partition("/")
    if not who.startswith("~"):
        return path
    home = _home_of_account(who[1:]) if who != "~" else home_folder()
    if home is None:
        found = f"there is no account {who[1:]!r}" if who != "~" else NO_HOME
        raise InvalidFile(f"{path!r} names no home folder: {found}. Use an absolute path; {HINT_LITERAL}.")
    return f"{home.rstrip('/')}{slash}{rest}" or "/"


def home_folder() -> str | None:
    """The user's home folder; None where there is none, as in a container for a user id without an account."""
    home = os.environ.get("HOME")
    if home is None:
        home = _home_of_account(None)
    return home if home is not None and os.path.isabs(home) else None


NO_HOME = "HOME is not set to an absolute path, and this user id has no account"


def _home_of_account(name: str | None) -> str | None:
    """The home folder of an account, by default that of this process's user."""
    try:
        import pwd
    except ImportError:  # not POSIX
        return None
    try:
        return (pwd.getpwuid(os.getuid()) if name is None else pwd.getpwnam(name)).pw_dir
    except (KeyError, ValueError):
        return None
