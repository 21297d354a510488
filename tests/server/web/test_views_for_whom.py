"""Views show what their visitor may read, and nothing of the rest; and whatever was written is text in all of them."""

import re
from html.parser import HTMLParser

import pytest

from tests.server.granted import GrantedServer
from tests.server.web.viewed import FOREIGN, NAME, PROJECT, SCRIPT, SHOWN, USERS
from tests.support.serving import ServerProcess

HTML = {"Accept": "text/html"}
P, C, A = f"/p/{PROJECT}", f"/p/{PROJECT}/a/{NAME}", f"/p/{FOREIGN}"
ADDRESSES = (
    P,
    C,
    f"{C}/v1",
    f"{C}/v1?path=many",
    f"{C}/v2",
    f"{C}/v1/file/notes.md",
    f"{C}/v1/file/there.csv",
    f"/p/{PROJECT}/m/{NAME}",
    f"{P}/space",
    f"{P}/s/{NAME}",
    f"{P}/d/{NAME}",
    f"{P}/d/{NAME}?path=text/lines.txt",
    f"{P}/r",
    f"{P}/r/make",
    f"{P}/feed?since=52w",
    f"{P}/feed?since=52w&of={NAME}",
    f"{P}/feed?since={NAME}:prod",
)
HOSTILE = (
    f"{P}/a/hostile",
    f"{P}/a/hostile/v0",
    f"{P}/a/hostile/v0?path=%3Cscript%3Ealert(1)%3C/script%3E",
    f"{P}/a/hostile/v0/file/ref",
    f"{P}/a/hostile/v0/file/table.csv",
    f"{P}/a/hostile/v0/file/%3Cscript%3Ealert(1)%3C/script%3E/%3Cimg%20src=x%20onerror=alert(1)%3E.txt",
    f"{P}/m/hostile",
    f"{P}/s/hostile",
    f"{P}/space",
    f"{P}/r/hostile",
    f"{P}/r",
    C,
    f"{C}/v2",
    f"{P}/feed?since=52w",
    "/search?q=%3Cscript%3Ealert(1)%3C/script%3E&longer=1",
    "/search/begins?q=%3Cscript%3Ealert(1)",
    f"{P}/feed?since=%3Cscript%3Ealert(1)%3C/script%3E",
    f"{P}?type=%3Cscript%3Ealert(1)%3C/script%3E",
    f"{C}?alias=%3Cscript%3E",
    f"{P}/r?job_type=%3Cscript%3Ealert(1)%3C/script%3E",
)


class Markup(HTMLParser):
    """The tags of a page, as a browser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def check_markup(html: str) -> None:
    """Nothing in it runs or has a style of its own."""
    markup = Markup()
    markup.feed(html)
    assert [one for one in markup.tags if any(name == "style" or name.startswith("on") for name in one[1])] == []
    assert [one for one in markup.tags if one[0] == "script" and "src" not in one[1]] == []
    assert {one[0] for one in markup.tags}.isdisjoint(("iframe", "object", "embed", "style", "base"))


def test_what_may_not_be_read_is_answered_as_what_is_not_there(granted: GrantedServer) -> None:
    stranger = granted.token("stranger", FOREIGN, role="reader")

    for address in ADDRESSES:
        path, mark, query = address.partition("?")
        answer = granted.server.ask("GET", f"{path}.json{mark}{query}", token=stranger)
        missing = granted.server.ask("GET", f"{path.replace(PROJECT, 'team/none')}.json{mark}{query}", token=stranger)
        assert (answer.status, missing.status) == (404, 404), address
        expected = missing.body.decode().replace("team/none", PROJECT)
        assert answer.body.decode() == expected, address
    assert [granted.status(address, None) for address in ADDRESSES] == [401] * len(ADDRESSES)


def test_every_view_is_there_for_who_may_read_it(granted: GrantedServer) -> None:
    reader = granted.token("reader", PROJECT, role="reader")

    assert {address: granted.status(address, reader) for address in ADDRESSES} == dict.fromkeys(ADDRESSES, 200)


def test_runs_of_other_projects_are_neither_named_nor_counted(granted: GrantedServer) -> None:
    reader = granted.token("reader", PROJECT, role="reader")
    everyone = granted.token("everyone", "team", role="reader")

    def users(token: str) -> tuple[int, int, int, bool]:
        version = granted.server.get(f"{C}/v1.json", token=token)
        sentence = granted.server.get(f"{C}.json", token=token)["sentence"]
        feed = granted.server.ask("GET", f"{P}/feed.json?since=52w&of={NAME}", token=token)
        used = [one for one in feed.json["changes"] if one["kind"] == "artifact-used"]
        return version["used_by"]["count"], sentence["users"], len(used), b"elsewhere" in feed.body

    assert users(reader) == (USERS, USERS, USERS, False)
    assert users(everyone) == (USERS + 1, USERS + 1, USERS + 1, True)


def test_search_finds_nothing_of_other_projects(granted: GrantedServer) -> None:
    stranger = granted.token("stranger", FOREIGN, role="reader")
    digest = granted.server.get(f"{C}/v1.json", token=granted.token("r", PROJECT, role="reader"))["digest"]

    for text in (NAME, "make", "prod", "round", "config.json", "loss", digest, digest[:20]):
        found = granted.server.ask("GET", f"/search.json?q={text}&longer=1", token=stranger)
        assert found.status == 200
        assert SHOWN.encode() not in found.body, text
        assert PROJECT.encode() not in found.body, text


@pytest.mark.parametrize("address", HOSTILE)
def test_what_anybody_wrote_is_text(viewed: ServerProcess, address: str) -> None:
    answer = viewed.ask("GET", address, headers=HTML)
    html = answer.body.decode()

    assert answer.status in (200, 400, 404), answer
    assert answer.headers["content-type"].startswith("text/html")
    check_markup(html)
    assert "<img src=x" not in html
    assert not re.search(r">\s*49\s*<", html)  # no template is filled in twice


def test_hostile_texts_are_shown(viewed: ServerProcess) -> None:
    run = viewed.get(f"{P}/r/hostile.json")
    assert run["line"]["job_type"] == SCRIPT
    html = viewed.ask("GET", f"{P}/a/hostile/v0", headers=HTML).body.decode()
    assert "&lt;script&gt;alert(1)" in html


@pytest.mark.parametrize("address", ADDRESSES)
def test_pages_keep_the_policy_and_need_no_script(viewed: ServerProcess, address: str) -> None:
    answer = viewed.ask("GET", address, headers=HTML)
    html = answer.body.decode()

    assert answer.status == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    check_markup(html)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", html.replace("https://example.com", ""))
    for tag in ("<h1", "<main", "<title>"):
        assert tag in html
