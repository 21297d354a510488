"""The pages for users: every example runs as it stands, in both ways to run, and every link leads somewhere."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from headwater_stores.server_key import read_key

from tests.references.conftest import bucket as bucket
from tests.references.conftest import web as web
from tests.references.objects import Bucket
from tests.sdk.conftest import store as store
from tests.server.conftest import open_server as open_server
from tests.support.page_session import blocks_of, follow, script_of, shown_in, with_names
from tests.support.web import Page, Web

ROOT = Path(__file__).parents[1]
PAGES = [path.relative_to(ROOT).as_posix() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))]
FOR_USERS = (
    "artifacts",
    "versions-and-aliases",
    "references",
    "many-writers",
    "drafts",
    "downloading",
    "runs",
    "lineage",
    "tables",
    "events",
)
OF_USERS = [f"docs/{subject}.md" for subject in FOR_USERS]

_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
_HEADING = re.compile(r"#+ (.+)")


# --- the examples -------------------------------------------------------------------------------------------------


def some_bucket(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """The bucket and the web server of the page on references; they go by other names here."""
    found, site = request.getfixturevalue("bucket"), request.getfixturevalue("web")
    assert isinstance(found, Bucket)
    assert isinstance(site, Web)
    for key in ("model.h5", "images/cat.png", "images/dog.png"):
        found.put(key, key.encode())
    site.put("/labels.csv", Page(b"cat,dog\n", etag='"first"'))
    return {"my-bucket": found.name, "https://example.com": site.address}


def some_server(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """The server of the page on HTTP, which is at another port."""
    return {"http://127.0.0.1:8470": request.getfixturevalue("open_server").url}


PREPARED = {"docs/references.md": some_bucket, "docs/http.md": some_server}


def in_this_order(wanted: list[str], lines: list[str]) -> bool:
    rest = iter(lines)
    return all(one in rest for one in wanted)


@pytest.mark.parametrize("page", [page for page in PAGES if script_of(page).strip()])
@pytest.mark.usefixtures("store")
def test_a_page_can_be_followed_literally_in_one_session(
    page: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HEADWATER_PROJECT")  # its reader has set nothing but where the store is,
    key_file = tmp_path / "server.key"  # and, where the store is on servers, the key that they share
    read_key(key_file, create=True)
    monkeypatch.setenv("HEADWATER_SERVER_KEY_FILE", str(key_file))
    prepare = PREPARED.get(page)
    names = {} if prepare is None else prepare(request)

    printed = follow(page, names)

    assert in_this_order(shown_in(with_names(script_of(page), names)), printed), printed


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_is_followed_or_is_no_code(page: str) -> None:
    others = [block for block in blocks_of(page) if block.language not in ("python", "console")]

    assert {block.language for block in others} <= {"", "toml", "yaml"}
    assert not [block.line for block in others if any(line.startswith("$ ") for line in block.lines)]


# --- the pages ----------------------------------------------------------------------------------------------------


def anchors_of(path: Path) -> set[str]:
    """The headings of a page, as a link names them."""
    found = (_HEADING.fullmatch(line) for line in path.read_text("utf-8").splitlines())
    words = (re.sub(r"[^\w\- ]", "", heading[1].lower()) for heading in found if heading)
    return {heading.replace(" ", "-") for heading in words}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    broken = []
    for path, anchor in _LINK.findall((ROOT / page).read_text("utf-8")):
        if "://" in path:
            continue
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.is_file() or (anchor and anchor not in anchors_of(target)):
            broken.append(f"{path}#{anchor}")

    assert broken == []


@pytest.mark.parametrize("subject", FOR_USERS)
def test_each_subject_has_a_page_that_the_readme_links_to(subject: str) -> None:
    assert f"docs/{subject}.md" in PAGES
    assert f"(docs/{subject}.md)" in (ROOT / "README.md").read_text("utf-8")
