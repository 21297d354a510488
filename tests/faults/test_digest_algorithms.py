"""Processes log the first versions of a project while others choose its digest algorithm: it has one in the end."""

import json

import pytest

from tests.faults.processes import Workspace
from tests.faults.test_many_writers import start_all

PROJECTS = ("one", "two", "three")
WRITERS, CHOOSERS = 3, 2

WRITER = """
    import sys
    import headwater
    from headwater.errors import EventRejected

    def log(project):
        artifact = headwater.Artifact(f"by-{sys.argv[1]}", "dataset")
        with artifact.new_file("a") as file:
            file.write(sys.argv[1])
        with headwater.init(project=project) as run:
            run.log_artifact(artifact).wait()

    headwater.init().finish()
    print("ready", flush=True)
    sys.stdin.readline()
    for project in sys.argv[2:]:
        try:
            log(project)
        except EventRejected as error:
            assert error.reason == "algorithm-chosen", error
            assert f"team/{project} uses the digest algorithm blake3" in str(error), error
            log(project)
"""

CHOOSER = """
    import sys
    import headwater
    from headwater._commit.client import client_for
    from headwater_stores.config.settings import read_settings
    from headwater.errors import EventRejected
    from headwater_schemas.events import SettingsChanged

    headwater.init().finish()
    client = client_for(read_settings(), create=False)
    print("ready", flush=True)
    sys.stdin.readline()
    for project in sys.argv[1:]:
        chosen = SettingsChanged(project=f"team/{project}", settings='{"digest_algorithm":"blake3"}')
        try:
            client.send([chosen]).result()
        except EventRejected as error:
            assert error.reason == "algorithm-chosen", error
"""


@pytest.fixture
def workspace(shared_workspace: Workspace) -> Workspace:
    """What is asked here is asked in each way to run."""
    return shared_workspace


def test_projects_have_one_algorithm_whoever_was_the_first_to_log_or_to_choose(workspace: Workspace) -> None:
    workspace.run("import headwater; headwater.init().finish()").succeeded()
    writers = [workspace.start(WRITER, str(number), *PROJECTS) for number in range(WRITERS)]
    choosers = [workspace.start(CHOOSER, *PROJECTS) for _ in range(CHOOSERS)]
    start_all([*writers, *choosers])

    for process in (*writers, *choosers):
        process.wait().succeeded()

    for project in PROJECTS:
        settings = json.loads(workspace.command("project", "--project", project, "--json").succeeded().out)
        algorithm = settings["settings"]["digest_algorithm"]
        for number in range(WRITERS):
            listed = workspace.command("ls", f"by-{number}:v0", "--project", project, "--json").succeeded()
            assert [entry["digest"].partition(":")[0] for entry in json.loads(listed.out)] == [algorithm]
