"""What a user's process does: a run that logs a folder or a file, one that fetches it. For measured processes."""

import headwater

from bench.harness import Laps, Result

NAME = "tree"


def log_folder(folder: str) -> Result:
    """A whole run: from `init` until everything is recorded and the run is over."""
    laps = Laps()
    with headwater.init(job_type="bench") as run:
        laps.lap("init")
        artifact = headwater.Artifact(NAME, type="dataset")
        artifact.add_dir(folder)
        laps.lap("add")
        run.log_artifact(artifact)
        artifact.wait()
        laps.lap("log_and_wait")
    laps.lap("finish")
    return {**laps.result(), "version": artifact.version}


def log_file(file: str) -> Result:
    """The same with one file."""
    laps = Laps()
    with headwater.init(job_type="bench") as run:
        laps.lap("init")
        artifact = headwater.Artifact(NAME, type="dataset")
        artifact.add_file(file)
        laps.lap("add")
        run.log_artifact(artifact)
        artifact.wait()
        laps.lap("log_and_wait")
    laps.lap("finish")
    return laps.result()


def download_folder(folder: str) -> Result:
    """Fetch the latest version of it into `folder`."""
    laps = Laps()
    artifact = headwater.Api().artifact(NAME)
    laps.lap("find")
    artifact.download(folder)
    laps.lap("download")
    return laps.result()


def make_store() -> Result:
    """The first run makes log, database and bucket, which is not to be measured."""
    with headwater.init() as run:
        artifact = headwater.Artifact("first", type="dataset")
        with artifact.new_file("first.txt") as file:
            file.write("first")
        run.log_artifact(artifact)
    return {}
