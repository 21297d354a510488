"""What lists say of what they leave out, and of nothing at all; and one run with what it used and logged."""

from pathlib import Path

import headwater as sdk
import pytest

from tests.cli.commands import ask, headwater, refused, run

pytestmark = pytest.mark.usefixtures("store")


def log(name: str, text: str, *more: str) -> None:
    Path("pet.txt").write_text(text)
    headwater("log", "pet.txt", "-n", name, *more)


def test_every_list_says_how_much_it_left_out_also_to_programs() -> None:
    for text in ("a", "b", "c"):
        log("pets", text)
        log(f"pets-{text}", text)

    for arguments, left in (((), 3), (("pets",), 2)):
        for form in ((), ("--json",)):
            assert run("ls", *arguments, "-n", "1", *form).err == f"{left} more; --limit shows them.\n"
    assert run("runs", "-n", "4", "--json").err == "2 more; --limit shows them.\n"
    assert run("runs", "-n", "4", "--job-type", "headwater log").err == "2 more; --limit shows them.\n"
    assert run("ls", "pets", "-n", "3").err == ""
    assert run("runs", "-n", "6").err == ""


def test_a_listing_of_files_and_a_comparison_say_it_to_programs_too(images: Path) -> None:
    headwater("log", str(images), "-n", "pets")
    log("pets", "another")

    assert run("ls", "pets:v0", "-n", "1", "--json").err == "2 more; --limit shows them.\n"
    assert run("diff", "pets:v0", "pets:v1", "-n", "1", "--json").err == "3 more; --limit shows them.\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("ls", "--project", "plants"),
            "team/plants has no artifacts. `headwater ls --projects` lists the projects of this store.",
        ),
        (("ls", "--type", "photos"), "team/animals has no artifacts of type 'photos'."),
        (("ls", "gone"), "team/animals/gone has no versions: all were deleted."),
        (
            ("runs", "--project", "plants"),
            "team/plants has no runs. `headwater ls --projects` lists the projects of this store.",
        ),
        (("runs", "--group", "nobody"), "team/animals has no runs that match."),
        (("drafts",), "team/animals has no open drafts."),
        pytest.param(("dead-letters",), "no dead letters: all events could be decoded.", marks=pytest.mark.on_stores),
    ],
)
def test_an_empty_list_says_of_what_it_is(arguments: tuple[str, ...], says: str) -> None:
    log("gone", "a")
    headwater("rm", "gone:v0", "--delete-aliases")

    done = run(*arguments)

    assert (done.code, done.out, done.err) == (0, "", f"{says}\n")
    assert ask(*arguments) == []


def test_where_the_default_project_is_empty_the_projects_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    log("pets", "a")
    log("model", "b", "--project", "vision", "--entity", "root")
    monkeypatch.setenv("HEADWATER_ENTITY", "alice")

    done = run("ls")

    assert [line.split() for line in done.out.splitlines() if "/" in line] == [
        ["root/vision", "1", "1"],
        ["team/animals", "1", "1"],
    ]
    assert done.err == (
        "alice/animals has no artifacts. Projects that have artifacts or runs:\n"
        "`headwater ls --entity root --project vision` lists the artifacts of the first.\n"
    )
    assert "root/vision" not in headwater("ls", "--entity", "team")
    assert ask("ls") == []


def test_projects_are_listed_also_to_programs() -> None:
    log("pets", "a")
    log("model", "b", "--project", "vision", "--entity", "root")

    assert ask("ls", "--projects") == [
        {"project": "root/vision", "artifacts": 1, "runs": 1},
        {"project": "team/animals", "artifacts": 1, "runs": 1},
    ]
    assert ask("ls", "--projects", "--entity", "root") == [{"project": "root/vision", "artifacts": 1, "runs": 1}]
    assert run("ls", "--projects", "-n", "1", "--json").err == "1 more; --limit shows them.\n"
    assert run("ls", "--projects", "--entity", "root").err.endswith("--project vision` lists its artifacts.\n")
    assert "--projects" in refused("ls", "pets", "--projects", code=2)


def test_a_run_is_shown_with_what_it_used_and_logged() -> None:
    log("pets", "a")
    with sdk.init(id="trainer", job_type="train", config={"rate": 0.1}) as trainer:
        trainer.use_artifact("pets:v0")
        trainer.log_artifact(sdk.Artifact("model", "model"))

    for name in ("trainer", "animals/trainer", "team/animals/trainer"):
        found = ask("runs", name)
        assert (found["run"], found["job_type"], found["config"]) == ("team/animals/trainer", "train", {"rate": 0.1})
        assert (found["used"], found["logged"]) == (["team/animals/pets:v0"], ["team/animals/model:v0"])
    said = headwater("runs", "trainer")
    assert all(word in said for word in ("train", "finished", "team/animals/pets:v0", "team/animals/model:v0"))


def test_a_run_that_used_more_than_is_shown_says_so() -> None:
    with sdk.init(id="trainer") as trainer:
        for name in ("one", "two", "three"):
            trainer.log_artifact(sdk.Artifact(name, "model"))

    done = run("runs", "trainer", "--limit", "2", "--json")

    assert "--limit" in done.err
    assert len(ask("runs", "trainer", "--limit", "3")["logged"]) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("nobody",), 3, "team/animals/nobody"),
        (("a b",), 1, "'a b'"),
        (("a/b/c/d",), 1, "'a/b/c/d'"),
        (("",), 1, "empty"),
        (("trainer", "--group", "x"), 2, "--group"),
    ],
)
def test_a_run_that_is_not_there_is_named(arguments: tuple[str, ...], code: int, says: str) -> None:
    log("pets", "a")

    assert says in refused("runs", *arguments, code=code)
