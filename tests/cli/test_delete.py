"""`headwater rm`, `headwater prune` and `headwater restore`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import headwater as sdk
import pytest

from tests.cli.commands import ask, headwater, refused

pytestmark = pytest.mark.usefixtures("store")


def log(text: str, *more: str, name: str = "pets") -> None:
    Path("pet.txt").write_text(text)
    headwater("log", "pet.txt", "-n", name, *more)


def versions() -> list[str]:
    return [found["artifact"].rpartition(":")[2] for found in ask("ls", "pets")]


def in_days(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def test_a_dry_run_says_what_would_be_freed_and_what_depends_on_it() -> None:
    log("a cat", "-a", "best")
    with sdk.init(id="trainer") as run:
        run.use_artifact("pets:best")
        model = sdk.Artifact("model", "model")
        with model.new_file("weights") as file:
            file.write("w")
        run.log_artifact(model)

    told = ask("rm", "pets:best", "--dry-run")

    assert told == {
        "dry_run": True,
        "versions": ["team/animals/pets:v0"],
        "aliases": ["best", "latest"],
        "bytes_freed": 5,
        "free_from": in_days(30),
        "used_by": ["team/animals/trainer"],
        "led_to": ["team/animals/model:v0"],
        "referred_by": [],
    }
    said = headwater("rm", "pets:best", "--dry-run")
    assert "would delete team/animals/pets:v0, with the aliases best, latest" in said
    assert "used by team/animals/trainer" in said
    assert versions() == ["v0"]
    headwater("alias", "pets:v0", "best", "--remove")
    assert "team/animals/pets:v0, with the alias latest\n" in headwater("rm", "pets:v0", "--dry-run")


def test_a_dry_run_names_the_versions_that_refer_to_it() -> None:
    log("a cat")
    copy = sdk.Artifact("chosen", "dataset")
    copy.add_reference(sdk.Api().artifact("pets:v0").get_entry("pet.txt"))
    copy.save()

    assert ask("rm", "pets:v0", "--dry-run")["referred_by"] == ["team/animals/chosen:v0"]
    assert "referenced by team/animals/chosen:v0" in headwater("rm", "pets:v0", "--dry-run")


def test_versions_are_deleted_and_named() -> None:
    for text in ("a", "b", "c"):
        log(text)

    said = headwater("rm", "pets:v0", "pets:v1", "pets:v0")

    assert said.splitlines() == [
        "deleted team/animals/pets:v0",
        "deleted team/animals/pets:v1",
        f"2 B can be reclaimed by a later `headwater gc`, from {in_days(30)} on",
    ]
    assert versions() == ["v2"]
    log("d")
    assert versions() == ["v3", "v2"]


def test_one_that_has_aliases_keeps_the_others_from_being_deleted() -> None:
    log("a")
    log("b", "-a", "prod")
    log("c")

    said = refused("rm", "pets:v0", "pets:v1")

    assert "team/animals/pets:v1 has the aliases prod" in said
    assert "--delete-aliases" in said
    assert versions() == ["v2", "v1", "v0"]


def test_aliases_go_only_when_asked() -> None:
    log("a", "-a", "prod")

    assert "prod" in refused("rm", "pets:v0")
    assert versions() == ["v0"]
    headwater("rm", "pets:v0", "--delete-aliases")

    assert versions() == []


def test_one_wrong_name_deletes_nothing() -> None:
    for text in ("a", "b"):
        log(text)

    assert "'v7'" in refused("rm", "pets:v0", "pets:v7", code=3)
    assert "pets:v3" in refused("rm", "pets:v0", "pets", code=2)

    assert versions() == ["v1", "v0"]


def test_what_two_versions_hold_alone_is_free_when_both_go() -> None:
    log("the same", "--tag", "a")
    log("other")
    log("the same", "--to", "below")
    log("last")

    assert ask("rm", "pets:v0", "--dry-run")["bytes_freed"] == 0
    assert ask("rm", "pets:v0", "pets:v2", "--dry-run")["bytes_freed"] == len("the same")


def test_prune_keeps_the_newest_the_aliased_and_the_used() -> None:
    log("a", "-a", "best")
    log("b")
    with sdk.init() as run:
        run.use_artifact("pets:v1")
    for text in ("c", "d", "e"):
        log(text)

    told = ask("prune", "pets", "--keep", "2", "--dry-run")
    assert (told["dry_run"], told["deleted"], told["kept"]) == (True, ["team/animals/pets:v2"], 4)
    assert versions() == ["v4", "v3", "v2", "v1", "v0"]

    assert (
        "deleted team/animals/pets:v2\n1 version deleted, 4 kept; 1 B can be reclaimed by a later `headwater gc`, from "
        in headwater("prune", "pets", "--keep", "2")
    )
    assert ask("prune", "pets", "--keep", "1", "--also-aliased", "--also-used")["kept"] == 1
    assert versions() == ["v4"]


def test_prune_names_what_it_cannot_do() -> None:
    log("a")

    assert "'pets:v0'" in refused("prune", "pets:v0", "--keep", "1", code=2)
    assert "--keep" in refused("prune", "pets", code=2)
    assert "team/animals/horses" in refused("prune", "horses", "--keep", "1", code=3)


def test_what_was_deleted_is_back_under_its_number_without_its_aliases() -> None:
    log("a cat", "-a", "prod", "-d", "the first cat")
    log("a dog")
    headwater("rm", "pets:v0", "--delete-aliases")
    assert versions() == ["v1"]
    assert "`headwater restore team/animals/pets:v0` brings it back" in refused("show", "pets:v0", code=3)

    assert headwater("restore", "pets:v0") == "restored team/animals/pets:v0\n"

    assert versions() == ["v1", "v0"]
    assert ask("show", "pets:v0")["description"] == "the first cat"
    assert "prod" not in ask("show", "pets:v0")["aliases"]
    headwater("get", "pets:v0", "there")
    assert Path("there/pet.txt").read_text() == "a cat"


def test_restoring_what_is_not_deleted_changes_nothing() -> None:
    log("a cat", "-a", "prod")
    before = sdk.Api().artifact("pets").updated_at

    assert ask("restore", "pets:v0") == {"versions": ["team/animals/pets:v0"]}

    after = sdk.Api().artifact("pets")
    assert (after.updated_at, "prod" in after.aliases) == (before, True)


def test_only_versions_that_were_there_are_restored_and_by_their_numbers() -> None:
    log("a cat")
    headwater("rm", "pets:v0", "--delete-aliases")

    assert "'v7'" in refused("restore", "pets:v7", code=3)
    assert "no artifact" in refused("restore", "cats:v0", code=3)
    assert "no version number" in refused("restore", "pets:latest")
    assert "no version number" in refused("restore", "pets")
    assert versions() == []


def test_one_wrong_name_restores_nothing() -> None:
    log("a cat")
    headwater("rm", "pets:v0", "--delete-aliases")

    assert "'v7'" in refused("restore", "pets:v0", "pets:v7", code=3)
    assert "no version number" in refused("restore", "pets:v0", "pets")

    assert versions() == []
