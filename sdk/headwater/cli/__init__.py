"""The command line: `headwater COMMAND`. The module of a command is imported when the command is called."""

import atexit
import os
import sys
from collections.abc import Callable
from functools import cache
from gc import freeze, set_threshold  # `gc` is the module of a command here
from importlib import import_module
from io import TextIOWrapper

import click
from click.shell_completion import CompletionItem
from headwater_schemas.errors import HeadwaterError, NotFound

from headwater.cli.completion import VARIABLE, install

_MODULES = {
    "access": "access",
    "alias": "edit",
    "archive": "archive",
    "completion": "completion",
    "copy": "copy",
    "dead-letters": "dead_letters",
    "describe": "edit",
    "diff": "diff",
    "doctor": "doctor",
    "drafts": "drafts",
    "events": "events",
    "export": "portable",
    "gc": "gc",
    "get": "download",
    "history": "history",
    "import": "portable",
    "lineage": "lineage",
    "log": "log",
    "login": "login",
    "logout": "login",
    "ls": "ls",
    "maintain": "maintain",
    "project": "project",
    "projector": "projector",
    "prune": "delete",
    "replay": "maintain",
    "restore": "delete",
    "restore-log": "archive",
    "retention": "retention",
    "rm": "delete",
    "runs": "runs",
    "show": "show",
    "tag": "edit",
    "token": "access",
    "usage": "usage",
    "verify": "download",
    "version": "version",
    "webhooks": "webhooks",
}
_GROUP = "headwater.commands"  # entry points by which other packages add commands
YOUNG_OBJECTS_MAX = 50_000  # before the collector looks for cycles: most commands make fewer, and end
EXIT_ERROR = 1
EXIT_USAGE = 2  # click's own
EXIT_NOT_FOUND = 3
EXIT_INTERRUPTED = 130  # what shells report for a process ended by Ctrl-C


class _Commands(click.Group):
    """Lists all commands without importing any: those of this package, and those that others add by entry point."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted({*_MODULES, *_added_commands()})

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names only: help texts would import every command on each press of the tab key."""
        if incomplete[:1] == "-":
            return click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name) for name in self.list_commands(ctx) if name.startswith(incomplete)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _MODULES:
            added = _added_commands().get(cmd_name)
            return None if added is None else added()
        module = import_module(f"{__name__}.{_MODULES[cmd_name]}")
        command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        assert isinstance(command, click.Command)
        return command


@cache
def _added_commands() -> dict[str, Callable[[], click.Command]]:
    """The commands of other packages, by name. Cost: looks through all packages that are installed."""
    from importlib.metadata import entry_points  # deferred: 30 ms, which few commands need

    return {point.name: point.load for point in entry_points(group=_GROUP)}


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="headwater", message="headwater %(version)s", help="Show the version and exit.")
def cli() -> None:
    """Versioned artifacts and their lineage.

    Exit codes: 0 success, 1 error, 2 wrong usage, 3 not found, 130 interrupted.
    """


def main() -> None:
    """Run the command line and exit."""
    set_threshold(YOUNG_OBJECTS_MAX)
    atexit.register(freeze)  # or the interpreter would look for cycles among all objects at its end
    if VARIABLE in os.environ:
        install()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # escape characters that the terminal cannot encode
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except NotFound as error:
        click.echo(f"headwater: {error}", err=True)
        sys.exit(EXIT_NOT_FOUND)
    except HeadwaterError as error:
        click.echo(f"headwater: {error}", err=True)
        sys.exit(EXIT_ERROR)
    except (KeyboardInterrupt, click.Abort):
        if VARIABLE in os.environ:
            sys.exit(EXIT_INTERRUPTED)  # a message would appear in the line being typed
        click.echo("headwater: interrupted. Completed work is kept; run the command again to continue.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:  # `headwater ls | head`
        sys.stdout = None  # the reader is gone, so there is nothing to flush
        sys.exit(EXIT_ERROR)
    except OSError as error:  # such as a full disk behind `> answer.txt`
        sys.stdout = None  # flushing the rest would fail again
        click.echo(f"headwater: {error.filename or 'cannot write the output'}: {error.strerror}.", err=True)
        sys.exit(EXIT_ERROR)
