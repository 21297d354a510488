"""What the servers of these tests have recorded: a small pipeline in one project, and something in another."""

from pathlib import Path

import headwater
import pytest

ENTITY = "team"
VISION = "team/vision"
AUDIO = "team/audio"
IMAGES, MODEL = f"{VISION}/images", f"{VISION}/model"
LARGE = bytes(range(256)) * (3 * 4096)  # 3 MiB: more than one piece, and no packed file
PAGES = 7  # versions of the collection "pages"


def record(store: Path) -> None:
    """Record it all in a new folder, as its owner does, without a server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADWATER_URL", str(store))
        patch.setenv("HEADWATER_ENTITY", ENTITY)
        patch.setenv("HEADWATER_QUIET", "true")
        _record_images()
        _record_model()
        _record_pages()
        _record_sounds()


def _record_sounds() -> None:
    with headwater.init(project="audio", job_type="listen") as run:
        _log(run, "sounds", {"one.wav": b"do", "cat.txt": b"a cat"}, type="dataset")


def _record_images() -> None:
    with headwater.init(project="vision", job_type="collect", group="night", id="collect") as run:
        first = _log(
            run, "images", {"cat.txt": b"a cat", "dogs/a.txt": b"a dog", "dogs/b/c.txt": b"a pup"}, type="dataset"
        )
        first.aliases.append("good")
        first.tags.append("checked")
        first.metadata["rows"] = 3
        first.description = "Three animals"
        first.save()
    with headwater.init(project="vision", job_type="correct", id="correct") as run:
        run.use_artifact("images:v0", use_as="raw")
        second = headwater.Artifact("images", type="dataset", metadata={"rows": 2, "nested": {"a": [1, 2]}})
        add(second, {"cat.txt": b"a better cat", "dogs/a.txt": b"a dog", "large.bin": LARGE, "<b>.html": b"<script>"})
        second.add_reference("https://example.com/labels.csv", name="labels.csv", checksum=False)
        run.log_artifact(second).wait()


def _record_model() -> None:
    with headwater.init(project="vision", job_type="train", id="train", config={"lr": 0.1}) as run:
        run.use_artifact("images:latest")
        run.summary["loss"] = 0.5
        _log(run, "model", {"weights.bin": b"1 2 3"}, type="model")


def _record_pages() -> None:
    with headwater.init(project="vision", id="pages") as run:
        for number in range(PAGES):
            _log(run, "pages", {"page.txt": b"%d" % number}, type="text")


def _log(run: headwater.Run, name: str, files: dict[str, bytes], *, type: str) -> headwater.Artifact:  # noqa: A002
    artifact = headwater.Artifact(name, type=type)
    add(artifact, files)
    return run.log_artifact(artifact).wait()


def add(artifact: headwater.Artifact, files: dict[str, bytes]) -> None:
    """Add files with these contents."""
    for path, content in files.items():
        with artifact.new_file(path, mode="wb") as file:
            file.write(content)
