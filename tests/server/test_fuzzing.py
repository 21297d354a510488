"""A fuzzer over the OpenAPI document of a server with data in it: no answer is a fault, and each is as documented."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.granted import granting

SEED = 20_250_102
BUDGET_S = 20  # of the fuzzer, which is all that these tests do: more time finds more
EXAMPLES = 15  # of each operation
CONFIGURATION = Path(__file__).with_name("fuzzing.toml")
FOREIGN = ("Three animals", "a better cat", "labels.csv")  # in the project that the reader of another may not see


@pytest.mark.parametrize(("scope", "role"), [("team", "admin"), ("team/audio", "reader")], ids=["admin", "outsider"])
def test_a_fuzzer_finds_no_fault_no_foreign_data_and_nothing_that_is_not_documented(
    tmp_path: Path, scope: str, role: str
) -> None:
    with granting(tmp_path / "store") as granted:
        token = granted.token("fuzzer", scope, role)
        own = granted.server.get("/v1/projects/team/audio/collections", token=token)
        assert "sounds" in str(own), "it has rights on something that is there"
        seen = fuzzed(f"{granted.server.url}/v1/openapi.json", token, tmp_path / "report")
        assert granted.server.get("/health") == {"status": "ok"}
        assert 'status="500"' not in granted.server.ask("GET", "/metrics").body.decode()
    if role == "reader":
        assert not [text for text in FOREIGN if text in seen]


def fuzzed(document: str, token: str, folder: Path) -> str:
    """Everything that was sent and answered."""
    folder.mkdir()
    fuzzer = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION), "run"]
    how = ["--seed", str(SEED), "--max-time", str(BUDGET_S), "--max-examples", str(EXAMPLES), "--no-color"]
    told = ["--report", "vcr", "--report-dir", str(folder), "--output-sanitize", "false"]
    done = subprocess.run(
        [*fuzzer, document, *how, *told, "-H", f"Authorization: Bearer {token}", "--suppress-health-check", "all"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=10 * BUDGET_S,
    )
    assert done.returncode == 0, done.stdout
    assert "Stateful" in done.stdout
    (answers,) = folder.glob("vcr*")
    return answers.read_text("utf-8")
