"""Who may run commands for the whole store: whom the server's operator named when it was started.

No role says so: one is of an entity or a project, and whoever is admin there gives it. Nor does every token of such a
name count, since an admin of one project may make tokens for names that have none elsewhere. Only those that were made
where the store is do.
"""

from collections.abc import Iterable
from http import HTTPStatus

from headwater_consumer import queries
from headwater_schemas.access import OWN_ISSUER, is_principal, issuer_of, principal_named
from headwater_schemas.errors import InvalidName, InvalidSettings
from headwater_schemas.problems import FORBIDDEN

from headwater_server.access.authentication import KnownCaller
from headwater_server.access.caller import Anybody, Caller
from headwater_server.access.issuers import Issuer
from headwater_server.http.problems import Problem
from headwater_server.service import Service

_ELSEWHERE = "Or run the command where the server runs, with HEADWATER_URL set to the store behind it."


def operators_named(names: Iterable[str], issuers: Iterable[Issuer] = ()) -> frozenset[str]:
    """The principals of these names. Raises: InvalidSettings, also for one that no issuer here can vouch for."""
    try:
        found = frozenset(map(principal_named, names))
    except InvalidName as error:
        raise InvalidSettings(f"--operator: {error}") from None
    trusted = {OWN_ISSUER, *(issuer.name for issuer in issuers)}
    for principal in sorted(found):
        if issuer_of(principal) not in trusted:
            raise InvalidSettings(
                f"--operator {principal!r}: nobody can be that, since {issuer_of(principal)!r} is no issuer of this "
                "server. Name a principal that has tokens, or the issuer in the file of --issuers."
            )
    return found


async def check_operator(service: Service, operators: frozenset[str], caller: Caller) -> None:
    """Raises: Problem for who is none; on an open server everybody is one."""
    if isinstance(caller, Anybody):
        return
    if caller.principal not in operators:
        raise _refused(
            "this works on the whole store, for which no role is enough, and you are no operator of this server.",
            f"Have it started with --operator {caller.principal!r}. {_ELSEWHERE}",
        )
    token = caller.token if isinstance(caller, KnownCaller) else None
    if token is None:  # the issuer of its JWT vouches for its name
        return
    made = await service.query(queries.token_with_id, service.database, token)
    if made is None or is_principal(made.author):
        raise _refused(
            f"{caller.principal} is an operator of this server, and this token was made through a server, by "
            "somebody who may be none.",
            f"Use a token that `headwater token create` made where the store is. {_ELSEWHERE}",
        )


def _refused(found: str, next_step: str) -> Problem:
    return Problem(HTTPStatus.FORBIDDEN, FORBIDDEN, found, next_step)
