"""Where the server keeps anything is nobody's business: neither paths nor names of objects are in what it answers."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import headwater
import pytest
from headwater_blobs.port import PACKED_FILE_BYTES_MAX

from tests.server.granted import GrantedServer, granting
from tests.support.modes import EMBEDDED
from tests.support.serving import Answer
from tests.support.stores import StoreUnderTest

PROJECT = "team/vision"
SMALL, LARGE = b"a cat", os.urandom(PACKED_FILE_BYTES_MAX + 10_000)
VERSION = f"/v1/projects/{PROJECT}/collections/pets/versions/v0"


@dataclass
class Spoilt:
    """A server whose store has lost or damaged what it is asked for."""

    granted: GrantedServer
    store: StoreUnderTest
    token: str
    digests: dict[str, str]  # by path

    def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """An answer that says nothing of places."""
        answer = self.granted.server.ask(method, path, body, token=self.token)
        told = answer.body.decode("utf-8", "replace")
        assert str(self.granted.folder) not in told
        assert "packs/" not in told
        assert "files/team" not in told
        return answer


@pytest.fixture
def spoilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spoilt]:
    folder = tmp_path / "store"
    with granting(folder, recorded=False) as granted:
        token = granted.token("ana", PROJECT, "writer")
        monkeypatch.setenv("HEADWATER_URL", granted.server.url)
        monkeypatch.setenv("HEADWATER_TOKEN", token)
        monkeypatch.setenv("HEADWATER_ENTITY", "team")
        monkeypatch.setenv("HEADWATER_PROJECT", "vision")
        artifact = headwater.Artifact("pets", "dataset")
        for name, content in (("small.txt", SMALL), ("large.bin", LARGE)):
            with artifact.new_file(name, "wb") as file:
                file.write(content)
        with headwater.init() as run:
            run.log_artifact(artifact).wait()
        listed = granted.server.get(f"{VERSION}/entries", token=token)["items"]
        store = StoreUnderTest(EMBEDDED, folder, {})
        yield Spoilt(granted, store, token, {one["path"]: one["digest"] for one in listed})


@pytest.mark.parametrize(("damage", "reason"), [("rotten", "content-corrupt"), ("gone", "content-lost")])
@pytest.mark.parametrize("path", ["small.txt", "large.bin"])
def test_lost_and_damaged_content_is_named_by_its_digest_alone(
    spoilt: Spoilt, path: str, damage: str, reason: str
) -> None:
    for name in spoilt.store.objects():
        spoilt.store.rot(name) if damage == "rotten" else spoilt.store.remove(name)
    digest = spoilt.digests[path]

    asked = json.dumps({"digests": [digest]}).encode()
    answers = [
        spoilt.ask("GET", f"{VERSION}/files/{path}"),
        spoilt.ask("GET", f"/v1/projects/{PROJECT}/contents/{digest}"),
        spoilt.ask("POST", f"/v1/projects/{PROJECT}/contents/read", asked),
    ]

    for answer in answers:
        assert (answer.status, answer.json["reason"]) == (500, reason), answer.body
        assert digest in answer.json["detail"]
        assert "server's store" in answer.json["detail"]


def test_a_store_that_fails_is_not_described(spoilt: Spoilt) -> None:
    blobs = spoilt.granted.folder / "blobs"
    blobs.rename(blobs.with_name("elsewhere"))

    answer = spoilt.ask("POST", f"/v1/projects/{PROJECT}/contents", b"another")

    assert answer.status >= 500
    assert "server's store" in answer.json["detail"]
