"""Seconds from going to an address until the lineage there is drawn, with 20,000 versions and runs behind it.

In a real browser that has nothing of the page yet, from a server that has everything: all that a person waits for.
"""

import os
import statistics
from collections.abc import Iterator
from contextlib import contextmanager

from bench import nightly
from bench.fabricated import PROJECT, opened, write
from bench.harness import Bench, Figure, Result, run, settle
from bench.serving import served
from services.browser import chromium

NODES = 20_000
SECONDS_MAX = 1.5
LEVELS = ("", "?level=around", "?level=executions")  # without one the server chooses
NIGHTS_AT_ONCE = 100
WAIT_MS = 60_000
ROUNDS = 5


def measure(bench: Bench) -> Iterator[Figure]:
    home = bench.home()
    nights = bench.size(NODES // nightly.NODES_A_NIGHT)
    run(home, build, store=home.store, nights=nights)
    path = f"/p/{PROJECT}/a/site/v{nights - 1}/lineage"
    taken: dict[str, list[float]] = {level: [] for level in LEVELS}
    drawn: dict[str, int] = {}
    with served(home) as server, _browser() as browser:
        for _ in range(1 if bench.quick else ROUNDS):
            for level in LEVELS:
                settle()
                seconds, drawn[level] = _open(browser, server.home.url + path + level)
                taken[level].append(seconds)
    medians = {level: statistics.median(values) for level, values in taken.items()}
    yield Figure(
        bench="lineage-picture",
        value=medians[""],
        unit="s",
        limit=None,
        ratio=None,
        reach=f"less than {SECONDS_MAX} s, at each level",
        ok=bench.quick or max(medians.values()) < SECONDS_MAX,
        runs=taken[""],
        detail={"nodes": nights * nightly.NODES_A_NIGHT, "medians": medians, "drawn": drawn},
    )


def build(store: str, nights: int) -> Result:
    """The events of so many nights, without their bytes."""
    found = list(nightly.nights(nights))
    with opened(store) as (stores, producer):
        for start in range(0, nights, NIGHTS_AT_ONCE):
            write(stores, producer, [event for night in found[start : start + NIGHTS_AT_ONCE] for event in night])
    return {}


@contextmanager
def _browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(os.environ), args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


def _open(browser: object, address: str) -> tuple[float, int]:
    """Seconds by the browser's own clock, and how many nodes are drawn."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})  # type: ignore[attr-defined]
    try:
        page = context.new_page()
        page.goto(address, timeout=WAIT_MS)
        page.wait_for_selector("#lineage[data-drawn]", timeout=WAIT_MS)
        painted = page.evaluate("() => performance.getEntriesByName('lineage-painted')[0].startTime")
        return painted / 1000, page.locator(".nodes .node").count()
    finally:
        context.close()
