"""A version that was recalled: whoever uses it reads why."""

from pathlib import Path

import headwater
import pytest

from tests.support.serving import ServerProcess


def test_who_uses_a_recalled_version_reads_why(
    open_server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEADWATER_URL", open_server.url)
    file = tmp_path / "labels.csv"
    file.write_text("a,b")
    with headwater.init(entity="team", project="vision") as run:
        labels = headwater.Artifact("labels", "dataset")
        labels.add_file(file)
        run.log_artifact(labels).wait()
    recall = "/v1/projects/team/vision/collections/labels/versions/v0/recall"
    assert open_server.ask("POST", recall, b'{"reason": "two columns were swapped"}').status == 200
    capsys.readouterr()

    with headwater.init(entity="team", project="vision") as run:
        run.use_artifact("labels")

    assert "headwater: team/vision/labels:v0 was recalled: two columns were swapped" in capsys.readouterr().err
