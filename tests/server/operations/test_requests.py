"""What may be asked of a command: nothing that is not on its list, no path of the server, nothing out of bounds."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.operations.test_interrupted import commands_that_run
from tests.support.serving import ServerProcess, serving


@pytest.fixture(scope="module")
def server(module_path: Path) -> Iterator[ServerProcess]:
    with serving("--url", str(module_path / "asked"), "--open") as server:
        yield server


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("gc", {"grace": "0s"}),
        ("gc", {"grace_seconds": -1}),
        ("gc", {"grace_seconds": "0s"}),
        ("gc", {"grace_seconds": 10**12}),
        ("gc", {"dry_run": "yes"}),
        ("gc", []),
        ("maintain", {"retire_sessions_days": 1}),
        ("maintain", {"project": "animals"}),
        ("maintain", {"project": "team/animals/pets"}),
        ("maintain", {"project": "team/--yes=x"}),
        ("archive", {"target": "/tmp/backup"}),
        ("archive", {"target": "file:///tmp/backup"}),
        ("archive", {"target": "--follow"}),
        ("archive", {"target": "s3://bucket/\x00"}),
        ("archive", {"target": "s3://" + "b" * 2000}),
        ("archive", {"follow": True}),
        ("archive", {"keep_seconds": 1.5}),
        ("export", {}),
        ("export", {"names": []}),
        ("export", {"names": ["pets"]}),
        ("export", {"names": ["animals/pets"]}),
        ("export", {"names": ["--output=/tmp/x"]}),
        ("export", {"names": ["team/animals/pets"], "output": "/tmp/x"}),
        ("export", {"names": ["team/animals/pets"], "project": "team/animals", "all_versions": True}),
        ("export", {"project": "team/animals"}),
        ("export", {"names": ["team/animals/pets"] * 1001}),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_runs(name: str, asked: object, server: ServerProcess) -> None:
    answer = server.ask("POST", f"/v1/operations/{name}", json.dumps(asked).encode())

    assert answer.status == 400, answer
    assert answer.json["detail"]
    assert commands_that_run() == []


@pytest.mark.parametrize(
    "query", ["project=animals", "aliases=all", "as_json=perhaps", "file=/etc/passwd", "project=team/a&other=1"]
)
def test_what_cannot_be_asked_of_an_import_is_refused(query: str, server: ServerProcess) -> None:
    answer = server.ask("POST", f"/v1/operations/import?{query}", b"PK")

    assert answer.status == 400, answer


@pytest.mark.parametrize("name", ["restore-log", "replay", "server", "log", "rm", "import/x", ""])
def test_other_commands_are_not_there(name: str, server: ServerProcess) -> None:
    assert server.ask("POST", f"/v1/operations/{name}", b"{}").status == 404


def test_what_can_be_run_is_listed(server: ServerProcess) -> None:
    listed = server.get("/v1/operations")["items"]

    assert listed == ["archive", "export", "gc", "import", "maintain"]
    document = server.get("/v1/openapi.json")
    assert [path for path in sorted(document["paths"]) if path.startswith("/v1/operations/")] == [
        f"/v1/operations/{name}" for name in listed
    ]


def test_a_compressed_import_is_refused(server: ServerProcess, tmp_path: Path) -> None:
    answer = server.ask("POST", "/v1/operations/import", b"PK", headers={"Content-Encoding": "gzip"})

    assert answer.status == 415
