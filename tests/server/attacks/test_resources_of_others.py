"""The resources as an outsider sees them: another project is as if it did not exist, in every list, count and search.

The insider's project uses what is in the outsider's and the other way round, so that a lineage passes through.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.server.granted import GrantedServer, granting
from tests.server.recorded import AUDIO, IMAGES, VISION

P = f"/v1/projects/{VISION}"
SECRETS = ("images", "Three animals", "vision", "a better cat")


@dataclass
class Both:
    """A server, and the tokens of who may read one of its projects each; the writer writes in both."""

    granted: GrantedServer
    outsider: str
    insider: str
    writer: str

    def get(self, path: str, token: str) -> Any:
        return self.granted.server.get(path, token=token)

    def post(self, path: str, body: Any) -> Any:
        answer = self.granted.server.ask("POST", path, json.dumps(body).encode(), token=self.writer)
        assert answer.status in (200, 201), answer.body
        return answer.json


@pytest.fixture(scope="module")
def both(module_path: Path) -> Iterator[Both]:
    with granting(module_path / "others") as granted:
        tokens = granted.token("eve", AUDIO, "reader"), granted.token("ana", VISION, "reader")
        both = Both(granted, *tokens, granted.token("carl", "team", "writer"))
        # sounds → mix (a run of vision) → passage in vision → cut (a run of audio) → end in audio
        _step(both, VISION, "mix", f"{AUDIO}/sounds:v0", "passage")
        _step(both, AUDIO, "cut", f"{VISION}/passage:v0", "end")
        yield both


def _step(both: Both, project: str, run: str, used: str, made: str) -> None:
    at = f"/v1/projects/{project}"
    both.post(f"{at}/runs", {"id": run})
    both.post(f"{at}/runs/{run}/inputs", {"artifact": used})
    both.post(f"{at}/collections/{made}/versions", {"type": "t", "run": run, "files": [{"path": "a", "text": made}]})


@pytest.mark.parametrize(
    "path",
    [
        P,
        f"{P}/types",
        f"{P}/collections",
        f"{P}/runs",
        f"{P}/runs/train",
        f"{P}/runs/train/inputs",
        f"{P}/collections/images",
        f"{P}/collections/images/versions",
        f"{P}/collections/images/versions/v0",
        f"{P}/collections/images/versions/v0/entries",
        f"{P}/collections/images/versions/v0/entries/cat.txt",
        f"{P}/collections/images/versions/v0/files/cat.txt",
        f"{P}/collections/images/versions/v0/lineage",
        f"{P}/collections/images/aliases",
        f"{P}/collections/images/aliases/good",
        f"/v1/diff?before={AUDIO}/sounds:v0&after={IMAGES}:v0",
        f"/v1/search?name=i&within={VISION}",
    ],
)
def test_what_is_of_others_is_answered_as_what_does_not_exist(both: Both, path: str) -> None:
    there, nowhere = (
        both.granted.server.ask("GET", at, token=both.outsider) for at in (path, path.replace("vision", "nowhere"))
    )
    assert there.status == nowhere.status == 404
    assert there.body.replace(b"vision", b"nowhere") == nowhere.body


def test_lists_and_counts_have_what_one_may_read_alone(both: Both) -> None:
    assert [one["project"] for one in both.get("/v1/projects?limit=1", both.outsider)["items"]] == [AUDIO]
    assert both.get("/v1/projects?limit=1", both.outsider)["next"] is None
    assert [one["entity"] for one in both.get("/v1/entities", both.outsider)["items"]] == ["team"]


@pytest.mark.parametrize("query", ["name=a", "name=", "tag=checked", "metadata=rows=3"])
def test_a_search_finds_and_counts_what_one_may_read_alone(both: Both, query: str) -> None:
    found = both.get(f"/v1/search?{query}", both.outsider)
    assert all(one["collection"].startswith(f"{AUDIO}/") for one in found["items"])
    assert found["count"] == len(found["items"])


def test_knowing_a_digest_gives_nothing(both: Both) -> None:
    cat = both.get(f"{P}/collections/images/versions/v0/entries/cat.txt", both.insider)["digest"]
    better = both.get(f"{P}/collections/images/versions/v1/entries/cat.txt", both.insider)["digest"]
    shared = both.get(f"/v1/search?digest={cat}", both.outsider)
    assert [one["collection"] for one in shared["items"]] == [f"{AUDIO}/sounds"]
    assert both.get(f"/v1/search?digest={better}", both.outsider)["count"] == 0


def test_a_lineage_does_not_pass_through_what_one_may_not_read(both: Both) -> None:
    up = both.get(f"/v1/projects/{AUDIO}/collections/end/versions/v0/lineage", both.outsider)
    assert [one["artifact"] for one in up["versions"]] == [f"{AUDIO}/end:v0"]
    assert [one["run"] for one in up["runs"]] == [f"{AUDIO}/cut"]
    assert up["hidden"] == {"beyond_depth": 0, "beyond_nodes": 0}
    down = both.get(f"/v1/projects/{AUDIO}/collections/sounds/versions/v0/lineage?direction=down", both.outsider)
    assert down["edges"] == []
    near = both.get(f"/v1/projects/{AUDIO}/collections/end/versions/v0/lineage?depth=1&nodes=1", both.outsider)
    assert near["hidden"]["beyond_nodes"] == 1  # of its own


def test_the_inputs_of_a_run_name_no_version_of_others(both: Both) -> None:
    assert both.get(f"/v1/projects/{AUDIO}/runs/cut/inputs", both.outsider)["items"] == []
    assert both.get(f"/v1/projects/{AUDIO}/runs/cut/inputs", both.writer)["items"] != []


def test_nothing_of_others_is_in_any_answer(both: Both) -> None:
    for path in ("/v1/projects", "/v1/entities", f"/v1/projects/{AUDIO}/runs", "/v1/search?name="):
        body = both.granted.server.ask("GET", path, token=both.outsider).body.decode()
        assert not [secret for secret in SECRETS if secret in body], path


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{P}/collections/images/versions", {"type": "dataset", "files": [{"path": "a", "text": "a"}]}),
        ("PUT", f"{P}/collections/images/aliases/prod", {"version": "v0"}),
        ("DELETE", f"{P}/collections/images/versions/v0", None),
        ("POST", f"{P}/runs", {"id": "of-a-reader"}),
        ("PATCH", f"{P}/collections/images/versions/v0", {"description": "mine"}),
    ],
)
def test_a_reader_writes_nothing_and_an_outsider_finds_nothing(both: Both, method: str, path: str, body: Any) -> None:
    data = None if body is None else json.dumps(body).encode()
    refused = both.granted.server.ask(method, path, data, token=both.insider)
    assert (refused.status, refused.json["reason"]) == (403, "not-permitted"), refused.body
    assert both.granted.server.ask(method, path, data, token=both.outsider).status == 404
    assert both.get(f"{P}/collections/images/versions/v0", both.insider)["description"] == "Three animals"


def test_a_writer_deletes_nothing_and_uses_nothing_that_it_may_not_read(both: Both) -> None:
    server = both.granted.server
    assert server.ask("DELETE", f"{P}/collections/images/versions/v0", token=both.writer).status == 403
    writer = both.granted.token("dan", AUDIO, "writer")
    body = json.dumps({"artifact": f"{IMAGES}:v0"}).encode()
    assert server.ask("POST", f"/v1/projects/{AUDIO}/runs/cut/inputs", body, token=writer).status == 404
