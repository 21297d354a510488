"""A version that was imported says where it comes from: over HTTP, as the data of its page and on the page."""

from pathlib import Path

import pytest

from tests.cli.commands import ask, headwater
from tests.server.web.test_views import data, page, words
from tests.support.serving import serving

COLLECTION = "team/animals/pets"


def test_an_imported_version_shows_its_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADWATER_ENTITY", "team")
    monkeypatch.setenv("HEADWATER_PROJECT", "animals")
    monkeypatch.setenv("HEADWATER_URL", str(tmp_path / "there"))
    (tmp_path / "cat.txt").write_text("cat")
    headwater("log", "cat.txt", "-n", "pets")
    there = ask("show", "pets")
    log = ask("export", "pets", "-o", "pets.zip")["log"]
    monkeypatch.setenv("HEADWATER_URL", str(tmp_path / "here"))
    headwater("import", "pets.zip")

    with serving("--url", str(tmp_path / "here"), "--open") as server:
        by_http = server.get("/v1/projects/team/animals/collections/pets/versions/v0")["imported"]
        (shown,) = data(server, "/p/team/animals/a/pets/v0")["imported"]
        html = words(page(server, "/p/team/animals/a/pets/v0"))
        (line,) = data(server, "/p/team/animals/a/pets")["versions"]
        list_html = words(page(server, "/p/team/animals/a/pets"))

    assert [(one["store"], one["artifact"], one["author"]) for one in by_http] == [
        (log, f"{COLLECTION}:v0", there["author"])
    ]
    assert (shown["store"], shown["version"], shown["author"]) == (log, f"{COLLECTION}:v0", there["author"])
    assert f"Imported from {COLLECTION}:v0" in html
    assert f"in store {log}" in html
    assert line["is_imported"]
    assert "v0 imported latest" in list_html
