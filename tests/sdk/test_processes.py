"""Content that is there already, and processes that log and edit the same things at once."""

import textwrap

import headwater
import pytest

from tests.support.forked import PIPE, ForkedProcess

pytestmark = pytest.mark.usefixtures("store")

PROCESSES = 3
WAIT_S = 120


def pets(text: str, **said: object) -> headwater.Artifact:
    artifact = headwater.Artifact("pets", "dataset", **said)  # type: ignore[arg-type]
    with artifact.new_file("cat.txt") as file:
        file.write(text)
    return artifact


def look(name: str = "pets:v0") -> headwater.Artifact:
    return headwater.Api().artifact(name)


def in_processes(script: str) -> list[str]:
    """What each of the processes printed; `me` is its number."""
    code = f"import sys, headwater\nme = sys.argv[1]\n{textwrap.dedent(script)}"
    started = [ForkedProcess(["-c", code, str(number)], stdout=PIPE) for number in range(PROCESSES)]
    said = [process.communicate(timeout=WAIT_S)[0].strip() for process in started]
    assert [process.returncode for process in started] == [0] * PROCESSES
    return said


def test_content_of_any_live_version_makes_no_new_one_and_the_user_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with headwater.init(id="first") as run:
        run.log_artifact(pets("meow"), aliases=["best"])
        run.log_artifact(pets("purr"), aliases=["prod"])
    with headwater.init(id="second") as run:
        again = run.log_artifact(pets("meow"), aliases=["prod"])

        assert (again.version, again.aliases) == ("v0", ["best", "latest", "prod"])
        assert [logged.name for logged in run.logged_artifacts()] == ["pets:v0"]
    assert "pets:v0 has this content already, no new version" in capsys.readouterr().err
    assert look("pets:v1").aliases == []
    assert look().logged_by().id == "first"  # type: ignore[union-attr]


def test_of_content_that_is_there_only_what_is_given_explicitly_changes_and_that_is_on_record() -> None:
    first = pets("meow", description="cats", metadata={"legs": 4})
    first.tags.append("small")
    first.save()
    created = look().updated_at
    pets("meow").save()
    assert (look().description, look().metadata, look().tags) == ("cats", {"legs": 4}, ["small"])
    assert look().updated_at == created

    given = pets("meow", description="four cats")
    given.tags.append("checked")
    given.save()
    assert (look().description, look().metadata, look().tags) == ("four cats", {"legs": 4}, ["checked", "small"])
    assert look().updated_at > created
    pets("meow", metadata={}).save()
    assert (look().description, look().metadata) == ("four cats", {})


def test_processes_that_log_the_same_content_at_once_share_one_version() -> None:
    versions = in_processes("""
        artifact = headwater.Artifact("pets", "dataset")
        with artifact.new_file("cat.txt") as file:
            file.write("meow")
        with headwater.init(id=f"r{me}") as run:
            print(run.log_artifact(artifact, aliases=[f"of-{me}"]).version)
    """)

    assert versions == ["v0"] * PROCESSES
    assert look().aliases == ["latest", "of-0", "of-1", "of-2"]
    assert [logged.name for run in headwater.Api().runs() for logged in run.logged_artifacts()] == ["pets:v0"] * 3


def test_processes_that_edit_one_version_at_once_undo_nothing_of_each_other() -> None:
    pets("meow", metadata={"shared": {}}).save()
    in_processes("""
        for turn in range(4):
            artifact = headwater.Api().artifact("pets:v0")
            artifact.aliases.append(f"alias-{me}-{turn}")
            if turn:
                artifact.aliases.remove(f"alias-{me}-{turn - 1}")
            artifact.tags.append(f"tag-{me}-{turn}")
            artifact.metadata["shared"][f"{me}-{turn}"] = turn
            artifact.save()
    """)

    assert look().aliases == ["alias-0-3", "alias-1-3", "alias-2-3", "latest"]
    assert len(look().tags) == len(look().metadata["shared"]) == 4 * PROCESSES


def test_of_processes_that_move_an_alias_from_one_place_at_once_one_succeeds() -> None:
    for text in ("start", "0", "1", "2"):
        pets(text).save()
    look().aliases.move("prod", expect=None)
    outcomes = in_processes("""
        artifact = headwater.Api().artifact(f"pets:v{int(me) + 1}")
        try:
            artifact.aliases.move("prod", expect="v0")
            print("moved to", artifact.version)
        except headwater.errors.EventRejected as error:
            print(error)
    """)

    (moved,) = [outcome for outcome in outcomes if outcome.startswith("moved to")]
    holder = look("pets:prod").version
    assert moved == f"moved to {holder}"
    assert sum(f"is on {holder}, not on v0" in outcome for outcome in outcomes) == PROCESSES - 1


def test_processes_that_clean_up_at_once_leave_what_has_an_alias() -> None:
    for number in range(12):
        pets(str(number)).save()
    in_processes("""
        for version in headwater.Api().artifact_versions("dataset", "pets"):
            if len(version.aliases) == 0:
                version.delete()
    """)

    assert [version.version for version in headwater.Api().artifact_versions("dataset", "pets")] == ["v11"]
