"""Options and arguments that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from headwater.cli.completion import complete_version

Command = TypeVar("Command", bound=Callable[..., Any])

LIMIT_DEFAULT = 100  # rows

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
limit_option = click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=1),
    default=LIMIT_DEFAULT,
    show_default=True,
    help="Maximum number of rows.",
)
project_option = click.option("--project", help="Project.  [default: from settings]")
entity_option = click.option("--entity", help="Entity.  [default: from settings]")
version_argument = click.argument("name", metavar="NAME[:VERSION]", shell_complete=complete_version)


def namespace_options(command: Command) -> Command:
    """`--entity` and `--project`."""
    return entity_option(project_option(command))
