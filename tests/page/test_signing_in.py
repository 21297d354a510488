"""Signing in and out in a browser, which keeps the cookie, or does not."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.page.browsing import NARROW, Window, scrolls_sideways
from tests.page.judging import serious_findings, too_faint
from tests.server.granted import GrantedServer, granting
from tests.server.recorded import VISION
from tests.server.signing import SESSION

Opened = Callable[..., Window]


@pytest.fixture(scope="module")
def granted(module_path: Path) -> Iterator[GrantedServer]:
    with granting(module_path / "signing") as server:
        yield server


def test_a_person_signs_in_sees_what_the_token_gives_and_signs_out(granted: GrantedServer, opened: Opened) -> None:
    window = opened(granted.server.url)
    window.expect("401")
    window.open("/?x=1")
    window.shoot("sign-in")
    assert serious_findings(window) == []
    window.page.keyboard.type("hw_wrong")  # the field has the focus
    window.page.keyboard.press("Enter")
    window.page.get_by_role("alert").wait_for()
    window.shoot("sign-in-refused")
    assert serious_findings(window) == []

    window.page.get_by_label("Token").fill(granted.token("ana", VISION, "reader"))
    window.page.keyboard.press("Enter")

    window.page.get_by_role("heading", name="Projects").wait_for()
    assert urlsplit(window.page.url).query == "x=1"
    assert window.page.get_by_role("rowheader").all_inner_texts() == [VISION]
    (cookie,) = window.page.context.cookies()
    assert (cookie["name"], cookie["secure"], cookie["httpOnly"]) == (SESSION, True, True)
    assert "hw_" not in cookie["value"]
    assert window.page.evaluate("document.cookie") == ""
    window.is_live().shoot("signed-in")

    window.page.get_by_role("button", name="Sign out").click()

    window.page.get_by_label("Token").wait_for()
    assert SESSION not in [one["name"] for one in window.page.context.cookies()]
    window.page.go_back()
    window.page.get_by_label("Token").wait_for()


def test_who_may_read_nothing_is_told_whom_to_ask(granted: GrantedServer, opened: Opened) -> None:
    window = opened(granted.server.url, size=NARROW)
    window.expect("404")
    window.open(f"/p/{VISION}")
    window.page.get_by_label("Token").fill(granted.token("bob", "team/other", "reader"))
    window.page.keyboard.press("Enter")
    window.page.get_by_role("heading", name="Nothing is here").wait_for()
    window.shoot("no-rights-project")

    window.open().is_live().shoot("no-rights")

    assert "Ask an admin of a project for access, as headwater|bob" in window.page.inner_text("main")
    assert window.page.locator(".account .name").inner_text() == "bob"
    assert not scrolls_sideways(window)
    assert serious_findings(window) == []


def test_the_form_fits_a_telephone_by_day_and_night(granted: GrantedServer, opened: Opened) -> None:
    for dark in (False, True):
        window = opened(granted.server.url, size=NARROW, dark=dark).open("/signin")
        window.shoot(f"sign-in-narrow-{'dark' if dark else 'light'}")
        assert not scrolls_sideways(window)
        assert too_faint(window, "h1, p, label, button, code, a") == []
