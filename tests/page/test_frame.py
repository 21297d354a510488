"""What every page has: it fits any window and any eyes, works without a mouse and without scripts."""

from collections.abc import Callable

import pytest
from headwater_server.web.words import since

from tests.page.browsing import LARGE, NARROW, WIDE, Window, scrolls_sideways, tree, what_moved
from tests.page.hostile import LONG, PROJECT, RAN
from tests.page.judging import serious_findings, too_faint
from tests.support.serving import ServerProcess

SIZES = {"wide": WIDE, "narrow": NARROW, "4k": LARGE}
BYTES_MAX = 150_000  # of the style sheets and scripts of a page, unpacked

Opened = Callable[..., Window]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_projects_are_there_for_everybody(shown: ServerProcess, opened: Opened, size: str, dark: bool) -> None:
    window = opened(shown.url, size=SIZES[size], dark=dark).open().is_live()

    window.shoot(f"projects-{size}-{'dark' if dark else 'light'}")

    assert window.page.get_by_role("link", name="team/vision").is_visible()
    assert not scrolls_sideways(window)
    assert what_moved(window) == []
    assert serious_findings(window) == []


def test_colours_have_contrast_wherever_they_meet(shown: ServerProcess, opened: Opened) -> None:
    for dark in (False, True):
        window = opened(shown.url, dark=dark).open().is_live()
        assert too_faint(window, "a, th, td, p, h1, button, kbd") == []


def test_a_store_without_anything_says_how_to_begin(empty: ServerProcess, opened: Opened) -> None:
    window = opened(empty.url).open().is_live()

    window.shoot("projects-empty")

    assert "headwater log" in window.page.inner_text("main")
    assert "you may read" not in window.page.inner_text("main"), "everybody may read everything here"
    assert serious_findings(window) == []


def test_text_can_be_twice_as_large(shown: ServerProcess, opened: Opened) -> None:
    window = opened(shown.url, size=NARROW)
    window.open().is_live()
    window.page.evaluate("document.documentElement.style.fontSize = '200%'")

    window.shoot("projects-text-200")

    assert not scrolls_sideways(window)


def test_a_page_works_without_scripts(shown: ServerProcess, opened: Opened) -> None:
    window = opened(shown.url, scripts=False).open()

    window.shoot("projects-without-scripts")
    window.page.get_by_role("searchbox").fill("cat")

    assert window.page.get_by_role("link", name="team/vision").is_visible()


def test_nothing_that_users_wrote_runs_or_breaks_the_page(hostile: ServerProcess, opened: Opened) -> None:
    for name, size in {"wide": WIDE, "narrow": NARROW}.items():
        window = opened(hostile.url, size=size).open().is_live()

        window.shoot(f"projects-hostile-{name}")

        assert window.page.get_by_role("link", name=PROJECT).is_visible()
        assert window.page.evaluate(f"() => window.{RAN}") is None
        assert not scrolls_sideways(window)
        assert LONG in window.page.inner_text("main")


def test_what_is_not_there_is_said_in_the_look_of_the_page(shown: ServerProcess, opened: Opened) -> None:
    window = opened(shown.url)
    window.expect("404")
    window.open("/p/team/nothing-here")

    window.shoot("failure-404")

    assert "Nothing is here" in window.page.inner_text("h1")
    assert window.page.get_by_role("link", name="All projects").is_visible()
    assert serious_findings(window) == []


def test_a_screen_reader_is_told_what_is_seen(shown: ServerProcess, opened: Opened) -> None:
    told = tree(opened(shown.url).open().is_live())

    for line in (
        '- heading "Projects" [level=1]',
        '- rowheader "team/vision":',
        '- combobox "Search everything"',
        "- status",
    ):
        assert line in told


def test_scripts_and_style_sheets_are_few(shown: ServerProcess, opened: Opened) -> None:
    window = opened(shown.url)
    sizes: dict[str, int] = {}
    window.page.on("response", lambda response: sizes.update({response.url: len(response.body())}))
    window.open().is_live()

    assert sum(size for url, size in sizes.items() if "/static/" in url) < BYTES_MAX


def test_scripts_say_how_long_ago_it_was_as_the_server_does(shown: ServerProcess, opened: Opened) -> None:
    now_us = 1_800_000_000_000_000
    moments_us = [
        now_us - s * 1_000_000 for s in (0, 44, 45, 119, 3599, 3600, 86_399, 86_400 * 29, 86_400 * 400, 10**12)
    ]
    window = opened(shown.url).open()

    said = window.page.evaluate(
        """async ([now, moments]) => {
            const address = document.querySelector("script[src*='/page.js']").src.replace("page.js", "times.js");
            const {since} = await import(address);
            return moments.map(moment => since(moment / 1000, now / 1000));
        }""",
        [now_us, moments_us],
    )

    assert said == [since(moment_us, now_us) for moment_us in moments_us]
