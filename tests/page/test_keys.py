"""Every question is one key away, for who uses keys; who does not is never surprised by them."""

from collections.abc import Callable

from tests.page.browsing import Window
from tests.page.judging import serious_findings
from tests.support.serving import ServerProcess

Opened = Callable[..., Window]

FOCUSED = "() => document.activeElement.id || document.activeElement.textContent.trim()"


def pressed(opened: Window, *keys: str) -> str:
    """What has the focus after these keys."""
    for key in keys:
        opened.page.keyboard.press(key)
    found: str = opened.page.evaluate(FOCUSED)
    return found


def test_keys_lead_to_the_search_along_rows_and_to_other_pages(shown: ServerProcess, opened: Opened) -> None:
    window = opened(shown.url)
    window.open().is_live()

    assert pressed(window, "/") == "search"
    assert pressed(window, "j", "k") == "search", "keys that are typed are text"
    window.page.evaluate("document.activeElement.blur()")
    assert pressed(window, "j") == "team/audio"
    assert pressed(window, "j") == "team/vision"
    assert pressed(window, "j") == "team/vision", "the last one"
    assert pressed(window, "k") == "team/audio"
    window.shoot("keys-rows")

    window.page.goto(f"{shown.url}/?x=1")
    with window.page.expect_navigation(url=f"{shown.url}/"):
        window.page.keyboard.press("g")
        window.page.keyboard.press("p")


def test_the_help_lists_all_keys_and_can_turn_single_ones_off(shown: ServerProcess, opened: Opened) -> None:
    window = opened(shown.url).open().is_live()

    window.page.keyboard.press("?")
    dialog = window.page.get_by_role("dialog", name="Keys")
    assert dialog.is_visible()
    for words in ("search", "next row", "all projects", "open what has the focus"):
        assert dialog.get_by_text(words, exact=True).is_visible()
    window.shoot("keys")
    assert serious_findings(window) == []
    dialog.get_by_label("Single keys do something").uncheck()
    window.page.keyboard.press("Escape")
    assert not dialog.is_visible()

    window.open().is_live()
    assert pressed(window, "/") != "search"
    window.page.get_by_role("button", name="Keys").click()
    dialog.get_by_label("Single keys do something").check()
    dialog.get_by_role("button", name="Close").click()
    assert pressed(window, "/") == "search"


def test_a_page_is_walked_through_by_tab_alone(shown: ServerProcess, opened: Opened) -> None:
    window = opened(shown.url).open().is_live()

    assert pressed(window, "Tab") == "Skip to the content"
    window.shoot("focus-skip")
    assert pressed(window, "Enter") == "main"
    walked = [pressed(window, "Tab") for _ in range(5)]

    assert walked[1:3] == ["team/audio", "team/vision"]
    assert walked[3:] == ["This page as JSON", "show-keys"]
