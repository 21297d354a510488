"""The laws of the layout of lineage, in the browser that draws it: on a page of its own, with generated graphs."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

STATIC = Path(__file__).parents[2] / "server" / "headwater_server" / "web" / "static"
LAYOUT, LAWS = STATIC / "layout.js", Path(__file__).with_name("layout_laws.js")
GRAPHS = 300  # each laid out four times
SIZES = {200: 0.050, 20_000: 5.0}  # nodes → seconds at most, on a busy machine: ten times what it takes alone
LINES_MAX = 300


@pytest.fixture
def scripts(browser: Browser) -> Any:
    """A page that has nothing but the layout and its laws."""
    page = browser.new_page()
    text = "\n".join(file.read_text("utf-8").replace("\nexport ", "\n") for file in (LAYOUT, LAWS))
    page.add_script_tag(content=text)
    yield page
    page.close()


def test_generated_graphs_keep_the_laws(scripts: Any) -> None:
    broken = scripts.evaluate(
        """count => {
            const found = [];
            for (let seed = 1; seed <= count; seed++) {
                for (const one of brokenLaws(layout, 1 + seed % 70, seed)) found.push(`seed ${seed}: ${one}`);
            }
            return found;
        }""",
        GRAPHS,
    )
    assert broken == []


def test_laws_that_are_broken_are_noticed(scripts: Any) -> None:
    broken = scripts.evaluate(
        """() => {
            const heap = graph => {
                const laid = layout(graph);
                for (const node of laid.nodes.values()) node.x = node.y = 0;
                return laid;
            };
            return brokenLaws(heap, 30, 5);
        }"""
    )
    assert any("overlap" in one for one in broken)
    assert any("does not point right" in one for one in broken)


@pytest.mark.parametrize("count", SIZES)
def test_large_graphs_are_laid_out_in_time(scripts: Any, count: int) -> None:
    seconds = scripts.evaluate(
        """count => {
            const graph = generated(count, count);
            const times = [];
            for (let i = 0; i < 5; i++) {
                const begin = performance.now();
                layout(graph);
                times.push((performance.now() - begin) / 1000);
            }
            return Math.min(...times);
        }""",
        count,
    )
    assert seconds < SIZES[count]


def test_nothing_is_laid_out_as_nothing(scripts: Any) -> None:
    assert scripts.evaluate("() => layout({nodes: [], edges: []}).nodes.size") == 0


def test_the_layout_is_short_enough_to_be_read() -> None:
    assert len(LAYOUT.read_text("utf-8").splitlines()) <= LINES_MAX
