"""`headwater alias`, `headwater tag` and `headwater describe`."""

from pathlib import Path

import pytest

from tests.cli.commands import ask, headwater, refused

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(autouse=True)
def _two_versions(images: Path) -> None:
    headwater("log", str(images), "-n", "pets", "-m", '{"rows": 3, "by": {"who": "ada"}}')
    headwater("log", "--base", "pets", "--remove", "train")


def test_aliases_move_from_wherever_they_were() -> None:
    headwater("alias", "pets:v0", "prod", "best")
    moved = ask("alias", "pets:v1", "prod", "new")

    assert moved["artifact"] == "team/animals/pets:v1"
    assert moved["aliases"] == ["latest", "new", "prod"]
    assert moved["moved"] == [
        {"alias": "prod", "from": "v0", "to": "v1"},
        {"alias": "new", "from": None, "to": "v1"},
    ]
    assert ask("show", "pets:v0")["aliases"] == ["best"]
    assert headwater("alias", "pets:v0", "prod") == "prod: team/animals/pets:v0 (was v1)\n"


def test_an_alias_moves_only_from_where_it_is_expected() -> None:
    headwater("alias", "pets:v0", "prod", "--expect", "none")

    assert "is on v0, not on v1" in refused("alias", "pets:v1", "prod", "--expect", "v1")
    assert "is on v0" in refused("alias", "pets:v1", "prod", "--expect", "none")
    headwater("alias", "pets:v1", "prod", "--expect", "v0")

    assert "prod" in ask("show", "pets:v1")["aliases"]
    assert "'three'" in refused("alias", "pets:v1", "prod", "--expect", "three", code=2)


def test_an_alias_is_taken_off() -> None:
    headwater("alias", "pets:v1", "prod")
    assert "removed from team/animals/pets:v1" in headwater("alias", "pets:prod", "prod", "latest", "--remove")

    assert ask("show", "pets:v1")["aliases"] == []
    assert "'prod'" in refused("alias", "pets:v1", "prod", "--remove")
    assert "--expect" in refused("alias", "pets:v1", "prod", "--remove", "--expect", "v1", code=2)


@pytest.mark.parametrize("alias", ["v3", "a/b", "a:b", ""])
def test_what_cannot_be_an_alias_is_named(alias: str) -> None:
    assert repr(alias) in refused("alias", "pets:v0", alias) or "empty" in refused("alias", "pets:v0", alias)
    assert "fine" not in ask("show", "pets:v0")["aliases"]


def test_tags_are_put_on_and_taken_off() -> None:
    assert headwater("tag", "pets:v0", "raw", "big") == "team/animals/pets:v0: big, raw\n"
    assert ask("tag", "pets:v0", "raw", "--remove")["tags"] == ["big"]
    assert "'raw'" in refused("tag", "pets:v0", "raw", "--remove")


def test_a_version_is_described_without_a_new_one() -> None:
    said = ask("describe", "pets:v0", "-d", "All pets", "--ttl", "12h", "--set", "rows=4", "--unset", "by")

    assert said == {
        "artifact": "team/animals/pets:v0",
        "description": "All pets",
        "metadata": {"rows": 4},
        "ttl_seconds": 12 * 3600,
    }
    assert len(ask("ls", "pets")) == 2


def test_metadata_is_replaced_as_a_whole_and_the_rest_taken_back() -> None:
    headwater("describe", "pets:v0", "-d", "All pets", "--ttl", "4w", "-m", '{"new": [1, null]}')
    assert ask("show", "pets:v0")["metadata"] == {"new": [1, None]}

    said = ask("describe", "pets:v0", "-d", "", "--ttl", "none")

    assert (said["description"], said["ttl_seconds"], said["metadata"]) == (None, None, {"new": [1, None]})


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "nothing to change"),
        (("--set", "rows"), 1, "'rows'"),
        (("--set", "=1"), 1, "'=1'"),
        (("--set", "rows=many"), 1, "--set rows"),
        (("--unset", "horses"), 1, "'horses'"),
        (("-m", "[]"), 1, "--metadata"),
        (("--set", "a=NaN"), 1, "a"),
        (("--ttl", "1y"), 2, "'1y'"),
        (("--ttl", "999999999999w"), 1, "hundred years"),
    ],
)
def test_what_cannot_be_said_is_named(arguments: tuple[str, ...], code: int, says: str) -> None:
    before = ask("show", "pets:v0")

    assert says in refused("describe", "pets:v0", *arguments, code=code)

    assert ask("show", "pets:v0") == before
