"""The grammar of names."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from headwater_schemas.errors import InvalidName
from headwater_schemas.limits import TEXT_LENGTH_MAX
from headwater_schemas.names import (
    ArtifactReference,
    CollectionName,
    RunName,
    check_alias,
    check_distributed_id,
    check_label,
    check_name,
    check_own_draft_id,
    check_project,
    check_text,
    check_type,
    parse_version,
)
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support import strategies


def test_a_name_that_was_taken_apart_once_is_plain_text_to_all_others() -> None:
    class Marked(str):
        __slots__ = ()

    assert CollectionName.parse(Marked("a/b/marked")) == CollectionName.parse("a/b/marked")
    assert type(CollectionName.parse("a/b/marked").name) is str
    for _ in range(2):
        assert not accepts(lambda: CollectionName.parse("a/b/no name"))


@given(text=st.text("abZ09_.- /:é\n\x00", max_size=5))
@example(text=".")
@example(text="..")
@example(text="...")
@example(text="a\n")
def test_a_name_is_letters_digits_and_three_signs_but_no_folder_sign(text: str) -> None:
    allowed = re.fullmatch(r"[A-Za-z0-9_.-]+", text) is not None and text not in (".", "..")

    assert accepts(lambda: check_name(text, "project")) == allowed


@given(name=strategies.names())
def test_valid_names_come_back_as_they_are(name: str) -> None:
    assert check_name(name, "collection") == name


@given(alias=strategies.aliases())
def test_valid_aliases_come_back_as_they_are(alias: str) -> None:
    assert check_alias(alias) == alias


@given(text=st.text("v019/: a\té\u00a0\u200b", max_size=4))
def test_an_alias_is_printable_without_separators_and_never_like_a_version(text: str) -> None:
    printable = bool(text) and text.isprintable() and text == text.strip()
    allowed = printable and not set(text) & set("/:") and re.fullmatch("v[0-9]+", text) is None

    assert accepts(lambda: check_alias(text)) == allowed


@pytest.mark.parametrize("length", [1, 128])
def test_names_of_any_length_up_to_the_limit_are_taken(length: int) -> None:
    assert check_name("x" * length, "entity") == check_alias("x" * length) == check_type("x" * length) == "x" * length


@pytest.mark.parametrize(
    ("check", "named"),
    [
        (lambda: check_name("", "project"), "project name is empty"),
        (lambda: check_name("x" * 129, "project"), "project name 'xxx.* has 129 characters; at most 128"),
        (lambda: check_name("a b", "entity"), "entity name 'a b' contains ' '"),
        (lambda: check_name("naïve", "run"), "run name 'naïve' contains 'ï'"),
        (lambda: check_name("..", "collection"), r"collection name '\.\.' means a folder"),
        (lambda: check_name(5, "project"), "project name must be text, not int"),
        (lambda: check_alias("a:b"), "alias 'a:b' contains ':'"),
        (lambda: check_alias("v07", "tag"), "tag 'v07' looks like a version number"),
        (lambda: check_alias(" a"), "alias ' a' has white space at its ends"),
        (lambda: check_alias("a\u00a0"), r"alias 'a\\xa0' has a control character"),
        (lambda: check_alias("\U0001fae8"), r"alias '\\U0001fae8' has .* that Unicode 14.0 does not have"),
        (lambda: check_alias("a\nb"), "control character"),
        (lambda: check_alias("\ud800"), "control character"),
        (lambda: check_alias(None), "alias must be text, not NoneType"),
        (lambda: check_type(""), "type is empty"),
        (lambda: check_type("\t"), r"type '\\t' has a control character"),
        (lambda: check_distributed_id("x" * 257), "has 257 characters; at most 256"),
        (lambda: check_own_draft_id("x" * 65), "draft id 'xxx.* has 65 characters; at most 64"),
        (lambda: check_own_draft_id("a.b"), r"draft id 'a\.b' contains '\.'"),
        (lambda: check_project("team"), "project 'team' is not of the form entity/project"),
        (lambda: check_project("a/b/c"), "project name 'b/c' contains '/'"),
        (lambda: check_project(None), "project NoneType is not of the form"),
        (lambda: check_label("x" * 1025, "group"), "group has 1,025 characters; at most 1,024"),
        (lambda: check_label("\x00", "job_type"), r"job_type contains '\\x00'"),
        (lambda: CollectionName.parse("a/b"), "'a/b' is not of the form entity/project/name"),
        (lambda: RunName.parse("a/b/c/d"), "'a/b/c/d' is not of the form entity/project/id"),
        (lambda: CollectionName("e", "p", "a/b"), "collection name 'a/b' contains '/'"),
        (lambda: RunName("e", "", "r"), "project name is empty"),
        (lambda: ArtifactReference.parse(""), "not ''"),
        (lambda: ArtifactReference.parse("a/b/c/d"), "'a/b/c/d' has 4 parts"),
        (lambda: ArtifactReference.parse("a//c"), "project name is empty"),
        (lambda: ArtifactReference.parse("a:"), "alias is empty"),
        (lambda: ArtifactReference.parse("a:b:c"), "alias 'b:c' contains ':'"),
        (lambda: ArtifactReference.parse("a:v01"), "'v01' looks like a version number"),
        (lambda: ArtifactReference.parse("a/b:x/y"), "alias 'x/y' contains '/'"),
    ],
)
def test_what_is_wrong_with_a_name_is_said_with_the_name(check: Callable[[], Any], named: str) -> None:
    with pytest.raises(InvalidName, match=named):
        check()


@given(text=strategies.collection_names())
def test_qualified_names_are_their_text(text: str) -> None:
    assert str(CollectionName.parse(text)) == str(RunName.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("digits", (None, None, "digits", "latest")),
        ("digits:best", (None, None, "digits", "best")),
        ("vision/digits:v12", (None, "vision", "digits", "v12")),
        ("me/vision/digits:nightly run", ("me", "vision", "digits", "nightly run")),
        ("v3", (None, None, "v3", "latest")),
    ],
)
def test_a_reference_is_read_from_its_end(text: str, expected: tuple[str | None, str | None, str, str]) -> None:
    assert ArtifactReference.parse(text) == ArtifactReference(*expected)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("v0", 0),
        ("v12", 12),
        ("v999999999999999999", 10**18 - 1),
        ("v1000000000000000000", None),
        ("v01", None),
        ("v", None),
        ("V1", None),
        ("1", None),
        ("v-1", None),
        ("v1\n", None),
        ("v٣", None),
    ],
)
def test_a_version_number_has_one_spelling(text: str, number: int | None) -> None:
    assert parse_version(text) == number


def accepts(check: Callable[[], object]) -> bool:
    try:
        check()
    except InvalidName:
        return False
    return True


@pytest.mark.parametrize("text", ["", "plain", "grüß dich\n\twelt", "x" * TEXT_LENGTH_MAX])
def test_free_text_may_be_anything_that_every_database_can_hold(text: str) -> None:
    assert check_text(text, "description") == text


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "x" * (TEXT_LENGTH_MAX + 1), 3])
def test_free_text_that_some_database_cannot_hold_is_refused(text: object) -> None:
    with pytest.raises(InvalidName, match="description"):
        check_text(text, "description")
