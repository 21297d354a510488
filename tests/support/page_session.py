"""Follow a page of the documentation as its reader would: every block in the order of the page, in one session.

The Python blocks run in one process, each line under its own number. That process pauses where a console block stands
until its commands have run beside it, in the same folder, as in a second terminal.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.forked import PIPE, ForkedProcess

ROOT = Path(__file__).parents[2]
COMMAND_S_MAX = 120.0  # processes that start Python, on a busy machine

_FENCE = re.compile(r"```(\w*)")
_SHOWN = re.compile(r"\s*print\(.*\)  # (.+)")  # a comment beside a print is what it prints
_SHELL_SYNTAX = re.compile(r"&&|\|\||[>|$]")
_PAUSE = "-- page session: console block at line"
# What installs the project, or starts servers and demos: other tests do.
_NOT_FOLLOWED = ("$ make ", "$ pip ", "$ python3 -m venv")


@dataclass(frozen=True)
class Block:
    """A block of code on a page."""

    language: str
    line: int  # of its opening fence, from 1
    lines: tuple[str, ...]


def blocks_of(page: str) -> Iterator[Block]:
    """The blocks of a page, a path from the root of the project. Those that tell how to install it are left out."""
    language, opened, inside = None, 0, []
    for number, line in enumerate((ROOT / page).read_text("utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if fence and language is None:
            language, opened, inside = fence[1], number, []
        elif fence:
            if not (language == "console" and any(line.startswith(_NOT_FOLLOWED) for line in inside)):
                yield Block(language or "", opened, tuple(inside))
            language = None
        else:
            inside.append(line)
    assert language is None, f"{page} has a block without an end at line {opened}"


def script_of(page: str) -> str:
    """The Python blocks as one script, with a pause for each console block."""
    lines: dict[int, str] = {}
    for block in blocks_of(page):
        if block.language == "python":
            lines.update(enumerate(block.lines, block.line + 1))
        elif block.language == "console":
            lines[block.line] = f'if __name__ == "__main__": print("{_PAUSE}", {block.line}, flush=True); input()'
    return "\n".join(lines.get(number, "") for number in range(1, max(lines, default=0) + 1)) + "\n"


def shown_in(script: str) -> list[str]:
    """What the comments beside the prints of a script say that they print."""
    return [found[1] for line in script.splitlines() if (found := _SHOWN.fullmatch(line))]


def with_names(text: str, names: Mapping[str, str]) -> str:
    """A text in which `names` go by other names."""
    for name, real in names.items():
        text = text.replace(name, real)
    return text


def follow(page: str, names: Mapping[str, str]) -> list[str]:
    """Run a page in the current folder; `names` on the page go by other names here. Returns the printed lines."""
    Path("page.py").write_text(with_names(script_of(page), names))
    consoles = {block.line: block for block in blocks_of(page) if block.language == "console"}
    printed: list[str] = []
    with Path("page-errors.txt").open("wb") as errors:
        process = ForkedProcess(["page.py"], stdin=PIPE, stdout=PIPE, stderr=errors)
    try:
        for line in _printed_by(process):
            if line.startswith(_PAUSE):
                for command in _commands(consoles[int(line.removeprefix(_PAUSE))], names):
                    printed += run_command(command).splitlines()
                _go_on(process)
            else:
                printed.append(line)
        code = process.wait(COMMAND_S_MAX)
    finally:
        process.kill()
    assert code == 0, f"{page}: {Path('page-errors.txt').read_text()}"
    return printed


def _printed_by(process: ForkedProcess) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line.rstrip("\n")


def _go_on(process: ForkedProcess) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def run_command(line: str) -> str:
    """What one command of a console block prints. What needs no shell is forked, which is quicker."""
    if line.startswith("headwater ") and not _SHELL_SYNTAX.search(line.partition("#")[0]):
        process = ForkedProcess(["-m", *shlex.split(line, comments=True)], stdout=PIPE, stderr=PIPE)
        out, err = process.communicate(timeout=COMMAND_S_MAX)
        assert process.returncode == 0, f"{line}: {err}"
        return out
    path = os.fspath(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]
    done = subprocess.run(
        ["bash", "-c", line],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        check=False,
    )
    assert done.returncode == 0, f"{line}: {done.stderr}"
    return done.stdout


def _commands(block: Block, names: Mapping[str, str]) -> Iterator[str]:
    for line in block.lines:
        assert line.startswith("$ "), f"line {block.line}: a console block holds commands only, not {line!r}"
        yield with_names(line.removeprefix("$ "), names)
