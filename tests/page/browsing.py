"""A real browser for tests: windows that fail their test by any error in the console, and what is looked at in them."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Request

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / ".build" / "screenshots"  # kept after a run, to be looked at
WIDE, NARROW, LARGE = (1280, 800), (360, 740), (3840, 2160)  # pixels of CSS
SHIFT_MAX = 0.02  # of a page that nothing moves on; up to 0.1 is called good (web.dev/articles/cls)
PATIENCE_MS = 60_000  # on a machine that runs other tests, too


@dataclass
class Window:
    """A page that is open, at a server."""

    page: Page
    url: str  # of the server
    troubles: list[str] = field(default_factory=list)  # what a page that is well never does
    expected: list[re.Pattern[str]] = field(default_factory=list)

    def open(self, path: str = "/") -> "Window":
        """Go to a page, and wait until its scripts have run."""
        self.page.goto(self.url + path, wait_until="load")
        return self

    def expect(self, *patterns: str) -> None:
        """Troubles that match are what the test is about."""
        self.expected += map(re.compile, patterns)

    def is_live(self) -> "Window":
        """Wait until it follows what changes."""
        self.page.wait_for_selector("#connection[data-state=live]", timeout=PATIENCE_MS)
        return self

    def shoot(self, name: str) -> Path:
        """Keep a picture of the whole page."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        self.page.screenshot(path=path, full_page=True, animations="disabled")
        return path

    def unexpected(self) -> Sequence[str]:
        """Troubles that no test asked for."""
        return [one for one in self.troubles if not any(pattern.search(one) for pattern in self.expected)]


@contextmanager
def window(
    browser: Browser,
    url: str,
    *,
    size: tuple[int, int] = WIDE,
    dark: bool = False,
    calm: bool = False,
    scripts: bool = True,
    context: BrowserContext | None = None,
) -> Iterator[Window]:
    """A window with cookies of its own, or one more in `context`. `calm`: its user wants nothing to move.

    At its end it must have had no trouble: no error in the console, no violation of the policy for content, no request
    to another host.
    """
    own = context or browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce" if calm else "no-preference",
        java_script_enabled=scripts,
        locale="en-GB",
        timezone_id="UTC",
    )
    page = own.new_page()
    page.set_default_timeout(PATIENCE_MS)
    opened = Window(page, url)
    _watch(opened)
    try:
        yield opened
        assert opened.unexpected() == []
    finally:
        page.close()
        if context is None:
            own.close()


def _watch(opened: Window) -> None:
    page, troubles = opened.page, opened.troubles
    host = urlsplit(opened.url).netloc

    def of_request(request: Request) -> None:
        at = urlsplit(request.url)
        if at.scheme not in ("data", "blob") and at.netloc != host:
            troubles.append(f"a request to {request.url}")

    page.on("console", lambda said: troubles.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", of_request)
    page.on("dialog", lambda dialog: (troubles.append(f"a dialog: {dialog.message}"), dialog.dismiss()))


def what_moved(opened: Window) -> list[str]:
    """What moved on the page by itself since it was opened, as browsers see it, with how much (CLS)."""
    moved: list[str] = opened.page.evaluate(
        """() => new Promise(resolve => {
            const found = [];
            const told = ({node, previousRect: was, currentRect: is}) =>
                `${node?.nodeName} ${node?.id ?? node?.data}: ${was.x},${was.y} ${was.width}x${was.height} to ` +
                `${is.x},${is.y} ${is.width}x${is.height}`;
            new PerformanceObserver(list => {
                for (const entry of list.getEntries()) {
                    if (!entry.hadRecentInput) found.push(`${entry.value}: ${entry.sources.map(told).join("; ")}`);
                }
            }).observe({type: "layout-shift", buffered: true});
            requestAnimationFrame(() => setTimeout(() => resolve(found), 50));
        })"""
    )
    return moved


def layout_shift(opened: Window) -> float:
    """How much moved in all."""
    return sum(float(one.partition(":")[0]) for one in what_moved(opened))


def scrolls_sideways(opened: Window) -> bool:
    """Whether the page as a whole is wider than its window."""
    found: bool = opened.page.evaluate(
        "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    return found


def tree(opened: Window, selector: str = "body") -> str:
    """What a screen reader is told of a part of the page, as indented text."""
    return opened.page.locator(selector).first.aria_snapshot()
