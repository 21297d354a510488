"""The command line: `headwater COMMAND`. Each command lives in a module of its own, loaded when it is called."""

import os
import sys
from importlib import import_module
from io import TextIOWrapper

import click
from click.shell_completion import CompletionItem

_HOMES = {
    "alias": "headwater.cli.saying",
    "completion": "headwater.cli.completing",
    "dead-letters": "headwater.cli.dead_letters",
    "describe": "headwater.cli.saying",
    "diff": "headwater.cli.differences",
    "doctor": "headwater.cli.store",
    "drafts": "headwater.cli.drafts",
    "get": "headwater.cli.folders",
    "lineage": "headwater.cli.lineage",
    "log": "headwater.cli.log",
    "ls": "headwater.cli.listing",
    "maintain": "headwater.cli.maintenance",
    "project": "headwater.cli.maintenance",
    "projector": "headwater.cli.projector",
    "prune": "headwater.cli.deleting",
    "replay": "headwater.cli.store",
    "rm": "headwater.cli.deleting",
    "runs": "headwater.cli.runs",
    "show": "headwater.cli.showing",
    "tag": "headwater.cli.saying",
    "verify": "headwater.cli.folders",
    "version": "headwater.cli.store",
}
EXIT_ERROR = 1
EXIT_USAGE = 2  # click's own
EXIT_NOT_FOUND = 3
EXIT_INTERRUPTED = 130  # as a shell shows a process that Ctrl-C ended


class _Commands(click.Group):
    """Knows the names of all commands and loads none before it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_HOMES)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names alone: a help text would load every command, while somebody waits for one key."""
        if incomplete[:1] == "-":
            return click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name) for name in self.list_commands(ctx) if name.startswith(incomplete)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _HOMES:
            return None
        command = getattr(import_module(_HOMES[cmd_name]), f"{cmd_name.replace('-', '_')}_command")
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="headwater", message="headwater %(version)s", help="Show the version and exit.")
def cli() -> None:
    """Versioned artifacts and their lineage.

    Exit codes: 0 done, 1 an error that says what to do, 2 wrong usage, 3 not found, 130 interrupted.
    """


def main() -> None:
    """Run the command line and exit."""
    from headwater_schemas.errors import HeadwaterError, NotFound

    from headwater.cli.completing import VARIABLE, install

    if VARIABLE in os.environ:
        install()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter still shows the rest
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
            sys.exit(EXIT_INTERRUPTED)  # the words would stand in the line that somebody types
        click.echo("headwater: interrupted. What was logged before stays; run the command again to go on.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:  # `headwater ls | head`
        sys.stdout = None  # nobody reads it any more, so there is nothing to flush
        sys.exit(EXIT_ERROR)
    except OSError as error:  # such as a full disk behind `> answer.txt`
        sys.stdout = None  # what is left in it would fail once more
        click.echo(f"headwater: {error.filename or 'the answer cannot be printed'}: {error.strerror}.", err=True)
        sys.exit(EXIT_ERROR)
