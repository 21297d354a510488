"""The pages for users: every example runs as it stands, in both ways to run, and every link leads somewhere."""

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import headwater
import pytest

from tests.references.conftest import bucket as bucket
from tests.references.conftest import web as web
from tests.references.objects import Bucket
from tests.sdk.conftest import store as store
from tests.support.forked import PIPE, ForkedProcess
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
    "lineage",
    "tables",
)
OF_USERS = [f"docs/{subject}.md" for subject in FOR_USERS]
PAGE_S_MAX = 120.0  # processes that start Python anew, on a busy machine

_FENCE = re.compile(r"```(\w*)")
_SHOWN = re.compile(r"\s*print\(.*\)  # (.+)")  # a comment beside a print is what it prints
_PROMPT = "$ headwater "
_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
_HEADING = re.compile(r"#+ (.+)")


# --- what a page finds when its reader begins ---------------------------------------------------------------------


def files(*names: str) -> None:
    """Files in the working folder; each holds its own name."""
    for path in map(Path, names):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)


def images(*names: str) -> None:
    """A version images:v0 with these paths."""
    artifact = headwater.Artifact("images", "dataset")
    for name in names:
        with artifact.new_file(name) as file:
            file.write(name)
    artifact.save()


def some_bucket(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """The bucket and the web server of the examples; they go by other names here."""
    found, site = request.getfixturevalue("bucket"), request.getfixturevalue("web")
    assert isinstance(found, Bucket)
    assert isinstance(site, Web)
    for key in ("model.h5", "images/cat.png", "images/dog.png"):
        found.put(key, key.encode())
    site.put("/labels.csv", Page(b"cat,dog\n", etag='"first"'))
    return {"my-bucket": found.name, "https://example.com": site.address}


def images_to_log(request: pytest.FixtureRequest) -> Mapping[str, str]:
    files("images/cat.png", "images/dog.png", "model.h5")
    return {}


def images_to_download(request: pytest.FixtureRequest) -> Mapping[str, str]:
    images("train/cat.png", "test/dog.png")
    return {}


def images_to_change(request: pytest.FixtureRequest) -> Mapping[str, str]:
    files("bird.png")
    images("cat.png", "dog.png", "blurred/cat.png", "blurred/dog.png")
    return {}


def nothing(request: pytest.FixtureRequest) -> Mapping[str, str]:
    return {}


# Each prepares, and says which names on the page stand for which here.
SETTINGS: Mapping[str, Callable[[pytest.FixtureRequest], Mapping[str, str]]] = {
    "docs/artifacts.md": images_to_log,
    "docs/downloading.md": images_to_download,
    "docs/drafts.md": images_to_change,
    "docs/references.md": some_bucket,
}


# --- the examples -------------------------------------------------------------------------------------------------


def lines_of(page: str, language: str) -> list[str]:
    """The lines of a page, all but those of its blocks in this language empty, so that each keeps its number."""
    lines, inside = [], None
    for line in (ROOT / page).read_text("utf-8").splitlines():
        fence = _FENCE.match(line)
        if fence:
            inside = None if inside is not None else fence[1]
        lines.append(line if inside == language and not fence else "")
    assert inside is None, f"{page} has a block without an end"
    return lines


def python_of(page: str) -> str:
    """The examples of a page as one script."""
    return "\n".join(lines_of(page, "python"))


def commands_of(page: str) -> list[str]:
    """What a page does with `headwater` in a shell, without the program's name."""
    return [line.removeprefix(_PROMPT) for line in lines_of(page, "console") if line.startswith(_PROMPT)]


def shown_in(script: str) -> list[str]:
    return [found[1] for line in script.splitlines() if (found := _SHOWN.fullmatch(line))]


def in_this_order(wanted: list[str], lines: list[str]) -> bool:
    rest = iter(lines)
    return all(one in rest for one in wanted)


def run(words: list[str]) -> str:
    """What Python prints."""
    process = ForkedProcess(words, stdout=PIPE, stderr=PIPE)
    out, err = process.communicate(timeout=PAGE_S_MAX)
    assert process.returncode == 0, f"{words}: {err}"
    return out


@pytest.mark.parametrize("page", [page for page in PAGES if python_of(page).strip()])
@pytest.mark.usefixtures("store")
def test_the_examples_of_a_page_run_one_after_the_other(page: str, request: pytest.FixtureRequest) -> None:
    script = python_of(page)
    for name, real in SETTINGS.get(page, nothing)(request).items():
        script = script.replace(name, real)
    Path("page.py").write_text(script)

    printed = run(["page.py"])

    assert in_this_order(shown_in(script), printed.splitlines()), printed
    for command in commands_of(page) if page in OF_USERS else ():
        run(["-m", "headwater", *shlex.split(command, comments=True)])


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
