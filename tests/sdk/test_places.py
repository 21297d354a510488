"""A process that turns to another store: what it logs from then on is there, also where the name is the same."""

from pathlib import Path

import headwater
import pytest

from tests.support.stores import StoreUnderTest, new_store


def _log(folder: Path, name: str) -> None:
    (folder / name).write_text(name)
    with headwater.init() as run:
        artifact = headwater.Artifact(name, type="dataset")
        artifact.add_file(str(folder / name))
        run.log_artifact(artifact).wait()


def _names() -> list[str]:
    return [found.name for found in headwater.Api().artifact_collections()]


def test_settings_that_change_under_one_name_lead_to_another_store(
    store: StoreUnderTest, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _log(tmp_path, "first")

    with new_store(mode, tmp_path / "elsewhere" / "store") as other, monkeypatch.context() as moved:
        for name, value in other.environment.items():
            moved.setenv(name, value)
        _log(tmp_path, "second")
        assert _names() == ["second"]

    assert _names() == ["first"]
