"""Who looks at the page of `headwater ui`: the browser that came with its one-time address, and nobody else.

The page stands on an address of this machine, which all its users and programs reach. So the address that is opened has
a secret that counts once; who came with it gets a cookie. Browsers do not agree on whether a `Secure` cookie is kept
over HTTP on this machine, so it is none.

Other users can see the address among the arguments of the browser's process, and the cookie goes to all ports of this
machine, theirs too. So, where the system tells whose process asks, it must be of this user.
"""

import hmac
import os
import secrets
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from headwater_schemas.problems import FORBIDDEN

from headwater_server.access.caller import Anybody, Caller
from headwater_server.access.peers import user_of
from headwater_server.http.problems import Problem, not_found
from headwater_server.web import addresses

BEGIN = "/begin"
SECRET_BYTES = 32
COOKIE = "headwater-ui-"  # and the port: browsers send the cookies of one port to all others
COOKIES_MAX = 20  # of such pages, of which most ended; then others are removed
COOKIE_S = 30 * 24 * 3600
_AGAIN = "Run `headwater ui` again."


class LocalVisitor:
    """Lets in one browser, which may do everything that the page can."""

    def __init__(self) -> None:
        self._once: str | None = secrets.token_urlsafe(SECRET_BYTES)
        self._cookie = secrets.token_urlsafe(SECRET_BYTES)

    def address(self, server: str) -> str:
        """The one-time address of the page of the server at this URL."""
        return f"{server}{BEGIN}?once={self._once}"

    def cookie_for(self, once: str) -> str:
        """The cookie for who has the secret of the address; from then on that counts no more. Raises: Problem."""
        if self._once is None or not hmac.compare_digest(self._once.encode(), once.encode()):
            raise _refusal("this address was used already, or is not whole: it counts once.")
        self._once = None
        return self._cookie

    async def caller(self, request: Request) -> Caller:
        """See `caller.Authentication`."""
        _check_user(request)
        given = request.cookies.get(cookie_name(request), "")
        if not hmac.compare_digest(given.encode(), self._cookie.encode()):
            raise _refusal("this page is open to the browser alone that `headwater ui` opened it in.")
        return Anybody()


def cookie_name(request: Request) -> str:
    """The name of the cookie of the page at the port that is asked."""
    return f"{COOKIE}{urlsplit('//' + request.headers.get('host', '')).port}"


router = APIRouter(include_in_schema=False)


@router.get(BEGIN)
async def begin(request: Request, once: Annotated[str, Query(max_length=2 * SECRET_BYTES)]) -> Response:
    """Let the browser in that comes with the one-time address."""
    visitor = request.app.state.authentication
    if not isinstance(visitor, LocalVisitor):
        raise not_found("page of this name")
    _check_user(request)  # first: whoever else asks does not use the address up
    cookie = visitor.cookie_for(once)
    response = RedirectResponse(addresses.HOME, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})
    others = [name for name in request.cookies if name.startswith(COOKIE)]
    for name in others if len(others) >= COOKIES_MAX else ():
        response.delete_cookie(name, path="/")
    response.set_cookie(
        cookie_name(request), cookie, max_age=COOKIE_S, path="/", httponly=True, samesite="lax", secure=False
    )
    return response


def _check_user(request: Request) -> None:
    """Raises: Problem for a process of another user; root can do everything anyway."""
    assert request.client is not None
    user = user_of((request.client.host, request.client.port), request.scope["server"])
    if user is not None and user not in (0, os.getuid()):
        raise _refusal("this page is open to the user alone who runs `headwater ui`.")


def _refusal(detail: str) -> Problem:
    return Problem(HTTPStatus.FORBIDDEN, FORBIDDEN, detail, _AGAIN)
