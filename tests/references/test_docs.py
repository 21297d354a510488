"""The page about references, run as it stands: only its bucket and its web server have other names here."""

import re
from pathlib import Path

import headwater
import pytest
from headwater._references.http import REDIRECTS_MAX
from headwater._references.listing import OBJECTS_MAX

from tests.references.objects import Bucket
from tests.support.web import Page, Web

PAGE = Path(__file__).parent.parent.parent / "docs" / "references.md"


@pytest.fixture
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_URL", (tmp_path / "store").as_uri())
    monkeypatch.setenv("HEADWATER_ENTITY", "team")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_store")
def test_the_examples_do_what_they_say(bucket: Bucket, web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    for key in ("model.h5", "images/cat.png", "images/dog.png"):
        bucket.put(key)
    web.put("/labels.csv", Page(b"cat,dog\n", '"v1"'))
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    names: dict[str, object] = {}

    for block in blocks:
        text = block.replace("my-bucket", bucket.name).replace("https://example.com", web.address)
        exec(compile(text, str(PAGE), "exec"), names)

    assert capsys.readouterr().out.splitlines()[-1] == f"{web.address}/labels.csv"
    logged = headwater.Api().artifact("animals/photos:latest")
    assert sorted(logged.manifest.entries) == [
        "images/cat.png",
        "images/dog.png",
        "labels.csv",
        "model.h5",
        "models/mymodel.h5",
    ]
    added = names["artifact"]
    assert isinstance(added, headwater.Artifact)
    assert sorted(added.manifest.entries) == ["all/cat.png", "all/dog.png", "images", "labels.csv"]


def test_the_limits_that_it_names_are_those_of_the_code() -> None:
    text = PAGE.read_text("utf-8")

    assert f"may stand for {OBJECTS_MAX:,} objects" in text
    assert f"Up to {REDIRECTS_MAX} redirects" in text
