"""Wrong input on purpose: every error names the thing, on standard error, with its exit code."""

from pathlib import Path

import pytest

from tests.cli.commands import headwater, refused

WRONG_NAMES = (
    ("a b", 1, "' '"),
    ("a/b/c/d", 1, "4 parts"),
    ("pets:", 1, "alias is empty"),
    ("horses", 3, "team/animals/horses"),
    ("other/pets", 3, "team/other/pets"),
    ("pets:v9", 3, "the latest is v0"),
    ("pets:gone", 3, "'gone'"),
    ("../pets", 1, "'..'"),
    ("", 1, "''"),
)
COMMANDS = (
    ("show",),
    ("get",),
    ("verify",),
    ("lineage",),
    ("diff", "pets:v0"),
    ("describe", "-d", "x"),
    ("alias", "prod"),
    ("tag", "raw"),
)


@pytest.fixture(autouse=True)
def _logged(images: Path) -> None:
    headwater("log", str(images), "-n", "pets")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_wrong_name_is_named(command: tuple[str, ...]) -> None:
    for name, code, says in WRONG_NAMES:
        first, *more = command
        arguments = (first, *more, name) if first == "diff" else (first, name, *more)

        assert says in refused(*arguments, code=code), name


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("ls", "horses"), 3, "team/animals/horses"),
        (("ls", "pets", "--type", "dataset"), 2, "--type"),
        (("ls", "pets", "--prefix", "train"), 2, "--prefix"),
        (("ls", "pets:v0", "--prefix", "horses"), 3, "'horses'"),
        (("ls", "pets:v0", "--prefix", "../a"), 1, "'../a'"),
        (("ls", "--limit", "0"), 2, "--limit"),
        (("ls", "--project", "a b"), 1, "'a b'"),
        (("runs", "--entity", "a/b"), 1, "'a/b'"),
        (("rm", "horses:v0"), 3, "team/animals/horses"),
        (("rm",), 2, "NAME:VERSION"),
        (("drafts", "--artifact", "pets:v0"), 2, "'pets:v0'"),
        (("get", "pets", "images/cat.txt"), 2, "images/cat.txt"),
        (("nonsense",), 2, "'nonsense'"),
    ],
)
def test_wrong_use_of_a_command_is_named(arguments: tuple[str, ...], code: int, says: str) -> None:
    assert says in refused(*arguments, code=code)


def test_a_folder_lists_what_is_under_it_and_a_type_what_is_of_it() -> None:
    headwater("log", "images/cat.txt", "-n", "model", "-t", "model")

    assert "cow.txt" in headwater("ls", "pets:v0", "--prefix", "./train/")
    assert "cat.txt" not in headwater("ls", "pets:v0", "--prefix", "train")
    assert "pets" not in headwater("ls", "--type", "model")


def test_a_deleted_version_is_said_to_be_deleted() -> None:
    headwater("log", "images/cat.txt", "-n", "pets")
    headwater("rm", "pets:v0")

    said = refused("show", "pets:v0", code=3)

    assert said.startswith("headwater: team/animals/pets:v0 was deleted. `headwater restore team/animals/pets:v0`")
    assert "`headwater ls team/animals/pets`" in said
    assert "`headwater ls team/animals/pets`" in refused("show", "pets:v7", code=3)
