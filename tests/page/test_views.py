"""A person's paths over versions, differences, runs, searches, changes and files, each with a picture."""

from collections.abc import Callable

import pytest

from tests.page.browsing import NARROW, SHIFT_MAX, WIDE, Window, layout_shift, scrolls_sideways
from tests.page.hostile import COLLECTION, FILES, LONG, RAN
from tests.page.hostile import PROJECT as HOSTILE
from tests.page.judging import serious_findings, too_faint
from tests.server.web.viewed import NAME, PROJECT
from tests.support.serving import ServerProcess

Opened = Callable[..., Window]
P, C = f"/p/{PROJECT}", f"/p/{PROJECT}/a/{NAME}"
VIEWS = {
    "collections": P,
    "collection": C,
    "collection-moves": f"{C}?alias=prod",
    "metadata": f"/p/{PROJECT}/m/{NAME}",
    "space": f"{P}/space",
    "space-collection": f"{P}/s/{NAME}",
    "version": f"{C}/v3",
    "version-recalled": f"{C}/v2",
    "folder": f"{C}/v3?path=many",
    "diff": f"{P}/d/{NAME}?from=v1&to=v3",
    "diff-lines": f"{P}/d/{NAME}?from=v1&to=v3&path=text/lines.txt",
    "runs": f"{P}/r",
    "run": f"{P}/r/make",
    "feed": f"{P}/feed?since=52w",
    "feed-alias": f"{P}/feed?of={NAME}&since={NAME}:prod",
    "search": "/search?q=prod",
    "search-files": "/search?q=config&longer=1",
    "search-nothing": "/search?q=nowhere-at-all&longer=1",
    "file-text": f"{C}/v3/file/notes.md",
    "file-table": f"{C}/v3/file/data/rows.parquet",
    "file-image": f"{C}/v3/file/pictures/red.png",
    "file-image-tall": f"{C}/v3/file/pictures/tall.png",
    "file-none": f"{C}/v3/file/binary.bin",
    "file-reference": f"{C}/v3/file/there.csv",
}
ONE_LINE = 16  # pixels, less than a line of text is high
HIDDEN_SIDEWAYS = "selector => (one => one.scrollWidth > one.clientWidth)(document.querySelector(selector))"
SIZES = {"wide": WIDE, "narrow": NARROW}
A = f"/p/{HOSTILE}/a/{LONG}"
HOSTILE_VIEWS = {
    "collections": f"/p/{HOSTILE}",
    "collection": A,
    "metadata": f"/p/{HOSTILE}/m/{LONG}",
    "space": f"/p/{HOSTILE}/space",
    "version": f"{A}/v0",
    "file": f"{A}/v0/file/{FILES[3]}/",
    "diff": f"/p/{HOSTILE}/d/{LONG}",
    "runs": f"/p/{HOSTILE}/r",
    "run": f"/p/{HOSTILE}/r/{LONG}",
    "feed": f"/p/{HOSTILE}/feed?since=52w",
    "search": "/search?q=n&longer=1",
}


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_can_be_looked_at(viewed: ServerProcess, opened: Opened, view: str) -> None:
    windows = {name: opened(viewed.url, size=size).open(VIEWS[view]).is_live() for name, size in SIZES.items()}

    for name, window in windows.items():
        window.shoot(f"{view}-{name}")
        assert not scrolls_sideways(window)
        assert layout_shift(window) < SHIFT_MAX
    assert serious_findings(windows["narrow"]) == []
    windows["wide"].page.emulate_media(color_scheme="dark")
    windows["wide"].shoot(f"{view}-dark")
    assert not scrolls_sideways(windows["wide"])
    assert layout_shift(windows["wide"]) < SHIFT_MAX


@pytest.mark.parametrize("view", HOSTILE_VIEWS)
def test_nothing_that_users_wrote_runs_or_breaks_a_view(hostile: ServerProcess, opened: Opened, view: str) -> None:
    for name, size in SIZES.items():
        window = opened(hostile.url, size=size).open(HOSTILE_VIEWS[view]).is_live()

        window.shoot(f"{view}-hostile-{name}")

        assert window.page.evaluate(f"() => window.{RAN}") is None
        assert not scrolls_sideways(window)
    assert COLLECTION


def test_what_is_long_is_wrapped_and_leaves_what_is_beside_it_in_line(hostile: ServerProcess, opened: Opened) -> None:
    window = opened(hostile.url)
    for view, row in (("collections", "#collections"), ("collection", "#versions")):
        window.open(HOSTILE_VIEWS[view])
        tops = [one.bounding_box() for one in window.page.locator(f"{row} tbody tr > * > :first-child").all()]
        assert max(box["y"] for box in tops if box) - min(box["y"] for box in tops if box) < ONE_LINE, view
    window.open(HOSTILE_VIEWS["file"])
    assert not window.page.evaluate(HIDDEN_SIDEWAYS, "pre")
    window.open(HOSTILE_VIEWS["metadata"])
    assert not window.page.evaluate(HIDDEN_SIDEWAYS, "#values .wide")


def test_tabs_stand_on_one_line_in_a_narrow_window(viewed: ServerProcess, opened: Opened) -> None:
    for view in ("collections", "collection", "diff", "space-collection"):
        tabs = opened(viewed.url, size=NARROW).open(VIEWS[view]).page.locator(".tabs a").all()
        assert len({round(box["y"]) for tab in tabs if (box := tab.bounding_box())}) == 1, view


def test_one_version_has_nothing_to_be_compared_with(hostile: ServerProcess, opened: Opened) -> None:
    window = opened(hostile.url).open(HOSTILE_VIEWS["diff"])
    assert "There is one version, v0." in window.page.inner_text("main")


def test_texts_in_pictures_have_contrast(viewed: ServerProcess, opened: Opened) -> None:
    for dark in (False, True):
        for view in ("collection", "metadata"):
            assert too_faint(opened(viewed.url, dark=dark).open(VIEWS[view]).is_live()) == []


def test_a_deleted_version_says_so(viewed: ServerProcess, opened: Opened) -> None:
    window = opened(viewed.url)
    window.expect("410")
    window.open(f"{C}/v0")

    window.shoot("version-deleted")

    assert "This version was deleted by ana" in window.page.inner_text("main")


def test_folders_open_in_place_and_back_closes_them(viewed: ServerProcess, opened: Opened) -> None:
    window = opened(viewed.url).open(f"{C}/v3").is_live()
    page = window.page
    before = page.locator("[data-tree] tbody tr").count()

    page.get_by_role("link", name="data/").click()
    page.get_by_role("link", name="rows.csv").wait_for()
    window.shoot("version-folder-opened")
    assert "open=data" in page.url

    page.reload()
    page.get_by_role("link", name="rows.csv").wait_for()
    page.go_back()
    page.wait_for_function(f"() => document.querySelectorAll('[data-tree] tbody tr').length === {before}")


def test_a_large_folder_leads_on_where_it_is_cut(viewed: ServerProcess, opened: Opened) -> None:
    window = opened(viewed.url).open(f"{C}/v3").is_live()
    page = window.page
    page.get_by_role("link", name="many/").click()
    page.get_by_role("link", name="More of many/").click()
    page.get_by_role("link", name="129.txt").wait_for()
    window.shoot("version-folder-large")


def test_a_search_is_answered_while_it_is_typed(viewed: ServerProcess, opened: Opened) -> None:
    window = opened(viewed.url).open(P).is_live()
    page = window.page
    page.keyboard.press("/")
    page.keyboard.type("sho")
    page.get_by_role("option").first.wait_for()
    window.shoot("search-typed")
    page.keyboard.press("ArrowDown")
    assert page.get_by_role("option", selected=True).count() == 1
    page.keyboard.press("Escape")
    assert page.get_by_role("option").count() == 0
    page.keyboard.type("w")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{C}")

    page.keyboard.press("/")
    page.keyboard.type("config")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=config")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
def test_suggestions_fit_the_window_and_say_each_name_once(
    viewed: ServerProcess, hostile: ServerProcess, opened: Opened, size: tuple[int, int]
) -> None:
    for name, server, text in (("long", hostile, "n"), ("short", viewed, "user-")):
        window = opened(server.url, size=size).open().is_live()
        window.page.get_by_role("combobox").press_sequentially(text)
        window.page.get_by_role("option").first.wait_for()

        window.shoot(f"suggestions-{name}-{'narrow' if size == NARROW else 'wide'}")

        assert not scrolls_sideways(window)
        box = window.page.locator("#suggestions").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size[0]
    assert window.page.get_by_role("option").first.inner_text().split() == ["run", "user-00", PROJECT]
    window.page.keyboard.press("Enter")
    window.page.get_by_text("8 or more").wait_for()  # there are more that begin with it


def test_a_line_of_code_can_be_copied(viewed: ServerProcess, opened: Opened) -> None:
    window = opened(viewed.url).open(f"{C}/v3").is_live()
    window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    window.page.get_by_role("button", name="Copy headwater get").click()
    window.page.get_by_text("Copied").wait_for()
    window.shoot("version-copied")
    copied = window.page.evaluate("() => navigator.clipboard.readText()")
    assert copied == f"headwater get {PROJECT}/{NAME}:v3 {NAME}-v3"


def test_every_view_works_without_scripts(viewed: ServerProcess, opened: Opened) -> None:
    window = opened(viewed.url, scripts=False).open(C)
    page = window.page
    page.get_by_role("link", name="v3", exact=True).last.click()
    page.get_by_role("link", name="text/").click()
    page.get_by_role("link", name="lines.txt").click()
    assert "changed 3" in page.inner_text("main")
    window.shoot("file-without-scripts")
    page.get_by_role("searchbox").fill("config")
    page.get_by_role("searchbox").press("Enter")
    assert "config" in page.inner_text("h1")
