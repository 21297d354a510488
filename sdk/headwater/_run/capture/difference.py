"""The code of a run as an artifact: its commit, and how the files differ from that."""

import json
import os
import tempfile
import time
from collections.abc import Sequence
from typing import IO

from headwater_schemas.errors import InvalidInput

from headwater._artifact.artifact import Artifact
from headwater._run.capture.git import GitTimeout, git, git_to_file, read_code

TYPE = "code"
COMMIT_FILE, DIFFERENCE_FILE, UNTRACKED_FOLDER = "code.json", "uncommitted.diff", "untracked"
GIT_S_MAX = 60.0  # somebody waits for it
DIFFERENCE_BYTES_MAX = 256 * 1024 * 1024
UNTRACKED_BYTES_MAX = 10 * 1024 * 1024  # of one file; a larger one is data rather than code
UNTRACKED_FILES_MAX = 1000
COPY_BYTES = 1024 * 1024

# Whole, and without the programs that a repository or its user may have set.
_DIFFERENCE = (
    *("diff", "--binary", "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/"),
    "HEAD",
)
_UNTRACKED = ("ls-files", "--others", "--exclude-standard", "-z")


def code_artifact(name: str, folders: Sequence[str], *, without: Sequence[str]) -> Artifact:
    """The code in the first of `folders` that is in a git repository, where nothing is changed.

    `code.json` has the commit, `uncommitted.diff` what `git apply` adds to it, and `untracked` the files that git
    neither has nor ignores. `without` are folders that are no code, such as the store.
    Raises: InvalidInput where there is no repository, no commit, or too much that differs.
    """
    deadline_s = time.monotonic() + GIT_S_MAX
    try:
        root = _root(folders, deadline_s)
        code = read_code([root])
        if code is None or code.commit is None:
            raise InvalidInput(
                f"the git repository {root!r} has no commit, so there is no code to log. Commit it first."
            )
        artifact = Artifact(name, TYPE)
        with tempfile.TemporaryFile() as difference:
            if not git_to_file(root, *_DIFFERENCE, out=difference, deadline_s=deadline_s):
                raise InvalidInput(
                    f"git does not say how the files of {root!r} differ from the commit. Try `git diff`."
                )
            _add_difference(artifact, difference, root)
        kept, left_out = _untracked(root, git(root, *_UNTRACKED, deadline_s=deadline_s) or "", without)
    except GitTimeout:
        raise InvalidInput(
            f"git did not say within {GIT_S_MAX:.0f} s how the files differ from the commit. Try again, or commit them."
        ) from None
    except FileNotFoundError:
        raise InvalidInput("there is no program `git` on the PATH, so the code cannot be read. Install git.") from None
    for path in kept:
        artifact.add_file(os.path.join(root, path), name=f"{UNTRACKED_FOLDER}/{path}")
    about = {"commit": code.commit, "remote": code.remote, "branch": code.branch, "left_out": left_out}
    with artifact.new_file(COMMIT_FILE) as file:
        json.dump(about, file, indent=2)
    return artifact


def _root(folders: Sequence[str], deadline_s: float) -> str:
    for folder in folders:
        root = git(folder, "rev-parse", "--show-toplevel", deadline_s=deadline_s)
        if root is not None:
            return root.removesuffix("\n")
    raise InvalidInput(
        f"there is no git repository in {' or '.join(map(repr, folders)) or 'the current folder, which was removed'}. "
        "Log the code as a folder: run.log_artifact(folder, type='code')."
    )


def _add_difference(artifact: Artifact, difference: IO[bytes], root: str) -> None:
    size = difference.seek(0, os.SEEK_END)
    if size > DIFFERENCE_BYTES_MAX:
        raise InvalidInput(
            f"the files of {root!r} differ from the commit by {size:,} bytes; at most {DIFFERENCE_BYTES_MAX:,} are "
            "logged. Commit them first."
        )
    difference.seek(0)
    with artifact.new_file(DIFFERENCE_FILE, "wb") as file:
        while chunk := difference.read(COPY_BYTES):
            file.write(chunk)


def _untracked(root: str, listing: str, without: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files to log, and those that are left out because they are large, or too many. Relative to `root`."""
    folders = tuple(os.path.join(os.path.realpath(folder), "") for folder in without)
    kept: list[str] = []
    left_out: list[str] = []
    for path in sorted(filter(None, listing.split("\0"))):
        file = os.path.realpath(os.path.join(root, path))
        if file.startswith(folders):
            continue
        is_code = os.path.isfile(file) and os.path.getsize(file) <= UNTRACKED_BYTES_MAX
        (kept if is_code and len(kept) < UNTRACKED_FILES_MAX else left_out).append(path)
    return kept, left_out[:UNTRACKED_FILES_MAX]
