"""Lineage in a browser: what is drawn, how one moves in it, and that it says the same to everybody."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Locator

from bench.fabricated import PROJECT as NIGHTLY
from bench.nightly import NODES_A_NIGHT
from tests.page.browsing import LARGE, NARROW, SHIFT_MAX, WIDE, Window, layout_shift, scrolls_sideways, tree
from tests.page.hostile import LONG, RAN
from tests.page.judging import serious_findings, too_faint
from tests.page.lineages import ODD, OTHER, P, record_nights, record_odd_names
from tests.support.serving import ServerProcess, serving_recorded

Opened = Callable[..., Window]
SIZES = {"wide": WIDE, "narrow": NARROW, "4k": LARGE}
BYTES_MAX = 150_000
CLOSE = 0.6  # pixels


@dataclass(frozen=True)
class Nightly:
    """A server on a pipeline that ran for so many nights."""

    server: ServerProcess
    nodes: int
    nights: int


@pytest.fixture(scope="session")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving_recorded(tmp_path_factory.mktemp("odd") / "store", record_odd_names) as server:
        yield server


@pytest.fixture(scope="session")
def nightly(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nightly]:
    nights = max(1, request.param // NODES_A_NIGHT)
    store = tmp_path_factory.mktemp("nights") / "store"
    with serving_recorded(store, partial(record_nights, count=nights)) as server:
        yield Nightly(server, request.param, nights)


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving_recorded(tmp_path_factory.mktemp("month") / "store", partial(record_nights, count=30)) as server:
        yield server


def lineage(window: Window, artifact: str, query: str = "") -> Window:
    """Open the lineage of "entity/project/name:v3" and wait until it is drawn."""
    collection, _, version = artifact.partition(":")
    entity, project, name = collection.split("/")
    window.open(f"/p/{entity}/{project}/a/{name}/{version}/lineage{query}")
    window.page.wait_for_selector("#lineage[data-drawn]")
    return window


def node(window: Window, part: str) -> Locator:
    return window.page.locator(f'.nodes [data-id="{part}"]')


def place(window: Window, part: str) -> tuple[float, float]:
    box = node(window, part).locator(".body").bounding_box()
    assert box is not None
    return box["x"], box["y"] + box["height"] / 2


def settled(window: Window) -> Window:
    """Wait until nothing moves any more."""
    window.page.evaluate(
        "() => Promise.all(document.getAnimations({subtree: true}).map(one => one.finished.catch(() => null)))"
    )
    return window


# --- how it looks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nightly", "width", "dark"),
    [
        (20, "wide", False),
        (20, "narrow", True),
        (300, "wide", False),
        (300, "4k", True),
        (3_000, "wide", False),
        (3_000, "narrow", False),
        pytest.param(20_000, "wide", False, marks=pytest.mark.soak),  # recording takes a minute
        pytest.param(20_000, "narrow", False, marks=pytest.mark.soak),
        pytest.param(20_000, "4k", True, marks=pytest.mark.soak),
    ],
    indirect=["nightly"],
)
def test_a_pipeline_of_any_size_is_a_picture(nightly: Nightly, opened: Opened, width: str, dark: bool) -> None:
    window = opened(nightly.server.url, size=SIZES[width], dark=dark)
    lineage(window, f"{NIGHTLY}/site:v{nightly.nights - 1}")

    window.shoot(f"lineage-{nightly.nodes}-{width}-{'dark' if dark else 'light'}")

    assert 1 < window.page.locator(".nodes .node").count() <= 300
    assert window.page.locator(".nodes .subject").count() == 1
    assert not scrolls_sideways(window)
    assert layout_shift(window) < SHIFT_MAX


@pytest.mark.parametrize("level", ["pipeline", "around", "executions"])
def test_each_level_is_a_picture(month: ServerProcess, opened: Opened, level: str) -> None:
    window = lineage(opened(month.url), f"{NIGHTLY}/model-ridge:v20", f"?level={level}")

    window.shoot(f"lineage-level-{level}")
    if level == "around":
        label, choices = (
            window.page.locator("#depths").bounding_box(),
            window.page.locator(".depths nav").bounding_box(),
        )
        assert label is not None
        assert choices is not None
        assert choices["y"] <= label["y"] <= choices["y"] + choices["height"], "they stay on one line"

    data = month.get(f"/p/{NIGHTLY}/a/model-ridge/v20/lineage.json?level={level}")
    assert data["level"] == level
    assert window.page.locator(".nodes .node").count() == len(data["picture"]["nodes"])
    assert window.page.locator(".edges .edge").count() == len(data["picture"]["edges"])


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_what_is_special_is_told_by_more_than_colour(special: ServerProcess, opened: Opened, dark: bool) -> None:
    window = lineage(opened(special.url, dark=dark), f"{P}/model:v0")
    window.page.locator("summary", has_text="shapes").click()
    window.page.get_by_role("button", name="Fit").click()

    window.shoot(f"lineage-special-{'dark' if dark else 'light'}")

    for word in ("running", "deleted", "recalled", OTHER):
        assert word in (window.page.locator(".nodes").text_content() or "")
    assert window.page.locator(".edge.cycle").count() >= 1
    assert too_faint(window, ".nodes text, .edges text, .lineage-tools button, .legend li") == []
    assert serious_findings(window) == []


def test_failed_open_and_lost_runs_and_drafts_are_seen_from_what_they_used(
    special: ServerProcess, opened: Opened
) -> None:
    window = lineage(opened(special.url), f"{P}/images:v0")
    window.page.get_by_role("button", name="Fit").click()

    window.shoot("lineage-special-images")

    told = window.page.locator(".nodes").text_content() or ""
    for word in ("✕ failed", "■ killed", "✕ crashed", "◌ draft", "▶ running"):
        assert word in told


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_names_of_any_length_and_direction_stay_in_shape_and_run_nothing(
    odd: ServerProcess, opened: Opened, size: tuple[int, int]
) -> None:
    window = lineage(opened(odd.url, size=size), f"{ODD}/hebrew:v0")
    node(window, f"version:{ODD}/{LONG}:v0").focus()

    window.shoot(f"lineage-odd-{'wide' if size == WIDE else 'narrow'}")

    assert window.page.evaluate(f"() => window.{RAN}") is None
    assert not scrolls_sideways(window)
    for made in window.page.locator(".nodes .node").all():
        body, texts = made.locator(".body").bounding_box(), made.locator("text").all()
        assert body is not None
        for text in texts:
            box = text.bounding_box()
            assert box is not None
            assert box["x"] >= body["x"] - CLOSE
            assert box["x"] + box["width"] <= body["x"] + body["width"] + CLOSE


def test_a_picture_fits_large_text_and_calm_eyes(special: ServerProcess, opened: Opened) -> None:
    window = opened(special.url, size=NARROW, calm=True)
    window.page.add_init_script(
        "addEventListener('DOMContentLoaded', () => document.documentElement.style.fontSize = '200%')"
    )
    lineage(window, f"{P}/model:v0")

    window.shoot("lineage-text-200")

    assert not scrolls_sideways(window)
    assert window.page.evaluate("() => document.getAnimations({subtree: true}).length") == 0


# --- how one moves in it --------------------------------------------------------------------------------------------


def test_opening_keeps_what_was_clicked_in_its_place_and_back_undoes_it(month: ServerProcess, opened: Opened) -> None:
    window = lineage(opened(month.url), f"{NIGHTLY}/site:v29", "?level=pipeline")
    window.page.get_by_role("button", name="Fit").click()
    group = f"runs:{NIGHTLY}/train"
    before, nodes = place(window, group), window.page.locator(".nodes .node").count()

    node(window, group).locator("[data-opens]").click()
    window.page.wait_for_function(f"() => document.querySelectorAll('.nodes .node').length > {nodes}")
    settled(window).shoot("lineage-opened")

    after = place(window, group)
    assert (abs(after[0] - before[0]), abs(after[1] - before[1])) < (CLOSE, CLOSE)
    assert "open=runs" in window.page.url
    window.page.go_back()
    window.page.wait_for_function(f"() => document.querySelectorAll('.nodes .node').length === {nodes}")
    assert "open=" not in window.page.url
    again = lineage(opened(month.url), f"{NIGHTLY}/site:v29", "?level=pipeline&open=" + group.replace(":", "%3A"))
    assert again.page.locator(".nodes .node").count() > nodes


def test_opening_keeps_the_order_of_what_is_visible(month: ServerProcess, opened: Opened) -> None:
    window = lineage(opened(month.url), f"{NIGHTLY}/model-ridge:v20", "?level=around&depth=1")

    def columns() -> dict[int, list[str]]:
        found: dict[int, list[tuple[float, str]]] = {}
        for one in window.page.locator(".nodes .node").all():
            part = one.get_attribute("data-id") or ""
            x, y = place(window, part)
            found.setdefault(round(x), []).append((y, part))
        return {x: [part for _, part in sorted(column)] for x, column in found.items()}

    before = columns()
    node(window, f"version:{NIGHTLY}/train:v20").locator("[data-opens]").first.click()
    window.page.wait_for_url("**open=**")
    settled(window)
    after = [part for _, column in sorted(columns().items()) for part in column]
    for column in before.values():
        kept = [part for part in column if part in after]
        assert sorted(kept, key=after.index) == kept


def test_the_picture_is_walked_along_its_edges_by_keys(special: ServerProcess, opened: Opened) -> None:
    window = lineage(opened(special.url), f"{P}/model:v0")
    assert window.page.locator('.nodes [tabindex="0"]').count() == 1  # one stop for Tab
    node(window, f"version:{P}/model:v0").focus()

    def focused() -> str | None:
        return window.page.evaluate("() => document.activeElement.dataset.id")

    window.page.keyboard.press("ArrowLeft")
    assert focused() in (f"run:{P}/good", f"run:{P}/again")
    window.page.keyboard.press("Home")
    window.page.keyboard.press("ArrowRight")
    assert (focused() or "").startswith("run:")
    window.page.keyboard.press("ArrowDown")
    second = focused()
    assert second != f"version:{P}/model:v0"
    window.page.keyboard.press("ArrowUp")
    assert focused() != second
    window.page.keyboard.press("Enter")
    window.expect("404")  # pages of runs are another's
    window.page.wait_for_url("**/r/**")


def test_a_node_that_has_the_focus_is_described_and_its_ways_are_lit(special: ServerProcess, opened: Opened) -> None:
    window = lineage(opened(special.url), f"{P}/model:v0")
    node(window, f"version:{P}/images:v0").focus()

    settled(window).shoot("lineage-focus")

    assert f"{P}/images:v0" in window.page.inner_text("#lineage-panel")
    assert window.page.locator(".edge.lit").count() >= 2


def test_a_path_of_interest_is_all_that_connects_two_nodes(special: ServerProcess, opened: Opened) -> None:
    window = lineage(opened(special.url), f"{P}/model:v2")
    window.page.get_by_role("button", name="Fit").click()
    node(window, f"version:{P}/images:v0").click()
    window.page.get_by_role("button", name="Ways from here").click()
    node(window, f"version:{P}/model:v1").click()
    window.page.get_by_role("button", name="Show the ways to here").click()
    window.page.wait_for_url("**from=**to=**")
    window.page.wait_for_selector("text=Only what connects")

    settled(window).shoot("lineage-path")

    ids = {one.get_attribute("data-id") for one in window.page.locator(".nodes .node").all()}
    assert {f"version:{P}/images:v0", f"run:{P}/good", f"version:{P}/model:v0", f"version:{P}/model:v1"} <= ids
    assert f"version:{P}/model:v2" not in ids
    window.page.go_back()
    window.page.wait_for_selector(f'.nodes [data-id="version:{P}/model:v2"]')


def test_dragging_moves_the_picture_and_opens_nothing(special: ServerProcess, opened: Opened) -> None:
    window = lineage(opened(special.url), f"{P}/model:v0")
    part = f"version:{P}/model:v0"
    x, y = place(window, part)
    address = window.page.url

    window.page.mouse.move(x + 20, y)
    window.page.mouse.down()
    window.page.mouse.move(x + 80, y + 40, steps=4)
    window.page.mouse.up()

    moved = place(window, part)
    assert (round(moved[0] - x), round(moved[1] - y)) == (60, 40)
    assert window.page.url == address
    window.page.get_by_role("button", name="Larger").click()
    window.page.get_by_role("button", name="Centre").click()


# --- what it says to others -----------------------------------------------------------------------------------------


def test_the_table_and_the_picture_say_the_same(special: ServerProcess, opened: Opened) -> None:
    window = lineage(opened(special.url), f"{P}/model:v0")
    drawn = {one.get_attribute("data-id") for one in window.page.locator(".nodes .node").all()}
    listed = [one.get_attribute("id") for one in window.page.locator("#lineage-table tbody tr").all()]
    assert drawn == set(listed)
    steps = [
        f"version:{P}/images:v0",
        f"run:{P}/good",
        f"version:{P}/model:v0",
        f"run:{P}/tune",
        f"version:{P}/model:v1",
    ]
    assert [part for part in listed if part in steps] == steps, "the table reads as the picture does"
    told = tree(window, "main")
    for line in (
        '- heading "Lineage of model:v0" [level=1]',
        'link "version model:v0, dataset · latest, made from 2, leads to 3, what this page is about"',
        "deleted",
        '- columnheader "Made from"',
    ):
        assert line in told, told


def test_without_scripts_there_is_the_table(special: ServerProcess, opened: Opened) -> None:
    window = opened(special.url, scripts=False)
    window.open(f"/p/{P}/a/model/v0/lineage?level=pipeline")

    window.shoot("lineage-without-scripts")

    assert not window.page.locator("#lineage").is_visible()
    window.page.locator("#lineage-table a", has_text="member").first.click()
    assert "open=" in window.page.url


@pytest.mark.parametrize("kind", ["SVG", "PNG"])
def test_a_picture_is_saved_as_a_file_that_stands_alone(
    special: ServerProcess, opened: Opened, kind: str, tmp_path: Path
) -> None:
    window = lineage(opened(special.url), f"{P}/model:v0")
    with window.page.expect_download() as download:
        window.page.get_by_role("button", name=kind).click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.name == f"lineage-team-vision-model-v0.{kind.lower()}"
    if kind == "PNG":
        assert file.read_bytes().startswith(b"\x89PNG")
        (file.parent / "kept.png").write_bytes(file.read_bytes())
        return
    text = file.read_text("utf-8")
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert "var(" not in text
    assert "<script" not in text
    shown = window.page.context.new_page()
    shown.set_content(text)
    shown.screenshot(path=window.shoot("lineage-saved").with_name("lineage-saved-alone.png"), full_page=True)


def test_scripts_and_style_sheets_are_few(special: ServerProcess, opened: Opened) -> None:
    window = opened(special.url)
    sizes: dict[str, int] = {}
    window.page.on("response", lambda response: sizes.update({response.url: len(response.body())}))
    lineage(window, f"{P}/model:v0")
    assert sum(size for url, size in sizes.items() if "/static/" in url) < BYTES_MAX
