"""Forms that only our own pages can send: from our own address, and with a token that no other site can read.

Signing in is such a form, too: a site that could sign somebody in as another would see what is done then.
"""

import hmac
import secrets
from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request
from headwater_schemas.problems import FORBIDDEN
from headwater_stores.server_key import ServerKey

from headwater_server.http.bodies import read_body
from headwater_server.http.problems import Problem

BYTES_MAX = 32 * 1024  # of a form: a JWT, and an address
FIELDS_MAX = 8
TOKEN_FIELD = "form"  # noqa: S105 - the name of the field
NONCE_COOKIE = "__Host-headwater-form"  # of who is not signed in yet
NONCE_BYTES = 16
_PURPOSE = "page-form/1"
_SCHEMES = ("http", "https")


class Forms:
    """Makes the tokens of forms, and checks what is sent. A token is bound to a cookie of whoever got the form."""

    def __init__(self, key: ServerKey) -> None:
        self._key = key.derived(_PURPOSE)

    def token(self, cookie: str) -> str:
        """The token of a form for who has this cookie."""
        return hmac.new(self._key, cookie.encode(), sha256).hexdigest()

    async def read(self, request: Request, cookie: str | None) -> Mapping[str, str]:
        """The fields of a form. Raises: Problem for one that is not of a page of ours which who has this cookie got."""
        _check_origin(request)
        body = await read_body(request, BYTES_MAX)
        try:
            fields = dict(parse_qsl(body.decode("ascii"), max_num_fields=FIELDS_MAX, errors="strict"))
        except ValueError:
            raise Problem(
                HTTPStatus.BAD_REQUEST, "invalid", "this is no form of ours.", "Use the page's own."
            ) from None
        given = fields.pop(TOKEN_FIELD, "")
        if not cookie or not hmac.compare_digest(given.encode(), self.token(cookie).encode()):
            raise _refusal("the form is of another visit, or the browser keeps no cookies here.")
        return fields


def new_nonce() -> str:
    """The value of NONCE_COOKIE for a browser that has none."""
    return secrets.token_urlsafe(NONCE_BYTES)


def _check_origin(request: Request) -> None:
    """Browsers say with each form of which site the page is that it was sent from."""
    origins, hosts = request.headers.getlist("origin"), request.headers.getlist("host")
    try:
        (origin,), (host,) = map(urlsplit, origins), hosts
    except ValueError:  # none, several, or no address
        raise _refusal("the browser does not say which page the form is of.") from None
    if origin.scheme not in _SCHEMES or origin.netloc.lower() != host.lower():
        raise _refusal(
            "the form is of a page of another site, or a proxy in front of this server changes the header Host."
        )


def _refusal(detail: str) -> Problem:
    return Problem(HTTPStatus.FORBIDDEN, FORBIDDEN, detail, "Open the page anew, and send its form.")
