"""`headwater version`."""

from importlib.metadata import version

import click

from headwater.cli.options import json_option
from headwater.cli.output import print_json


@click.command("version", short_help="Show the version and exit.")
@json_option
def version_command(as_json: bool) -> None:
    """Show the version of headwater and exit."""
    if as_json:
        print_json({"headwater": version("headwater")})
    else:
        click.echo(f"headwater {version('headwater')}")
