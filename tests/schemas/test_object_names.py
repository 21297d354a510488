"""What an object of a blob store may be called, and by which beginnings a store may be asked."""

import pytest
from headwater_schemas import digests, object_names
from headwater_schemas.errors import InvalidInput, InvalidName
from headwater_schemas.limits import ATTEMPT_MAX, NAME_LENGTH_MAX, OBJECT_NAME_LENGTH_MAX
from headwater_schemas.object_names import (
    file_name,
    is_name_prefix,
    is_object_name,
    pack_name,
    project_of,
)

PROJECT = "team/vision"
XXH3 = digests.pack(digests.XXH3, bytes(range(16)))
BLAKE3 = digests.pack(digests.BLAKE3, bytes(range(32)))
NAMES = [
    pack_name(PROJECT),
    file_name(PROJECT, XXH3),
    file_name(PROJECT, BLAKE3, 7),
    file_name(PROJECT, XXH3, ATTEMPT_MAX),
    pack_name(f"{'e' * NAME_LENGTH_MAX}/{'p' * NAME_LENGTH_MAX}"),
]
KINDS = ["pack", "xxh3", "blake3", "last attempt", "longest project"]  # the name of a pack is random, a test id is not


@pytest.mark.parametrize("name", NAMES, ids=KINDS)
def test_a_name_that_was_given_is_one_and_says_its_project(name: str) -> None:
    assert is_object_name(name)
    assert project_of(name) == "/".join(name.split("/")[1:3])


def test_a_file_is_called_by_its_content_and_a_pack_never_twice() -> None:
    assert file_name(PROJECT, XXH3, 3) == f"files/{PROJECT}/xxh3-{bytes(range(16)).hex()}-3"
    assert file_name(PROJECT, XXH3) == file_name(PROJECT, XXH3, 0)
    assert pack_name(PROJECT) != pack_name(PROJECT)


def test_the_longest_name_has_the_length_of_the_table() -> None:
    longest = file_name(f"{'e' * NAME_LENGTH_MAX}/{'p' * NAME_LENGTH_MAX}", BLAKE3, ATTEMPT_MAX)

    assert is_object_name(longest)
    assert len(longest) == OBJECT_NAME_LENGTH_MAX


@pytest.mark.parametrize(
    "name",
    [
        "",
        "packs",
        "packs/team/vision",
        f"packs/team/vision/{'0' * 31}",
        f"packs/team/vision/{'0' * 33}",
        f"packs/team/vision/{'A' * 32}",
        f"packs/team/vision/{'0' * 32}/x",
        f"packs/team/{'0' * 32}",
        f"packs/team/../{'0' * 32}",
        f"packs/the team/vision/{'0' * 32}",
        f"packs/team/{'p' * (NAME_LENGTH_MAX + 1)}/{'0' * 32}",
        f"other/team/vision/{'0' * 32}",
        f"files/team/vision/{'0' * 32}",
        f"files/team/vision/xxh3-{'0' * 32}",
        f"files/team/vision/xxh3-{'0' * 32}-01",
        f"files/team/vision/xxh3-{'0' * 32}-{ATTEMPT_MAX + 1}",
        f"files/team/vision/blake3-{'0' * 32}-0",
        f"packs/team/vision/{'0' * 32}\n",
        7,
        None,
    ],
)
def test_anything_else_is_no_name(name: object) -> None:
    assert not is_object_name(name)
    with pytest.raises(InvalidInput, match="is not the name of an object"):
        project_of(name)  # type: ignore[arg-type] # as events may have it


def test_an_error_about_a_long_name_is_short() -> None:
    with pytest.raises(InvalidInput) as refused:
        object_names.check_object_name("x" * 10_000)

    assert 300 < len(str(refused.value)) < 600


@pytest.mark.parametrize("attempt", [-1, ATTEMPT_MAX + 1])
def test_an_attempt_beyond_its_range_is_refused_naming_both(attempt: int) -> None:
    with pytest.raises(InvalidInput, match=f"{attempt} is out of range: 0 to 999,999,999"):
        file_name(PROJECT, XXH3, attempt)


@pytest.mark.parametrize("project", ["team", "team/", "/vision", "team/vision/more", "the team/vision"])
def test_a_name_is_given_in_a_project_only(project: str) -> None:
    for give in (lambda: pack_name(project), lambda: file_name(project, XXH3)):
        with pytest.raises(InvalidName):
            give()


@pytest.mark.parametrize("name", NAMES, ids=KINDS)
def test_every_beginning_of_a_name_can_be_asked_for(name: str) -> None:
    assert [prefix for end in range(len(name) + 1) if not is_name_prefix(prefix := name[:end])] == []


@pytest.mark.parametrize(
    "prefix",
    [
        "x",
        "packsx",
        "pack/",
        "other/team",
        "packs/the team/",
        "packs//",
        "packs/team//",
        "packs/../vision/",
        f"packs/team/vision/{'0' * 32}/",
        "packs/team/vision/0/x",
        f"files/{'e' * (NAME_LENGTH_MAX + 1)}/",
    ],
)
def test_no_other_beginning_can_be(prefix: str) -> None:
    assert not is_name_prefix(prefix)
