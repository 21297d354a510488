"""Answer with a page: as HTML, or, at its address with `.json`, as the data that the HTML is made of.

Every answer of the page goes out with the same headers: nothing runs that is not ours, nothing is loaded from
elsewhere, nobody frames it, and nobody guesses at types.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic_core import to_json

from headwater_server.http.answering import packed
from headwater_server.web import addresses, static_files, words
from headwater_server.web.drawing.plot import draw_plot
from headwater_server.web.drawing.timeline import draw_timeline

HTML, JSON = "text/html; charset=utf-8", "application/json"
# In the scope of a request: whether its address ended with ".json", and the address as it came.
WANTS_DATA, ADDRESS = "headwater.wants_data", "headwater.address"

SECURITY: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",  # with "no-referrer" browsers would hide the Origin of our forms
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
OF_PAGES = {"Cache-Control": "private, no-cache", "Vary": "Accept-Encoding, Authorization, Cookie"}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page, as templates are told."""

    name: str | None  # None: everybody is let in
    form_token: str | None  # of the form that signs out; None where nobody signs in


@cache
def templates() -> Environment:
    """The one environment of all templates: what is not HTML by intent is escaped, and nothing is silently left out."""
    made = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals |= {
        "to": addresses,
        "static": static_files.static,
        "counted": words.counted,
        "draw_timeline": draw_timeline,
        "draw_plot": draw_plot,
    }
    made.filters |= {
        "date": words.date,
        "duration": words.duration,
        "moment": words.moment,
        "number": words.number,
        "person": words.person,
        "size": words.size,
        "told": words.told,
    }
    return made


def wants_data(request: Request) -> bool:
    """Whether a program asks, which is answered in JSON."""
    return bool(request.scope.get(WANTS_DATA))


def address_of(request: Request) -> str:
    """The address that was asked for, with its query, in ASCII."""
    address: str = request.scope[ADDRESS]
    return address


def answer(
    request: Request,
    template: str,
    data: Any,
    *,
    visitor: Visitor | None,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The page that a template makes of `data`, a dataclass, which is all that it is told beside who looks."""
    if wants_data(request):
        body, media_type = to_json(data), JSON
    else:
        template_ = templates().get_template(template)
        body, media_type = template_.render(data=data, here=address_of(request), visitor=visitor).encode(), HTML
    return packed(request, body, media_type, {**OF_PAGES, **(headers or {})}, status)
