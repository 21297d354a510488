"""What a user's process does: a run that logs a folder or a file, one that fetches it. For measured processes."""

from collections.abc import Callable

import headwater

from bench.harness import Laps, Result

NAME = "tree"


def log_folder(folder: str) -> Result:
    """A whole run: from `init` until everything is recorded and the run is over."""
    return _log(lambda artifact: artifact.add_dir(folder))


def log_file(file: str) -> Result:
    """The same with one file."""
    return _log(lambda artifact: artifact.add_file(file))


def small_artifact(name: str, content: str) -> headwater.Artifact:
    """An artifact with one file, not yet logged."""
    artifact = headwater.Artifact(name, type="result")
    with artifact.new_file("result.json") as file:
        file.write(content)
    return artifact


def _log(add: Callable[[headwater.Artifact], object]) -> Result:
    laps = Laps()
    with headwater.init(job_type="bench") as run:
        laps.lap("init")
        artifact = headwater.Artifact(NAME, type="dataset")
        add(artifact)
        laps.lap("add")
        run.log_artifact(artifact)
        artifact.wait()
        laps.lap("log_and_wait")
    laps.lap("finish")
    return {**laps.result(), "version": artifact.version}


def download_folder(folder: str) -> Result:
    """Fetch the latest version of it into `folder`."""
    laps = Laps()
    artifact = headwater.Api().artifact(NAME)
    laps.lap("find")
    artifact.download(folder)
    laps.lap("download")
    return laps.result()


def make_store() -> Result:
    """Have the first run create log, database and bucket, which is not to be measured."""
    with headwater.init() as run:
        run.log_artifact(small_artifact("first", "first"))
    return {}
