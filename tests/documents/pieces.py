"""What many statements need: files in the working folder, an artifact that is logged already, what one holds."""

from pathlib import Path

import headwater


def fill(*names: str) -> list[Path]:
    """Files in the working folder; each holds its own name."""
    paths = [Path(name) for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.as_posix())
    return paths


def logged(name: str, *files: str, type: str = "dataset", project: str | None = None) -> headwater.Artifact:  # noqa: A002
    """The version `name` with these files, logged by a run of its own."""
    artifact = headwater.Artifact(name, type)
    for path in fill(*files):
        artifact.add_file(path, name=path)
    with headwater.init(project=project) as run:
        return run.log_artifact(artifact).wait()


def contents(artifact: headwater.Artifact) -> list[str]:
    """The paths of its entries."""
    return list(artifact.manifest.entries)


def files_in(folder: str) -> dict[str, str]:
    """Path → text of every file below a folder."""
    root = Path(folder)
    return {path.relative_to(root).as_posix(): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}
