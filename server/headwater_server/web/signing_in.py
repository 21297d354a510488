"""Signing in and out: a token, or a JWT of a trusted issuer, is exchanged for a cookie."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from headwater_server.access.authentication import KnownCaller, Proof, TokenAuthentication
from headwater_server.access.caller import Caller
from headwater_server.access.jwts import Vouched
from headwater_server.http.problems import Problem, not_found
from headwater_server.service import Service
from headwater_server.web import addresses
from headwater_server.web.cookies import SESSION, SessionCookies, ended
from headwater_server.web.forms import NONCE_COOKIE, Forms, new_nonce
from headwater_server.web.rendering import answer

CREDENTIAL = "token"  # the field of the form
_NOT_KEPT = (
    "Your browser did not keep the cookie. It keeps it only from addresses that begin with https, and most browsers "
    "from http://localhost, too."
)


class SignedIn:
    """Knows who looks by the cookie of who signed in; a program, as the interface does, by its `Authorization`."""

    def __init__(self, service: Service, authentication: TokenAuthentication) -> None:
        self.cookies = SessionCookies(service.key)
        self.forms = Forms(service.key)
        self._authentication = authentication

    async def caller(self, request: Request) -> Caller:
        """See `caller.Authentication`."""
        if "authorization" in request.headers:
            return await self._authentication.caller(request)
        cookie = request.cookies.get(SESSION)
        if cookie is None:
            raise ended("you are not signed in")
        return await self._authentication.slowly_refused(request, self._of_cookie(cookie))

    async def proof(self, request: Request, credential: str) -> Proof:
        """What a token or JWT proves, if it counts now. Raises: Problem."""
        return await self._authentication.slowly_refused(request, self._checked(credential))

    async def _checked(self, credential: str) -> Proof:
        await self._authentication.known(credential)
        return await self._authentication.proof(credential)

    async def _of_cookie(self, cookie: str) -> KnownCaller:
        proof = self.cookies.proof(cookie)
        if isinstance(proof, Vouched):
            proof = self._authentication.still_vouched(proof)
        return await self._authentication.proven(proof, lambda: self._of_cookie(cookie))


@dataclass(frozen=True, slots=True)
class SignInForm:
    """What the form shows."""

    next: str  # where it leads
    form_token: str
    trouble: str | None


class _Field(NamedTuple):
    """Attributes of a cookie."""

    name: str
    value: str
    seconds: int | None  # None: until the browser ends


def signed_in_of(request: Request) -> SignedIn:
    """Whoever knows who signed in. Raises: Problem where nobody has to."""
    known = request.app.state.authentication
    if not isinstance(known, SignedIn):
        raise not_found("page of this name")
    return known


SignedInOf = Annotated[SignedIn, Depends(signed_in_of)]
Next = Annotated[str, Query(alias="next", max_length=addresses.NEXT_LENGTH_MAX)]

router = APIRouter(include_in_schema=False)


@router.get(addresses.SIGN_IN)
async def show_form(
    request: Request, known: SignedInOf, next_: Next = addresses.HOME, kept: str | None = None
) -> Response:
    """The form; or on, for who is signed in. `kept` is said by who has just signed in."""
    try:
        await known.caller(request)
    except Problem as problem:
        if problem.status is not HTTPStatus.UNAUTHORIZED:
            raise
        return _form(request, known, next_, trouble=None if kept is None else _NOT_KEPT)
    return _on(next_)


@router.post(addresses.SIGN_IN)
async def sign_in(request: Request, known: SignedInOf) -> Response:
    """Exchange what the form has for a cookie; another than before, whatever the browser had."""
    fields = await known.forms.read(request, request.cookies.get(NONCE_COOKIE))
    next_ = fields.get("next", addresses.HOME)
    try:
        proof = await known.proof(request, fields.get(CREDENTIAL, "").strip())
    except Problem as problem:
        if problem.status is not HTTPStatus.UNAUTHORIZED:
            raise
        return _form(request, known, next_, trouble=problem.detail, status=problem.status)
    response = _on(addresses.sign_in(next_ if addresses.is_own(next_) else addresses.HOME, kept=1))
    _set(response, _Field(SESSION, *known.cookies.made(proof)))
    _set(response, _Field(NONCE_COOKIE, "", 0))
    return response


@router.post(addresses.SIGN_OUT)
async def sign_out(request: Request, known: SignedInOf) -> Response:
    """Forget the cookie, and what the browser kept of pages."""
    await known.forms.read(request, request.cookies.get(SESSION))
    response = _on(addresses.SIGN_IN)
    _set(response, _Field(SESSION, "", 0))
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _form(
    request: Request, known: SignedIn, next_: str, *, trouble: str | None, status: HTTPStatus = HTTPStatus.OK
) -> Response:
    nonce = request.cookies.get(NONCE_COOKIE) or new_nonce()
    shown = SignInForm(next_ if addresses.is_own(next_) else addresses.HOME, known.forms.token(nonce), trouble)
    response = answer(
        request, "sign_in.html", shown, visitor=None, status=status, headers={"Cache-Control": "private, no-store"}
    )
    _set(response, _Field(NONCE_COOKIE, nonce, None))
    if SESSION in request.cookies:  # which did not count
        _set(response, _Field(SESSION, "", 0))
    return response


def _on(address: str) -> Response:
    """Lead on to one of our own pages."""
    target = address if addresses.is_own(address) else addresses.HOME
    return RedirectResponse(target, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})


def _set(response: Response, cookie: _Field) -> None:
    response.set_cookie(
        cookie.name, cookie.value, max_age=cookie.seconds, path="/", secure=True, httponly=True, samesite="lax"
    )
