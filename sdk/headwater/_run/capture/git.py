"""The state of the git repository that a folder is in. Only reads: not even git's own caches are written."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import IO

from headwater_schemas.errors import InvalidName
from headwater_schemas.events import Capture
from headwater_schemas.limits import LABEL_LENGTH_MAX
from headwater_schemas.names import check_commit, check_label

from headwater._run.capture.masking import masked

GIT_S_MAX = 2.0  # for all questions together: a large repository on a slow disk takes minutes
# Locks would disturb who works in the repository, and a file system monitor is a program that it names.
GIT = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false")
_REMOTES = r"^remote\..*\.url$"
UNKNOWN = "unknown"
_DETACHED = "HEAD"  # stands for a branch where there is none


class GitTimeout(Exception):
    """Git did not answer in time."""


def read_code(folders: Iterable[str]) -> Capture | None:
    """Commit, remote, branch, and whether files differ from the commit, of the first folder that is in a repository.

    None where none is, or git does not run. Takes at most GIT_S_MAX; what git did not say by then is unknown.
    """
    deadline_s = time.monotonic() + GIT_S_MAX
    try:
        for folder in folders:
            head = _head(folder, deadline_s)
            if head is not None:
                return _code_of(folder, head, deadline_s)
    except GitTimeout:
        return Capture(dirty=UNKNOWN)
    except OSError:  # there is no git
        return None
    return None


def git(folder: str, *arguments: str, deadline_s: float) -> str | None:
    """What git answers about `folder`; None where it refuses. Raises: GitTimeout; OSError where there is no git."""
    returncode, out = _run(folder, arguments, subprocess.PIPE, deadline_s)
    return os.fsdecode(out) if returncode == 0 else None


def git_to_file(folder: str, *arguments: str, out: IO[bytes], deadline_s: float) -> bool:
    """Write what git answers to a file, and return whether it answered. Raises: as `git`."""
    return _run(folder, arguments, out, deadline_s)[0] == 0


def _run(folder: str, arguments: Sequence[str], out: int | IO[bytes], deadline_s: float) -> tuple[int, bytes]:
    process = subprocess.Popen(  # noqa: S603 - no shell, and git is what is asked for
        [*GIT, "-C", folder, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
        start_new_session=True,  # so that what git starts ends with it
    )
    try:
        answer, _ = process.communicate(timeout=max(0.0, deadline_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise GitTimeout(f"git {arguments[0]} took too long") from None
    finally:
        if process.returncode is None:
            _end(process)
    return process.returncode, answer or b""


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Without waiting for it: nothing ends a process that waits for a dead disk."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdout is not None:
        process.stdout.close()
    process.poll()


def _head(folder: str, deadline_s: float) -> Capture | None:
    """Commit and branch of the repository that has a folder in its work tree, as far as there are any; else None."""
    wanted = ("rev-parse", "--is-inside-work-tree", "HEAD", "--abbrev-ref", "HEAD")
    returncode, answer = _run(folder, wanted, subprocess.PIPE, deadline_s)
    is_inside, *head = os.fsdecode(answer).split() or [""]
    if is_inside != "true":
        return None
    code = Capture(dirty=UNKNOWN)
    if returncode != 0 or len(head) != 2:  # no commit in a new repository
        return code
    commit, branch = head
    return replace(code, commit=_commit(commit), branch=None if branch == _DETACHED else _label(branch))


def _code_of(folder: str, code: Capture, deadline_s: float) -> Capture:
    """`code` with the rest, as far as git gets in time."""
    try:
        remotes = git(folder, "config", "--get-regexp", _REMOTES, deadline_s=deadline_s)
        code = replace(code, remote=_label(_remote(remotes or "")))
        changed = git(folder, "status", "--porcelain", "-z", deadline_s=deadline_s)
        return code if changed is None else replace(code, dirty="yes" if changed else "no")
    except GitTimeout:
        return code


def _remote(config: str) -> str | None:
    """The URL of `origin`, or else of the first remote."""
    urls = dict(reversed([line.split(" ", 1) for line in config.splitlines() if " " in line]))
    url = urls.get("remote.origin.url") or next(reversed(urls.values()), None)
    return None if url is None else masked([url])[0]


def _commit(text: str) -> str | None:
    with suppress(InvalidName):
        return check_commit(text)
    return None


def _label(text: str | None) -> str | None:
    """`text` if it can be recorded: a branch can have any bytes."""
    with suppress(InvalidName):
        return None if text is None else check_label(text[:LABEL_LENGTH_MAX], "name")
    return None
