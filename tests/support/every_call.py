"""Try every command and every public call in a hostile environment: which of them let an error of somebody else out?

`python -m tests.support.every_call` prints what it tried and what came out, as JSON. Commands are taken from the list
of the command line, and calls from `headwater.__all__` and from what these return, so that new ones are tried too.
"""

import inspect
import io
import json
import shlex
import sys
import traceback
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from types import TracebackType
from typing import Any
from unittest.mock import patch

import click
import headwater
from headwater.cli import cli, main
from headwater.errors import HeadwaterError

FILE, FOLDER, TARGET = "data/small.txt", "data", "out"  # relative to a current folder that may be gone
# By the names of parameters; of options without their dashes. What is not here is filled in by its type.
SAMPLES: dict[str, Any] = {
    "args": [],
    "artifact": "pets",
    "artifact_or_path": FILE,
    "columns": ["n"],
    "data": [[1]],
    "index": 0,
    "item": "new.txt",
    "kwargs": {},
    "local_path": FOLDER,
    "metadata": '{"a": 1}',
    "metadata_text": '{"a": 1}',
    "name": "pets",
    "names": "pets",
    "paths": FILE,
    "root": TARGET,
    "target": "archive",
    "run": "first",
    "type": "dataset",
    "type_name": "dataset",
    "uri": "file:///nonexistent/x",
    "references": "file:///nonexistent/x",
}
BY_TYPE: dict[Any, Any] = {str: "x", int: 1, float: 1.0, bool: True}
NOT_MADE = {"Run"}  # by a caller: `init` makes them
TRIES_MAX = 2000


class Outcomes:
    """What was tried, and what came out of it that is not an error of ours."""

    def __init__(self) -> None:
        self.commands: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.wrong: list[str] = []

    def trying(self, what: str) -> "_Trying":
        """A block whose error ends the block, and is recorded unless it is one that headwater raises on purpose."""
        return _Trying(self, what)


class _Trying:
    def __init__(self, outcomes: Outcomes, what: str) -> None:
        self._outcomes = outcomes
        self._what = what

    def __enter__(self) -> None:
        """Nothing is needed before."""

    def __exit__(self, kind: object, error: BaseException | None, at: TracebackType | None) -> bool:
        if error is not None and not isinstance(error, HeadwaterError):
            last = traceback.extract_tb(at)[-1]
            text = f"{self._what}: {type(error).__name__}: {error} ({last.filename}:{last.lineno})"
            self._outcomes.wrong.append(text)
        return error is not None


# --- commands

# Of those that run until they are stopped:
ENDING = {
    "archive": [[], ["archive"], ["archive", "--check"], ["--pause", "1s"], ["--json"]],
    "events": [[], ["--limit", "1"], ["--after", "1h"], ["--name", "x", "--limit", "1"], ["--names"]],
    "projector": [["--once"]],
    "relay": [["--port", "nowhere"]],
    "server": [["--open", "--host", "nowhere"]],
    "ui": [["--port", "nowhere"]],
}


def try_commands(outcomes: Outcomes) -> None:
    """Every command: bare, with its arguments, and with each of its options."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        lines = ENDING.get(name) or list(_lines(command))
        for line in lines:
            outcomes.commands[name] += 1
            _try_command([name, *line], outcomes)


def _lines(command: click.Command) -> Iterator[list[str]]:
    arguments = [str(_of_option(one)) for one in command.params if isinstance(one, click.Argument)]
    yield []
    yield arguments
    for option in command.params:
        if isinstance(option, click.Option):
            yield [*arguments, option.opts[-1], *([] if option.is_flag else [str(_of_option(option))])]


def _of_option(param: click.Parameter) -> Any:
    if isinstance(param.type, click.Choice):
        return param.type.choices[0]
    if isinstance(param.type, click.IntRange):
        return param.type.min if param.type.min is not None else 1
    if isinstance(param.type, click.Path):
        return SAMPLES.get(str(param.name), TARGET)
    return SAMPLES.get(str(param.name), 1 if param.type is click.INT else "x")


def _try_command(line: list[str], outcomes: Outcomes) -> None:
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()  # bytes are written to standard output, too
    arguments = patch.object(sys, "argv", ["headwater", *line])
    with arguments, redirect_stdout(out), redirect_stderr(err), outcomes.trying(shlex.join(line)), suppress(SystemExit):
        main()
    if "Traceback" in err.getvalue():
        outcomes.wrong.append(f"{shlex.join(line)}: {err.getvalue()[-500:]}")


# --- calls


def try_calls(outcomes: Outcomes) -> None:
    """Every public function, then every public method and attribute of what they return, one object of each kind."""
    roots = [(f"headwater.{name}", getattr(headwater, name)) for name in headwater.__all__]
    waiting: deque[tuple[str, Any]] = deque()
    for name, value in roots:
        if (
            callable(value)
            and name.rpartition(".")[2] not in NOT_MADE
            and not (inspect.isclass(value) and issubclass(value, BaseException))
        ):
            waiting.extend(_try_call(name, value, outcomes))
    waiting.extend(_made(outcomes))
    seen: set[str] = set()
    while waiting and sum(outcomes.calls.values()) < TRIES_MAX:
        name, value = waiting.popleft()
        kind = f"{type(value).__name__}:{getattr(value, 'state', '')}" if name.startswith("Artifact") else type(value)
        if str(kind) not in seen:
            seen.add(str(kind))
            waiting.extend(_try_object(type(value).__name__, value, outcomes))


def _made(outcomes: Outcomes) -> Iterator[tuple[str, Any]]:
    """Objects in states that samples alone do not lead to."""
    for name, make in {
        "Artifact": lambda: headwater.Api().artifact("pets"),
        "Run": lambda: headwater.Api().run("first"),
        "Draft": lambda: headwater.Artifact("new", "dataset"),
    }.items():
        with outcomes.trying(name):
            yield name, make()


def _try_object(name: str, value: Any, outcomes: Outcomes) -> Iterator[tuple[str, Any]]:
    for attribute in sorted(name for name in dir(type(value)) if _is_of_headwater(type(value), name)):
        what = f"{name}.{attribute}"
        outcomes.calls[what] += 1
        with outcomes.trying(what):
            found = getattr(value, attribute)
            if callable(found):
                yield from _try_call(what, found, outcomes)
            else:
                yield from _ours(what, found)
    with suppress(HeadwaterError):
        repr(value)


def _is_of_headwater(kind: type, attribute: str) -> bool:
    """Whether it is public, and not inherited from a list or dictionary."""
    definers = [base for base in kind.__mro__ if attribute in vars(base)]
    return not attribute.startswith("_") and definers[0].__module__.startswith("headwater")


def _try_call(name: str, function: Any, outcomes: Outcomes) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for arguments in _arguments_of(name, function):
        outcomes.calls[name] += 1
        with outcomes.trying(f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"):
            found.extend(_ours(name, _used(function(**arguments))))
    return found


def _arguments_of(name: str, function: Any) -> Iterator[dict[str, Any]]:
    """With what must be given; and with each path that may be given."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # of a built-in type
        return
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    named = [one for one in parameters if one.kind not in kinds]
    needed = {one.name: _sample(name, one) for one in named if one.default is inspect.Parameter.empty}
    yield needed
    for one in named:
        if one.default is not inspect.Parameter.empty and one.name in ("root", "local_path"):
            yield {**needed, one.name: _sample(name, one)}


def _sample(name: str, parameter: inspect.Parameter) -> Any:
    if name.endswith("add_file"):
        return FILE
    if parameter.name in SAMPLES:
        return SAMPLES[parameter.name]
    return BY_TYPE.get(parameter.annotation, "x")


def _used(result: Any) -> Any:
    """A context manager is entered and left, a list is read."""
    if hasattr(result, "__enter__") and type(result).__name__ != "Run":
        with result as inner:
            return inner
    return result


def _ours(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What of it belongs to headwater: it, or the first of a list."""
    if type(value).__module__.startswith("headwater") and not isinstance(value, HeadwaterError):
        yield name, value
    if isinstance(value, list | tuple) or type(value).__name__.endswith(("List", "_Files")):
        for first in list(value)[:1]:
            yield from _ours(name, first)


if __name__ == "__main__":
    tried = Outcomes()
    try_calls(tried)
    try_commands(tried)
    modules = sorted(name for name in sys.modules if not name.startswith("__"))
    print(json.dumps({**vars(tried), "modules": modules}))
