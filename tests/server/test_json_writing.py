"""Writing by JSON: what each request does, that it does it once, and what is refused."""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.server.recorded import record
from tests.support.serving import Answer, ServerProcess, serving

P = "/v1/projects/team/vision"
IMAGES = f"{P}/collections/images"


@pytest.fixture(scope="module")
def shared_server(module_path: Path) -> Iterator[ServerProcess]:
    """One for all tests that write what no other reads."""
    with serving("--url", str(module_path / "writing"), "--open") as server:
        yield server


def sent(
    server: ServerProcess, method: str, path: str, body: Any = None, *, key: str | None = None, **headers: str
) -> Answer:
    data = None if body is None else json.dumps(body).encode()
    return server.ask(method, path, data, headers={**({} if key is None else {"Idempotency-Key": key}), **headers})


def done(server: ServerProcess, method: str, path: str, body: Any = None, **how: Any) -> Any:
    answer = sent(server, method, path, body, **how)
    assert answer.status in (200, 201), answer.body
    return answer.json


def commit(server: ServerProcess, files: Mapping[str, str], path: str = IMAGES, **more: Any) -> Any:
    listed = [{"path": name, "text": text} for name, text in files.items()]
    return done(server, "POST", f"{path}/versions", {"type": "dataset", "files": listed, **more})


def content(server: ServerProcess, path: str, version: str = "latest", of: str = IMAGES) -> bytes:
    answer = server.ask("GET", f"{of}/versions/{version}/files/{path}")
    assert answer.status == 200, answer.body
    return answer.body


# --- committing ---------------------------------------------------------------------------------------------------


def test_a_version_is_committed_and_read_again(open_server: ServerProcess) -> None:
    made = commit(open_server, {"a.txt": "a", "b/c.txt": "ü"}, aliases=["good"], tags=["t"], metadata={"rows": 2})
    assert made["done"]
    assert not made["deduplicated"]
    version = made["version"]
    assert (version["artifact"], version["files"], version["size_bytes"]) == ("team/vision/images:v0", 2, 3)
    assert (version["aliases"], version["tags"], version["metadata"]) == (["good", "latest"], ["t"], {"rows": 2})
    assert version["author"] == "open|anybody"
    assert content(open_server, "b/c.txt") == "ü".encode()
    entry = open_server.get(f"{IMAGES}/versions/v0/entries/a.txt?not_before={made['cut']}")
    assert entry["digest"].startswith("blake3:")  # as of all projects that begin through a server


def test_the_same_content_again_is_the_same_version(shared_server: ServerProcess) -> None:
    path = f"{P}/collections/same"
    first, again = (commit(shared_server, {"a.txt": "a"}, path) for _ in range(2))
    assert (first["deduplicated"], again["deduplicated"]) == (False, True)
    assert again["version"]["artifact"] == first["version"]["artifact"]


def test_content_is_given_as_text_base_64_upload_or_digest(shared_server: ServerProcess) -> None:
    path = f"{P}/collections/given"
    large = b"\x00\xff" * 1_000_000
    receipt = shared_server.ask("POST", f"{P}/contents", large).json
    files = [
        {"path": "text", "text": "a"},
        {"path": "base64", "base64": base64.b64encode(b"\x00\x01").decode(), "executable": True},
        {"path": "receipt", "upload": receipt},
    ]
    made = done(shared_server, "POST", f"{path}/versions", {"type": "t", "files": files})
    again = [{"path": "moved", "digest": receipt["digest"]}]
    done(shared_server, "POST", f"{path}/versions", {"type": "t", "files": again, "base": "v0", "remove": ["receipt"]})
    assert content(shared_server, "base64", of=path) == b"\x00\x01"
    assert content(shared_server, "moved", of=path) == large
    listed = shared_server.get(f"{path}/versions/v1/entries")["items"]
    assert [one["path"] for one in listed] == ["base64", "moved", "text"]
    assert [one["path"] for one in listed if one["executable"]] == ["base64"]
    assert made["version"]["size_bytes"] == len(large) + 3


def test_an_upload_is_hashed_as_its_project_has_contents(tmp_path: Path) -> None:
    record(tmp_path / "store")  # without a server, so that its digests are others
    with serving("--url", str(tmp_path / "store"), "--open") as server:
        upload = server.ask("POST", f"{P}/contents", b"uploaded").json
        assert upload["digest"].startswith("xxh3:")
        files = [{"path": "uploaded", "upload": upload}, {"path": "text", "text": "a"}]
        done(server, "POST", f"{IMAGES}/versions", {"type": "dataset", "files": files, "base": "latest"})
        assert content(server, "uploaded") == b"uploaded"
        assert content(server, "cat.txt") == b"a better cat"


def test_a_version_can_have_references(shared_server: ServerProcess) -> None:
    path = f"{P}/collections/references"
    there = {"path": "labels.csv", "uri": "https://example.com/labels.csv", "size_bytes": 3, "checksum": "etag:x"}
    done(shared_server, "POST", f"{path}/versions", {"type": "t", "references": [there]})
    entry = shared_server.get(f"{path}/versions/v0/entries/labels.csv")
    assert (entry["kind"], entry["uri"], entry["size_bytes"]) == ("reference", there["uri"], 3)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "t", "filse": []},
        {"type": 1},
        {"type": "t", "files": [{"path": "a"}]},
        {"type": "t", "files": [{"path": "a", "text": "a", "base64": ""}]},
        {"type": "t", "files": [{"path": "../a", "text": "a"}]},
        {"type": "t", "files": [{"path": "/a", "text": "a"}]},
        {"type": "t", "files": [{"path": "a", "text": "a"}, {"path": "./a", "text": "b"}]},
        {"type": "t", "files": [{"path": "a", "text": "\ud800"}]},
        {"type": "t", "files": [{"path": "a", "base64": "?"}]},
        {"type": "t", "files": [{"path": "a", "upload": {"receipt": "AAAA"}}]},
        {"type": "t", "files": [{"path": "a", "digest": "blake3:" + "0" * 64}]},
        {"type": "t", "files": [{"path": "a", "digest": "md5:00"}]},
        {"type": "t", "remove": ["a"]},
        {"type": "t", "aliases": ["v3"]},
        {"type": "t", "tags": ["a/b"]},
        {"type": "t", "run": "a/b"},
        {"type": "t", "ttl_seconds": -1},
        {"type": "t", "expect_latest": "good"},
        {"type": "t", "references": [{"path": "a", "uri": "\n"}]},
        [],
        "text",
        None,
    ],
)
def test_a_commit_that_cannot_be_is_refused_and_changes_nothing(shared_server: ServerProcess, body: Any) -> None:
    answer = shared_server.ask("POST", f"{P}/collections/refused/versions", json.dumps(body).encode())
    assert answer.status == 400, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert shared_server.ask("GET", f"{P}/collections/refused").status == 404


def test_files_that_cannot_be_in_one_version_are_refused_by_the_projector(shared_server: ServerProcess) -> None:
    body = {"type": "t", "files": [{"path": "a", "text": "a"}, {"path": "a/b", "text": "b"}]}
    answer = sent(shared_server, "POST", f"{P}/collections/conflicting/versions", body)
    assert answer.status == 409, answer.body
    assert "a file and a folder" in answer.json["detail"]


def test_a_commit_can_expect_what_is_latest(shared_server: ServerProcess) -> None:
    path = f"{P}/collections/expecting"
    commit(shared_server, {"a": "1"}, path, expect_latest="none")
    body = {"type": "dataset", "files": [{"path": "a", "text": "2"}], "expect_latest": "none"}
    assert sent(shared_server, "POST", f"{path}/versions", body).status == 409
    commit(shared_server, {"a": "2"}, path, expect_latest="v0")


# --- once ---------------------------------------------------------------------------------------------------------


def test_a_request_that_is_sent_again_counts_once(shared_server: ServerProcess) -> None:
    path = f"{P}/collections/once"
    body = {"type": "dataset", "files": [{"path": "a", "text": "1"}]}
    first = done(shared_server, "POST", f"{path}/versions", body, key="k")
    commit(shared_server, {"a": "2"}, path)
    again = done(shared_server, "POST", f"{path}/versions", body, key="k")
    assert again["version"]["artifact"] == first["version"]["artifact"]
    events = shared_server.get(f"{path}/versions")["items"]
    assert [one["version"] for one in events] == ["v1", "v0"]
    assert events[0]["aliases"] == ["latest"]  # which the second time did not move back


def test_another_request_under_the_same_key_is_another_one(shared_server: ServerProcess) -> None:
    run = done(shared_server, "POST", f"{P}/runs", {"job_type": "a"}, key="same")["run"]
    assert done(shared_server, "POST", f"{P}/runs", {"job_type": "a"}, key="same")["run"] == run
    assert done(shared_server, "POST", f"{P}/runs", {"job_type": "b"}, key="same")["run"] != run
    assert done(shared_server, "POST", f"{P}/runs", {"job_type": "a"}, key="other")["run"] != run
    assert done(shared_server, "POST", f"{P}/runs", {"job_type": "a"})["run"] != run


def test_a_request_is_recognised_by_a_server_that_was_restarted(tmp_path: Path) -> None:
    body = {"type": "t", "files": [{"path": "a", "text": "1"}]}
    made = []
    for _ in range(2):
        with serving("--url", str(tmp_path / "store"), "--open") as server:
            made.append(done(server, "POST", f"{IMAGES}/versions", body, key="k"))
    assert made[0]["version"]["artifact"] == made[1]["version"]["artifact"]
    assert not made[1]["deduplicated"]  # it is the same commit, not another one of the same content


def test_who_does_not_wait_gets_a_cut_to_read_by(shared_server: ServerProcess) -> None:
    path = f"{P}/collections/unwaited"
    body = {"type": "t", "files": [{"path": "a", "text": "1"}]}
    answer = sent(shared_server, "POST", f"{path}/versions?wait=0", body)
    assert answer.status == 202
    assert (answer.json["done"], answer.json["version"]) == (False, None)
    found = shared_server.get(f"{path}/versions/latest?not_before={answer.json['cut']}")
    assert found["version"] == "v0"


# --- what may change ----------------------------------------------------------------------------------------------


def test_an_alias_moves_and_is_removed(shared_server: ServerProcess) -> None:
    path = f"{P}/collections/moving"
    commit(shared_server, {"a": "1"}, path)
    commit(shared_server, {"a": "2"}, path)
    done(shared_server, "PUT", f"{path}/aliases/prod", {"version": "v0", "expect": "none"})
    assert shared_server.get(f"{path}/aliases/prod")["version"] == "v0"
    refused = sent(shared_server, "PUT", f"{path}/aliases/prod", {"version": "latest", "expect": "v1"})
    assert refused.status == 409
    done(shared_server, "PUT", f"{path}/aliases/prod", {"version": "latest", "expect": "v0"})
    assert shared_server.get(f"{path}/aliases/prod")["version"] == "v1"
    done(shared_server, "DELETE", f"{path}/aliases/prod?expect=v1")
    assert shared_server.ask("GET", f"{path}/aliases/prod").status == 404


def test_a_version_is_described_and_tagged(shared_server: ServerProcess) -> None:
    path = f"{P}/collections/described"
    commit(shared_server, {"a": "1"}, path, metadata={"a": 1, "b": 2}, tags=["old"])
    change = {
        "description": "Better",
        "metadata_patch": {"b": None, "c": 3},
        "add_tags": ["new"],
        "remove_tags": ["old"],
    }
    done(shared_server, "PATCH", f"{path}/versions/latest", change)
    found = shared_server.get(f"{path}/versions/v0")
    assert (found["description"], found["metadata"], found["tags"]) == ("Better", {"a": 1, "c": 3}, ["new"])


def test_a_version_is_deleted_and_restored(shared_server: ServerProcess) -> None:
    path = f"{P}/collections/deleted"
    commit(shared_server, {"a": "1"}, path)
    assert sent(shared_server, "DELETE", f"{path}/versions/v0").status == 409  # it is `latest`
    assert sent(shared_server, "DELETE", f"{path}/versions/latest").status == 400  # which may move meanwhile
    done(shared_server, "DELETE", f"{path}/versions/v0?delete_aliases=true")
    gone = shared_server.ask("GET", f"{path}/versions/v0")
    assert (gone.status, gone.json["reason"]) == (410, "deleted")
    done(shared_server, "POST", f"{path}/versions/v0/restore")
    assert shared_server.get(f"{path}/versions/v0")["recalled"] is None
    done(shared_server, "POST", f"{path}/versions/v0/recall", {"reason": "wrong labels"})
    assert shared_server.get(f"{path}/versions/v0")["recalled"] == "wrong labels"


def test_pages_neither_skip_nor_repeat_while_versions_are_deleted(shared_server: ServerProcess) -> None:
    path = f"{P}/collections/paged"
    for number in range(8):
        commit(shared_server, {"a": str(number)}, path)
    first = shared_server.get(f"{path}/versions?limit=3")
    for gone in ("v6", "v5", "v3"):  # of the page, its last one, and of what follows
        done(shared_server, "DELETE", f"{path}/versions/{gone}")
    second = shared_server.get(f"{path}/versions?limit=2&cursor={first['next']}")
    third = shared_server.get(f"{path}/versions?limit=5&cursor={second['next']}")
    read = [one["version"] for page in (first, second, third) for one in page["items"]]
    assert read == ["v7", "v6", "v5", "v4", "v2", "v1", "v0"]


# --- runs ---------------------------------------------------------------------------------------------------------


def test_a_run_uses_logs_and_ends(shared_server: ServerProcess) -> None:
    path = f"{P}/collections/of-a-run"
    commit(shared_server, {"a": "1"}, path)
    started = done(shared_server, "POST", f"{P}/runs", {"id": "train-7", "job_type": "train", "config": {"lr": 0.1}})
    assert started["run"] == "team/vision/train-7"
    used = done(shared_server, "POST", f"{P}/runs/train-7/inputs", {"artifact": "of-a-run:latest", "use_as": "data"})
    assert used["artifact"] == "team/vision/of-a-run:v0"
    commit(shared_server, {"m": "1"}, f"{P}/collections/model-of-a-run", run="train-7")
    done(shared_server, "PATCH", f"{P}/runs/train-7", {"config": {"epochs": 3}})
    assert shared_server.get(f"{P}/runs/train-7")["state"] == "running"
    done(shared_server, "POST", f"{P}/runs/train-7/finish", {"summary": {"loss": 0.5}})
    run = shared_server.get(f"{P}/runs/train-7")
    assert (run["state"], run["config"], run["summary"]) == ("finished", {"lr": 0.1, "epochs": 3}, {"loss": 0.5})
    lineage = shared_server.get(f"{P}/collections/model-of-a-run/versions/v0/lineage")
    assert [one["artifact"] for one in lineage["versions"]] == [
        "team/vision/model-of-a-run:v0",
        "team/vision/of-a-run:v0",
    ]


@pytest.mark.parametrize("path", ["/finish", "/inputs", ""])
def test_a_run_that_is_not_there_does_nothing(shared_server: ServerProcess, path: str) -> None:
    method, body = ("PATCH", {}) if not path else ("POST", {"artifact": "a:b"} if path == "/inputs" else {})
    assert sent(shared_server, method, f"{P}/runs/nobody{path}", body).status == 404


# --- bodies that attack -------------------------------------------------------------------------------------------


def test_bodies_that_are_too_large_too_deep_or_compressed_are_refused(shared_server: ServerProcess) -> None:
    at = f"{P}/runs"
    assert shared_server.ask("POST", at, b"[" * 100_000 + b"]" * 100_000).status == 400
    assert shared_server.ask("POST", at, b'{"config":' * 200 + b"1" + b"}" * 200).status == 400
    assert shared_server.ask("POST", at, b" " * (4 * 1024 * 1024 + 1)).status == 413
    bomb = shared_server.ask("POST", at, b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    assert (bomb.status, bomb.json["reason"]) == (415, "compressed")
    assert shared_server.ask("POST", at, b'{"config":{"n":' + b"9" * 5000 + b"}}").status == 400
    assert shared_server.ask("POST", at, b'{"config":{"n":NaN}}').status == 400
    assert shared_server.ask("POST", at, b'\xff\xfe{"a":1}').status == 400
