"""Stores of which something was deleted for good: to be collected, and looked at afterwards."""

import json
import uuid
from typing import Any

from tests.faults.processes import Workspace, content
from tests.faults.stores import opened

SMALL, KEPT_SMALL = 20, 5
LARGE_BYTES = 1_200_000  # an object by itself


def collect(workspace: Workspace, *options: str, grace: str = "0s") -> Any:
    """What `headwater gc` reports, which an operator runs."""
    return json.loads(workspace.behind().command("gc", "--grace", grace, "--json", *options).succeeded().out)


def log_and_prune(workspace: Workspace, name: str) -> dict[str, bytes]:
    """Two versions, of which the first is deleted; the files of the other, which has a quarter of a pack."""
    folder = workspace.folder / name
    folder.mkdir()
    kept = {f"small-{i}": content(f"{name}/{i}", 5_000) for i in range(SMALL)}
    for file, written in {**kept, "large": content(f"{name}/large", LARGE_BYTES)}.items():
        (folder / file).write_bytes(written)
    workspace.command("log", name, "--name", name).succeeded()
    for file in [f"small-{i}" for i in range(KEPT_SMALL, SMALL)]:
        (folder / file).unlink()
        del kept[file]
    (folder / "large").write_bytes(kept.setdefault("large", content(f"{name}/other", LARGE_BYTES)))
    workspace.command("log", name, "--name", name).succeeded()
    workspace.command("rm", f"{name}:v0").succeeded()
    return kept


def check_collected(workspace: Workspace, kept: dict[str, dict[str, bytes]]) -> None:
    """Every version that is left can be read, and nothing else takes up room."""
    for name, files in kept.items():
        out = workspace.folder / f"{name}-{uuid.uuid4().hex}"
        workspace.command("get", f"{name}:v1", str(out)).succeeded()
        assert {file.name: file.read_bytes() for file in out.iterdir()} == files
    with opened(workspace.behind().settings()) as stores:
        stored = sum(found.size for found in stores.blobs.list_objects())
    assert stored == sum(len(file) for files in kept.values() for file in files.values())
    told = json.loads(workspace.behind().command("doctor", "--verify", "--json").out)
    assert {one["state"] for one in told if one["check"] == "stored content"} == {"ok"}
