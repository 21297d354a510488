"""`headwater access` and `headwater token`: who may do what through a server."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
from headwater_schemas.access import ROLES, principal_named

from headwater.cli.options import json_option
from headwater.cli.output import print_json, print_table, report_empty, shown_time
from headwater.cli.parsing import expires_option
from headwater.cli.resolve import open_store

if TYPE_CHECKING:
    from headwater._api.access import RoleGrant, Token

scope_argument = click.argument("scope", metavar="ENTITY[/PROJECT]")
principal_argument = click.argument("principal", metavar="NAME|ISSUER|SUBJECT")


@click.group("access", short_help="Grant, revoke and list roles.")
def access_command() -> None:
    """Say who may do what through a server: reader, writer, maintainer or admin of an entity or a project.

    NAME is who has a token of this store; with a JWT it is 'ISSUER|SUBJECT'. A role in an entity holds in all its
    projects. Whoever has the keys of the store's own servers, or may write to its folder, may do everything.
    """


@access_command.command("grant")
@principal_argument
@click.argument("role", type=click.Choice(ROLES))
@scope_argument
@json_option
def grant_command(principal: str, role: str, scope: str, as_json: bool) -> None:
    """Give somebody a role in an entity or a project, in the place of the one that it has there."""
    from headwater._api.access import grant  # deferred: database

    client, _ = open_store(None, None, create=True)
    granted = grant(client, principal, role, scope)
    if as_json:
        print_json(_grant_json(granted))
    else:
        click.echo(f"{granted.principal} is {granted.role} of {granted.scope}")


@access_command.command("revoke")
@principal_argument
@scope_argument
@json_option
def revoke_command(principal: str, scope: str, as_json: bool) -> None:
    """Take somebody's role in an entity or a project. When this returns, it is gone."""
    from headwater._api.access import revoke  # deferred: database

    client, _ = open_store(None, None)
    revoke(client, principal, scope)
    name = principal_named(principal)
    if as_json:
        print_json({"scope": scope, "principal": name, "role": None})
    else:
        click.echo(f"{name} has no role in {scope}" + (" but what its entity gives" if "/" in scope else ""))


@access_command.command("list")
@scope_argument
@json_option
def list_command(scope: str, as_json: bool) -> None:
    """List who has which role in an entity or a project, who gave it, and since when."""
    from headwater._api.access import grants  # deferred: database

    client, _ = open_store(None, None)
    found = grants(client, scope)
    if as_json:
        print_json([_grant_json(one) for one in found])
    elif found:
        rows = [(one.principal, one.role, one.scope, one.granted_by, shown_time(one.granted_at)) for one in found]
        print_table(("principal", "role", "scope", "granted by", "since"), rows, fold=("principal", "granted by"))
    else:
        report_empty(f"nobody has a role in {scope}")


@click.group("token", short_help="Create, list and revoke tokens.")
def token_command() -> None:
    """Make the tokens by which people and jobs use a server: HEADWATER_TOKEN.

    A token gives what its NAME was granted within one entity or project, and nothing elsewhere.
    """


@token_command.command("create")
@click.argument("name")
@scope_argument
@click.option("--role", type=click.Choice(ROLES), help="Grant NAME this role there, too, unless it has it.")
@expires_option
@json_option
def create_command(name: str, scope: str, role: str | None, expires: timedelta | None, as_json: bool) -> None:
    """Make a token and print it, this once."""
    from headwater._api.access import create_token  # deferred: database

    client, _ = open_store(None, None, create=True)
    token = create_token(client, name, scope, role=role, expires=expires)
    if as_json:
        names = {"id": token.id, "scope": token.scope, "principal": token.principal, "role": token.role}
        print_json({"token": token.text, **names, "expires": _iso(token.expires_at)})
        return
    click.echo(token.text)
    gives = f"{token.role} of" if token.role else "within"
    until = "does not expire" if token.expires_at is None else f"expires {shown_time(token.expires_at)}"
    click.echo(
        f"headwater: token {token.id} for {token.principal}, {gives} {token.scope}; it {until}. "
        "It is shown this once; keep it secret.",
        err=True,
    )


@token_command.command("list")
@scope_argument
@json_option
def tokens_command(scope: str, as_json: bool) -> None:
    """List the tokens of an entity, with those of its projects, or of a project. Never shows the tokens themselves."""
    from headwater._api.access import tokens  # deferred: database

    client, settings = open_store(None, None)
    found = tokens(client, settings, scope)
    if as_json:
        print_json([_token_json(token) for token in found])
    elif found:
        rows = [
            (
                token.id,
                token.principal,
                token.scope,
                _shown(token.expires_at),
                _shown(token.last_used_at),
                token.created_by,
                shown_time(token.created_at),
            )
            for token in found
        ]
        columns = ("id", "principal", "scope", "expires", "last used", "created by", "created")
        print_table(columns, rows, fold=("principal", "created by"))
    else:
        report_empty(f"no tokens were made in {scope}")


@token_command.command("revoke")
@click.argument("token_id", metavar="ID")
@json_option
def revoke_token_command(token_id: str, as_json: bool) -> None:
    """End a token. When this returns, it is valid no more."""
    from headwater._api.access import revoke_token  # deferred: database

    client, _ = open_store(None, None)
    token = revoke_token(client, token_id)
    if as_json:
        print_json(_token_json(token))
    else:
        click.echo(f"token {token.id} of {token.principal} is revoked")


def _grant_json(grant: "RoleGrant") -> dict[str, Any]:
    return {
        "scope": grant.scope,
        "principal": grant.principal,
        "role": grant.role,
        "granted_by": grant.granted_by,
        "granted": _iso(grant.granted_at),
    }


def _token_json(token: "Token") -> dict[str, Any]:
    return {
        "id": token.id,
        "scope": token.scope,
        "principal": token.principal,
        "expires": _iso(token.expires_at),
        "created_by": token.created_by,
        "created": _iso(token.created_at),
        "last_used": _iso(token.last_used_at),
    }


def _shown(time: datetime | None) -> str:
    return "never" if time is None else shown_time(time)


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
