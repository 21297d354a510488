"""Artifacts that the tests of this folder log."""

from collections.abc import Mapping

import headwater

MANY = 100  # files: so many that only a difference is sent


def filled(files: Mapping[str, str], name: str = "pets") -> headwater.Artifact:
    artifact = headwater.Artifact(name, "dataset")
    for path, content in files.items():
        with artifact.new_file(path) as file:
            file.write(content)
    return artifact


def many(version: int, name: str = "pets") -> headwater.Artifact:
    """Many files, of which the first differs between versions."""
    return filled({f"{n:03}": f"{n}" for n in range(1, MANY)} | {"000": f"version {version}"}, name)
