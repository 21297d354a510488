"""The page over HTTP: what every answer of it has, and its data. `tests.page` looks at it in a browser."""

import gzip
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from headwater_schemas.errors import StoreUnavailable
from headwater_server.access.authentication import OpenAuthentication
from headwater_server.app import make_app
from headwater_server.opening import opened_for_looking, opened_service
from headwater_server.web import addresses, one_time
from headwater_server.web.page import local_page
from headwater_stores.config.settings import read_settings
from starlette.types import ASGIApp

from tests.page.hostile import LONG
from tests.server.in_process import asked
from tests.support.serving import Answer, ServerProcess

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def page(server: ServerProcess, path: str, **headers: str) -> Answer:
    return server.ask("GET", path, headers={**HTML, **headers})


def test_projects_are_a_page_and_the_same_address_with_json_is_its_data(recorded_server: ServerProcess) -> None:
    html, data = page(recorded_server, "/"), recorded_server.get("/.json")

    assert html.headers["content-type"] == "text/html; charset=utf-8"
    assert [one["project"] for one in data["projects"]] == ["team/audio", "team/vision"]
    assert all(f'href="/p/{one["project"]}"' in html.body.decode() for one in data["projects"])
    assert data["projects"][1]["artifacts"] == 3


@pytest.mark.parametrize("path", ["/", "/.json", "/p/team/nothing", "/static/0/page.css", "/signin", "/live?after=no"])
def test_every_answer_says_what_may_run_and_who_may_frame_it(recorded_server: ServerProcess, path: str) -> None:
    headers = page(recorded_server, path).headers

    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == headers["referrer-policy"] == "same-origin"


def test_templates_have_no_style_of_their_own_and_no_script_inside(recorded_server: ServerProcess) -> None:
    html = page(recorded_server, "/").body.decode()

    assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:", html)
    assert all(tag.endswith("></script>") for tag in re.findall(r"<script.*?</script>", html, re.DOTALL))


def test_an_answer_is_compressed_and_not_sent_again_to_who_has_it(recorded_server: ServerProcess) -> None:
    for path in ("/", "/static/0/page.css"):
        answer = page(recorded_server, path, **{"Accept-Encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(answer.body) == page(recorded_server, path).body
        again = {"Accept-Encoding": "gzip", "If-None-Match": answer.headers["etag"]}
        assert page(recorded_server, path, **again).status == 304


def test_style_sheets_and_scripts_are_kept_for_ever_by_who_asks_for_this_release(
    recorded_server: ServerProcess,
) -> None:
    html = page(recorded_server, "/").body.decode()
    found = re.findall(r'(?:href|src)="(/static/[^"]+)"', html)

    assert {urlsplit(address).path.rpartition(".")[2] for address in found} == {"css", "js", "svg"}
    for address in found:
        answer = page(recorded_server, address)
        assert (answer.status, answer.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
    older = page(recorded_server, re.sub("/static/[^/]+/", "/static/0123456789abcdef/", found[0]))
    assert older.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "name", ["../page.py", "..%2fpage.py", "nothing.css", "", "page.css/x", "%2e%2e/templates/base.html"]
)
def test_no_other_file_is_served(recorded_server: ServerProcess, name: str) -> None:
    assert page(recorded_server, f"/static/0/{name}").status == 404


def test_programs_are_told_errors_as_everywhere_and_people_in_words(recorded_server: ServerProcess) -> None:
    told = recorded_server.ask("GET", "/p/team/nothing.json", headers=HTML)
    assert (told.status, told.headers["content-type"]) == (404, "application/problem+json")
    shown = page(recorded_server, "/p/team/nothing")
    assert (shown.status, shown.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert page(recorded_server, "/v1/nothing").headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "parted"),
    [
        ("/", ("/", False)),
        ("/.json", ("/", True)),
        ("/p/team/vision", ("/p/team/vision", False)),
        ("/p/team/vision.json", ("/p/team/vision", True)),
        ("/p/team/a.json/", ("/p/team/a.json", False)),
        ("/p/team/a.json.json", ("/p/team/a.json", True)),
    ],
)
def test_an_address_says_whether_data_is_asked_for_whatever_things_are_called(
    path: str, parted: tuple[str, bool]
) -> None:
    assert addresses.parted(path) == parted


@pytest.mark.parametrize("project", ["team/vision", "team/a.json", f"team/{LONG}"])
def test_the_address_of_a_thing_and_of_its_data_lead_to_it(project: str) -> None:
    address = addresses.project(project, cursor="x", nothing=None)
    path, query = address.split("?")

    assert query == "cursor=x"
    assert addresses.parted(path) == (f"/p/{project}", False)
    assert addresses.parted(addresses.data_of(path)) == (f"/p/{project}", True)
    assert addresses.data_of(address).endswith(".json?cursor=x")


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "\t//evil.example",
        "/\n/evil",
        "",
        "x",
        "/é",
    ],
)
def test_only_addresses_of_our_own_are_gone_on_to(address: str) -> None:
    assert not addresses.is_own(address)
    assert not addresses.is_own("/" + "x" * addresses.NEXT_LENGTH_MAX)
    assert addresses.is_own("/p/team/vision/a/images/v3?path=a%20b")


# --- what fails


@pytest.fixture
def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Exception], ASGIApp]]:
    """An application whose view of all projects fails with an error."""
    settings = read_settings(url=tmp_path / "store")
    with opened_service(settings, with_projector=False) as service:

        def application(error: Exception) -> ASGIApp:
            def fails(*_: object, **__: object) -> None:
                raise error

            monkeypatch.setattr("headwater_server.web.router.projects", fails)
            return make_app(service, OpenAuthentication(), settings)

        yield application


def test_a_store_that_does_not_answer_is_said_with_what_to_do(failing: Callable[[Exception], ASGIApp]) -> None:
    answer = asked(failing(StoreUnavailable("the database does not answer. Start it.")), "/", HTML)

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    for words in (
        b"The server cannot answer now",
        b"The server&#39;s store does not answer",
        b"Try again in a moment.",
    ):
        assert words in answer.body


def test_a_fault_is_told_by_its_number_alone(
    failing: Callable[[Exception], ASGIApp], caplog: pytest.LogCaptureFixture
) -> None:
    application = failing(LookupError("a secret of ours"))

    shown, told = asked(application, "/", HTML), asked(application, "/.json", HTML)

    assert shown.status == told.status == 500
    assert b"secret" not in shown.body + told.body
    assert told.json["incident"] in caplog.text
    assert len(caplog.records) == 2, "each is logged once"
    assert "secret" in caplog.text


# --- the page of `headwater ui`


def test_cookies_of_pages_that_ended_are_removed_before_they_are_too_many(tmp_path: Path) -> None:
    cookies = "; ".join(f"{one_time.COOKIE}{port}=x" for port in range(one_time.COOKIES_MAX))
    with opened_for_looking(read_settings(url=tmp_path / "store")) as service:
        visitor = one_time.LocalVisitor()
        answer = asked(local_page(service, visitor), visitor.address(""), {**HTML, "Cookie": cookies})

    own = [line for line in answer.set_cookies if "Max-Age=0" not in line]
    assert (answer.status, answer.headers["location"], len(own)) == (303, "/", 1)
    assert len(answer.set_cookies) == one_time.COOKIES_MAX + 1
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= {part.strip() for part in own[0].split(";")}
