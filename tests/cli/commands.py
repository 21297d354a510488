"""Running a command in this process, which is quick: what it printed, and with which code it ended."""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import click
from headwater.cli import cli, main

COMMANDS = cli.list_commands(click.Context(cli))  # with those of other packages


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def run(*arguments: str) -> Done:
    """Run `headwater ARGUMENTS`."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with patch.object(sys, "argv", ["headwater", *arguments]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 0
    return Done(code, out.getvalue(), err.getvalue())


def headwater(*arguments: str) -> str:
    """What a command printed that did what it was asked for."""
    done = run(*arguments)
    assert done.code == 0, done
    return done.out


def ask(*arguments: str) -> Any:
    """What a command answers to programs."""
    return json.loads(headwater(*arguments, "--json"))


def refused(*arguments: str, code: int = 1) -> str:
    """What a command says on standard error that ends with `code`. It must say nothing else."""
    done = run(*arguments)
    assert (done.code, done.out) == (code, ""), done
    return done.err
