"""Addresses that no page of ours links to: each is answered or refused, and none leads elsewhere."""

from urllib.parse import quote

import pytest

from tests.server.web.viewed import NAME, PROJECT
from tests.support.serving import ServerProcess

PAGE = f"/p/{PROJECT}"
LINEAGE = f"{PAGE}/a/{NAME}/v1/lineage"
IDS = ["draft:x", "draft:a/b", "run:x", "run:a/b\0/c", "version:x:v1", "version:a/b/c\0:v1", "versions:x", ":", "\0"]
TEXTS = ["", "\0", "a\0b", "é", "🦆", "..", "//x", "-1", "9" * 300, "v" + "9" * 30, "latest", "\u202e"]
PARAMETERS = [
    (PAGE, "type"),
    (f"{PAGE}/r", "job_type"),
    (f"{PAGE}/feed", "since"),
    (f"{PAGE}/feed", "of"),
    (f"{PAGE}/a/{NAME}", "alias"),
    (f"{PAGE}/a/{NAME}", "moves"),
    (f"{PAGE}/m/{NAME}", "column"),
    (f"{PAGE}/d/{NAME}", "from"),
    (f"{PAGE}/d/{NAME}", "path"),
    (f"{PAGE}/a/{NAME}/v1", "path"),
    (LINEAGE, "depth"),
    ("/search", "q"),
]


@pytest.mark.parametrize(("path", "name"), PARAMETERS)
def test_odd_values_are_answered_or_refused(viewed: ServerProcess, path: str, name: str) -> None:
    answers = {text: viewed.ask("GET", f"{path}.json?{name}={quote(text, safe='')}").status for text in TEXTS}
    assert {text: status for text, status in answers.items() if status not in (200, 400, 404)} == {}


def test_what_is_no_id_opens_nothing_and_connects_nothing(viewed: ServerProcess) -> None:
    for one in map(quote, IDS):
        for query in (f"open={one}", f"from={one}&to=run:{PROJECT}/make", f"from=run:{PROJECT}/make&to={one}"):
            assert viewed.ask("GET", f"{LINEAGE}?{query}").status == 200, query


@pytest.mark.parametrize("query", ["alias=%00", "alias=a%2Fb"])
def test_what_cannot_be_an_alias_is_not_asked_for(viewed: ServerProcess, query: str) -> None:
    assert viewed.ask("GET", f"{PAGE}/a/{NAME}?{query}").status == 400


def test_no_page_links_to_the_host_that_its_own_address_names(viewed: ServerProcess) -> None:
    answer = viewed.ask("GET", "//evil.example/p", headers={"Accept": "text/html"})
    assert answer.status == 404
    assert b'"//' not in answer.body
