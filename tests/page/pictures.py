"""`python -m tests.page.pictures`: make the pictures of docs/page.md anew, of what the demo records."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from services.browser import chromium
from tests.page.browsing import ROOT, Window, window
from tests.page.conftest import FLAGS
from tests.support.serving import serving

PICTURES = ROOT / "docs" / "pictures"
ENTITY = "acme"
AT = f"/p/{ENTITY}/digits-demo"
SIZE = (1200, 760)  # pixels of CSS
OF_PAGES = {  # by the names of their files
    "collection": f"{AT}/a/digits-model",
    "version": f"{AT}/a/digits-model/best",
    "lineage": f"{AT}/a/digits-split/v0/lineage",
}


def main() -> None:
    """Record the demo, and take each picture."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        _record(Path(folder), store)
        with serving("--url", str(store), "--open") as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(os.environ), args=list(FLAGS))
            for name, path in OF_PAGES.items():
                _take(browser, server.url, name, path)
            browser.close()


def _record(folder: Path, store: Path) -> None:
    demo = [sys.executable, ROOT / "examples" / "digits_pipeline.py", folder / "demo", "--store", store]
    subprocess.run(demo, check=True, env={**os.environ, "HEADWATER_ENTITY": ENTITY}, stdout=subprocess.DEVNULL)


def _take(browser: Browser, url: str, name: str, path: str) -> None:
    with window(browser, url, size=SIZE, calm=True) as opened:
        opened.open(path).is_live()
        _without_what_differs(opened)
        file = PICTURES / f"{name}.png"
        opened.page.screenshot(path=file, animations="disabled")
        print(file.relative_to(ROOT))


def _without_what_differs(opened: Window) -> None:
    """Let the author be one that says nothing of the machine."""
    opened.page.evaluate(
        """() => {
            const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (walk.nextNode()) {
                walk.currentNode.data = walk.currentNode.data.replace(/[\\w.-]+@[\\w.-]+/g, "ana@cluster");
            }
        }"""
    )


if __name__ == "__main__":
    main()
