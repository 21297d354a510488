"""A person with a browser who signs in, as far as HTTP goes: cookies are kept, redirections are not followed."""

import re
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

from tests.support.serving import Answer, ServerProcess

SESSION, NONCE = "__Host-headwater", "__Host-headwater-form"
HTML = {"Accept": "text/html"}
_FORM = re.compile(r'name="form" value="([0-9a-f]{64})"')


@dataclass
class Person:
    """Keeps the cookies of one server."""

    server: ServerProcess
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"http://{urlsplit(self.server.url).netloc}"

    def get(self, path: str, **headers: str) -> Answer:
        """A page."""
        return self._kept(self.server.ask("GET", path, headers={**HTML, **self._cookie(), **headers}))

    def post(self, path: str, fields: dict[str, str], **headers: str) -> Answer:
        """Send a form, from a page of the server unless `Origin` says another; "" sends none."""
        given = {"Origin": self.origin, "Content-Type": "application/x-www-form-urlencoded", **headers}
        sent = {name: value for name, value in given.items() if value}
        body = urlencode(fields).encode()
        return self._kept(self.server.ask("POST", path, body, headers={**HTML, **self._cookie(), **sent}))

    def form_of(self, path: str) -> str:
        """The token of the form on a page."""
        found = _FORM.search(self.get(path).body.decode())
        assert found is not None, path
        return found[1]

    def sign_in(self, token: str, next_: str = "/", **headers: str) -> Answer:
        """Fill in the form, and send it."""
        return self.post("/signin", {"token": token, "next": next_, "form": self.form_of("/signin")}, **headers)

    def sign_out(self) -> Answer:
        """Press the button."""
        return self.post("/signout", {"form": self.form_of("/")})

    def _cookie(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}

    def _kept(self, answer: Answer) -> Answer:
        for line in answer.set_cookies:
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return answer
