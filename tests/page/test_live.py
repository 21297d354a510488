"""What shows up by itself: in all tabs of a browser by one connection, without moving what is being read."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import headwater
import pytest
from playwright.sync_api import Browser, Route

from tests.page.browsing import PATIENCE_MS, Window, what_moved, window
from tests.server.granted import granting
from tests.server.recorded import VISION, add
from tests.support.serving import ServerProcess, serving, until

TABS = 10  # of one browser; HTTP/1.1 allows six connections

Opened = Callable[..., Window]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEADWATER_URL", str(tmp_path / "store"))
    monkeypatch.setenv("HEADWATER_QUIET", "true")
    return tmp_path / "store"


@pytest.fixture
def server(store: Path) -> Iterator[ServerProcess]:
    log("m-first")
    with serving("--url", str(store), "--open") as started:
        yield started


def log(project: str, name: str = "images") -> None:
    """Log a version; what is in it is the project's alone."""
    with headwater.init(project=project, entity="team", job_type="collect") as run:
        artifact = headwater.Artifact(name, type="dataset")
        add(artifact, {"file.txt": f"{project} {name}".encode()})
        run.log_artifact(artifact).wait()


def streams(server: ServerProcess) -> int:
    """How many connections for events the server has."""
    figures = server.ask("GET", "/metrics").body.decode()
    found = re.search(r"^headwater_server_event_streams (\d+)", figures, re.MULTILINE)
    assert found is not None
    return int(found[1])


def has_link(opened: Window, name: str) -> None:
    opened.page.get_by_role("link", name=name).wait_for(timeout=PATIENCE_MS)


def test_what_is_logged_shows_up_in_place_and_what_is_new_above_others_when_asked_for(
    server: ServerProcess, opened: Opened
) -> None:
    shown = opened(server.url).open().is_live()

    log("m-first", "sounds")
    shown.page.get_by_role("row", name="team/m-first 2 2").wait_for()
    log("z-last")
    has_link(shown, "team/z-last")
    log("a-new")
    shown.page.get_by_role("button", name="1 new: show it").wait_for()
    log("b-new")
    offer = shown.page.get_by_role("button", name="2 new: show them")
    offer.wait_for()
    assert not shown.page.get_by_role("link", name="team/a-new").is_visible()
    assert what_moved(shown) == []
    shown.shoot("live-held-back")
    offer.click()

    has_link(shown, "team/a-new")
    assert [row.inner_text() for row in shown.page.get_by_role("rowheader").all()] == [
        "team/a-new",
        "team/b-new",
        "team/m-first",
        "team/z-last",
    ]
    assert shown.page.evaluate("() => document.activeElement.textContent") == "team/a-new"
    shown.shoot("live-shown")


def test_ten_tabs_have_one_connection_which_the_next_takes_over(server: ServerProcess, browser: Browser) -> None:
    context = browser.new_context()
    pages = [context.new_page() for _ in range(TABS)]
    tabs = [Window(page, server.url) for page in pages]
    for tab in tabs:
        tab.open().is_live()
    assert streams(server) == 1

    for tab in tabs[: TABS // 2]:  # whichever of them has the connection
        tab.page.close()

    until(lambda: streams(server) == 1)
    log("z-another")
    for tab in tabs[TABS // 2 :]:
        tab.page.bring_to_front()
        has_link(tab, "team/z-another")
    context.close()


def test_what_is_logged_before_the_next_tab_has_connected_shows_up_there(
    server: ServerProcess, browser: Browser
) -> None:
    context = browser.new_context()
    first, second = (Window(context.new_page(), server.url) for _ in range(2))
    for tab in (first, second):
        with tab.page.expect_response(lambda answer: answer.request.resource_type == "fetch"):
            tab.open().is_live()  # which fetches what came before it was

    def log_first(route: Route) -> None:
        log("z-meanwhile")
        route.continue_()

    second.page.route("**/live*", log_first)
    first.page.close()

    has_link(second, "team/z-meanwhile")
    context.close()


def test_a_server_that_went_away_is_said_and_what_was_missed_shows_up_when_it_is_back(
    store: Path, browser: Browser
) -> None:
    log("m-first")
    with serving("--url", str(store), "--open") as server:
        port = urlsplit(server.url).port
        with window(browser, server.url) as shown:
            shown.expect("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE", "ERR_")
            shown.open().is_live()
            assert server.stop() == 0
            shown.page.wait_for_selector("#connection[data-state=off]")
            shown.shoot("live-not-connected")
            log("z-missed")
            with serving("--url", str(store), "--open", "--port", str(port)):
                shown.page.wait_for_selector("#connection[data-state=live]", timeout=4 * PATIENCE_MS)
                has_link(shown, "team/z-missed")


def test_a_page_whose_token_is_revoked_leads_to_where_one_signs_in(tmp_path: Path, browser: Browser) -> None:
    with granting(tmp_path / "store") as granted:
        made = granted.operator.create_token("ana", VISION, role="reader")
        with window(browser, granted.server.url) as shown:
            shown.expect("401")
            shown.open()
            shown.page.fill("#token", made.text)
            shown.page.keyboard.press("Enter")
            shown.is_live()

            granted.operator.revoke_token(made.id)

            shown.page.wait_for_selector("#token", timeout=4 * PATIENCE_MS)
