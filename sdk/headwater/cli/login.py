"""`headwater login` and `headwater logout`: keep a token for a server, or forget it."""

import sys
from contextlib import closing
from dataclasses import replace

import click
from headwater_schemas.errors import InvalidSettings
from headwater_stores.config.kept_tokens import forget_token, keep_token
from headwater_stores.config.server_address import TOKEN_LENGTH_MAX, ServerAddress, check_token
from headwater_stores.config.settings import read_settings
from headwater_stores.http.connection import ServerConnection, TokenRefused


@click.command("login", short_help="Keep a token for a server.")
@click.argument("url", required=False)
def login_command(url: str | None) -> None:
    """Keep the token for the server at URL, by default the one that HEADWATER_URL names, in a file that you alone may
    read. It is asked for, or read from standard input, and tried first.

    A token in HEADWATER_TOKEN or HEADWATER_TOKEN_FILE counts more.
    """
    server = _server(url)
    token = check_token(_given(server), "standard input")
    tried = replace(server, token=token, token_file=None)
    principal = _principal(tried, outage_s=read_settings(url=url).outage_s)
    click.echo(f"{server.url} knows you as {principal}. The token is in {keep_token(server.url, token)}.")


@click.command("logout", short_help="Forget the token for a server.")
@click.argument("url", required=False)
def logout_command(url: str | None) -> None:
    """Delete the token that `headwater login` kept for the server at URL, by default the one that HEADWATER_URL names.

    The token itself still counts, until it is revoked: see `headwater token revoke`.
    """
    server = _server(url)
    click.echo(
        f"the token for {server.url} is deleted" if forget_token(server.url) else f"there was no token for {server.url}"
    )


def _server(url: str | None) -> ServerAddress:
    settings = read_settings(url=url)
    if settings.server is None:
        raise InvalidSettings(
            f"{url or 'HEADWATER_URL'} does not name a headwater server. Write its address, as in "
            "`headwater login https://headwater.example.com`."
        )
    return settings.server


def _principal(server: ServerAddress, *, outage_s: float) -> str:
    """As whom the server knows who has this token. Raises: InvalidSettings where it does not take it."""
    with closing(ServerConnection(server, outage_s=outage_s)) as connection:
        try:
            return str(connection.request("GET", "/v1/me").json["principal"])
        except TokenRefused as refused:
            why = refused.found or "the token is not valid."
            raise InvalidSettings(
                f"{server.url} does not let you in: {why} Paste the token again, all of it, or ask an admin for one."
            ) from None


def _given(server: ServerAddress) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(f"Token for {server.url}", hide_input=True, err=True))
    return sys.stdin.readline(TOKEN_LENGTH_MAX + 2)
