"""Views in windows and with texts of any size: what is large uses the room, and what is small loses nothing."""

from collections.abc import Callable

import pytest

from tests.page.browsing import LARGE, NARROW, WIDE, Window, layout_shift, scrolls_sideways
from tests.page.lineages import P as SPECIAL
from tests.page.test_views import VIEWS
from tests.support.serving import ServerProcess

Opened = Callable[..., Window]
ON_LARGE = ("collection", "metadata", "version", "run")
WITH_LARGE_TEXT = (*ON_LARGE, "diff-lines", "feed", "file-table", "runs", "search", "space")
TEXT_TWICE = "addEventListener('DOMContentLoaded', () => document.documentElement.style.fontSize = '200%')"
USED_MIN = 0.75  # of the width of a large window
SHIFT_MAX = 0.02
TOUCHES = 1.0  # pixels


def test_everything_uses_the_room_of_a_large_window(viewed: ServerProcess, opened: Opened) -> None:
    for view in ON_LARGE:
        window = opened(viewed.url, size=LARGE).open(VIEWS[view]).is_live()

        window.shoot(f"{view}-4k")

        main = window.page.locator("main").bounding_box()
        assert main is not None
        assert main["width"] > USED_MIN * LARGE[0]
        assert layout_shift(window) < SHIFT_MAX
        assert not scrolls_sideways(window)


@pytest.mark.parametrize("view", WITH_LARGE_TEXT)
def test_text_can_be_twice_as_large_in_each_view(viewed: ServerProcess, opened: Opened, view: str) -> None:
    window = opened(viewed.url, size=NARROW)
    window.page.add_init_script(TEXT_TWICE)
    window.open(VIEWS[view]).is_live()

    window.shoot(f"{view}-text-200")

    assert not scrolls_sideways(window)


@pytest.mark.parametrize("how", [{"size": WIDE}, {"size": LARGE}], ids=["wide", "4k"])
def test_texts_of_a_timeline_stand_apart_from_its_bars(
    viewed: ServerProcess, opened: Opened, how: dict[str, object]
) -> None:
    window = opened(viewed.url, **how)
    if how["size"] == WIDE:
        window.page.add_init_script(TEXT_TWICE)
    page = window.open(VIEWS["collection"]).is_live().page
    names = [one.bounding_box() for one in page.locator(".timeline .lane").all()]
    bars = [one.bounding_box() for one in page.locator(".timeline .stay").all()]
    assert names
    for name in names:
        for bar in bars:
            assert name is not None
            assert bar is not None
            is_above = name["y"] + name["height"] <= bar["y"] + TOUCHES
            assert is_above or name["y"] >= bar["y"] + bar["height"] - TOUCHES


def test_a_picture_of_lineage_is_as_large_as_the_text_around_it(special: ServerProcess, opened: Opened) -> None:
    heights = {}
    for size in (WIDE, LARGE):
        window = opened(special.url, size=size).open(f"/p/{SPECIAL}/a/model/v0/lineage")
        window.page.wait_for_selector("#lineage[data-drawn]")
        box = window.page.locator(".nodes .subject .title").bounding_box()
        assert box is not None
        heights[size] = box["height"]
    assert heights[LARGE] > 1.3 * heights[WIDE]
