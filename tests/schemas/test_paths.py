"""The grammar of paths, and that the fast check of a batch says what the slow one says."""

import unicodedata
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest
from headwater_schemas.errors import InvalidPath
from headwater_schemas.paths import (
    colliding_forms,
    find_invalid,
    folders_of,
    normalize,
    normalize_folder,
    other_spellings,
    range_of_folder,
)
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support import strategies

# Everything that the grammar treats apart, and one of each kind that it does not.
TRICKY = st.text(st.sampled_from("/.\n\r\t\x00\x1f\x7f\x80\x9f\xa0\u2028\ud800\udfff\\ aé😀0"), max_size=8)
LONG = st.builds(
    lambda character, count, tail: character * count + tail,
    st.sampled_from(["a", "é", "😀", "a/", "😀/", "ab/"]),
    st.sampled_from([15, 16, 31, 32, 63, 64, 65, 127, 128, 129, 254, 255, 256, 600, 2047, 2048, 2049]),
    TRICKY,
)
ANY_PATH = strategies.paths() | TRICKY | LONG


def is_normal(path: str) -> bool:
    try:
        return normalize(path) == path
    except InvalidPath:
        return False


@given(path=strategies.paths())
def test_a_valid_path_is_its_own_normal_form(path: str) -> None:
    assert normalize(path) == path


@given(path=ANY_PATH)
def test_normalizing_twice_is_normalizing_once(path: str) -> None:
    try:
        once = normalize(path)
    except InvalidPath:
        return

    assert normalize(once) == once


@given(batch=st.lists(ANY_PATH, max_size=6))
@example(batch=[])
@example(batch=[""])
@example(batch=["", ""])
@example(batch=["a\nb"])
@example(batch=["a", "\n"])
@example(batch=["a\n", "b"])
@example(batch=["a", "..", "b"])
@example(batch=["...", "a/...", ".../a", "..a", "a..", ".a/..b"])
@example(batch=["é" * 63, "😀" * 63])
@example(batch=["😀" * 64])
@example(batch=["a/" * 127 + "a"])
@example(batch=["a/" * 128 + "a"])
def test_the_check_of_a_batch_agrees_with_normalizing_each(batch: list[str]) -> None:
    assert find_invalid(batch) == next((path for path in batch if not is_normal(path)), None)


@given(valid=st.lists(strategies.paths(), max_size=6), path=ANY_PATH, place=st.integers(0, 6))
def test_one_invalid_path_is_found_among_valid_ones(valid: list[str], path: str, place: int) -> None:
    batch = [*valid[:place], path, *valid[place:]]

    assert find_invalid(batch) == (None if is_normal(path) else path)


@pytest.mark.parametrize(
    ("given_path", "normal"),
    [
        ("./a", "a"),
        ("a//b", "a/b"),
        ("a/b/", "a/b"),
        ("a/./b", "a/b"),
        ("././a/.//b/.", "a/b"),
        (".hidden", ".hidden"),
        ("...", "..."),
        ("a\\b", "a\\b"),
        (" a ", " a "),
        ("a:b", "a:b"),
        (PurePosixPath("a/b"), "a/b"),
        (PurePosixPath("./a\\b"), "a\\b"),
        (PureWindowsPath("a\\b\\c.csv"), "a/b/c.csv"),
        (PureWindowsPath("a/b\\c"), "a/b/c"),
        (Path("a") / "b", "a/b"),
    ],
)
def test_what_people_write_becomes_the_one_spelling(given_path: str | PurePath, normal: str) -> None:
    assert normalize(given_path) == normal


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("", "'' names no file"),
        (".", r"'\.' names no file"),
        (PurePosixPath(), r"'\.' names no file"),
        ("/etc/passwd", "'/etc/passwd' is absolute"),
        ("//a", "'//a' is absolute"),
        (PurePosixPath("/a"), "'/a' is absolute"),
        (PureWindowsPath("C:\\a"), "is absolute"),
        (PureWindowsPath("C:a"), "is absolute"),
        (PureWindowsPath("\\a"), "is absolute"),
        (PureWindowsPath("\\\\host\\share\\a"), "is absolute"),
        (PureWindowsPath("..\\a"), r"leads out of the artifact with '\.\.'"),
        ("..", r"'\.\.' leads out of the artifact"),
        ("a/../b", r"'a/\.\./b' leads out of the artifact"),
        ("a\nb", r"contains '\\n'"),
        ("a\x00", r"contains '\\x00'"),
        ("a\x7f", r"contains '\\x7f'"),
        ("a\x80", r"contains '\\x80'"),
        ("\x9b2J/a", r"contains '\\x9b'"),
        ("a\udcff.txt", r"contains '\\udcff'"),
        ("x" * 256, "has a name of more than 255 bytes"),
        ("é" * 128, "has a name of more than 255 bytes"),
        ("/".join(["x" * 99] * 21), "exceeds 2048 bytes or 128 levels"),
        ("/".join("x" * 129), "exceeds 2048 bytes or 128 levels"),
    ],
)
def test_what_is_wrong_with_a_path_is_said_with_the_path(path: str | PurePath, named: str) -> None:
    with pytest.raises(InvalidPath, match=named):
        normalize(path)


@pytest.mark.parametrize("not_a_path", [None, 5, b"a", ["a"]])
def test_what_is_no_path_at_all_is_refused_with_its_type(not_a_path: str) -> None:
    with pytest.raises(InvalidPath, match=f"not {type(not_a_path).__name__}"):
        normalize(not_a_path)


@pytest.mark.parametrize(
    "path",
    ["x" * 255, "é" * 127, "😀" * 63, "/".join("x" * 128), "/".join(["x" * 255] * 8), "/".join(["x" * 99] * 20)],
    ids=range(6),
)
def test_paths_at_the_limits_are_taken(path: str) -> None:
    assert normalize(path) == path
    assert find_invalid([path]) is None


@pytest.mark.parametrize("top", ["", ".", "./", ".//.", PurePosixPath(), PureWindowsPath()])
def test_a_folder_may_be_the_top_itself(top: str | PurePath) -> None:
    assert normalize_folder(top) == ""


@given(path=ANY_PATH)
def test_any_other_folder_is_written_as_a_path_is(path: str) -> None:
    try:
        normal = normalize(path)
    except InvalidPath:
        return

    assert normalize_folder(path) == normal


@pytest.mark.parametrize("path", ["/", "..", "./..", "a/..", PureWindowsPath("C:")])
def test_a_folder_is_never_above_the_top(path: str | PurePath) -> None:
    with pytest.raises(InvalidPath):
        normalize_folder(path)


COMPOSED, DECOMPOSED = "é", "e\u0301"
KELVIN, GREEK_QUESTION_MARK, VARIA = "\u212a", "\u037e", "\u1fef"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"a/{COMPOSED}", f"a/{DECOMPOSED}"),
        ("\u212b", "\u00e5".upper()),
        (KELVIN, "K"),
        (f"300{KELVIN}.csv", "300K.csv"),
        (GREEK_QUESTION_MARK, ";"),
        (VARIA, "`"),
    ],
)
def test_paths_that_look_the_same_are_found_in_either_order(one: str, other: str) -> None:
    for pair in ([one, other], [other, one]):
        found = colliding_forms(["first", *pair, "last"])

        assert found is not None
        assert set(found) == {one, other}


def test_a_path_does_not_collide_with_itself() -> None:
    assert colliding_forms(["a", "a", COMPOSED, COMPOSED, KELVIN, "k"]) is None


@given(batch=st.lists(st.text("aK;`\u212a\u037e\u1feféèe\u0301\u0300", min_size=1, max_size=2), max_size=6))
def test_a_collision_is_found_exactly_where_two_paths_have_one_normal_form(batch: list[str]) -> None:
    distinct = set(batch)
    collide = len({unicodedata.normalize("NFC", path) for path in distinct}) < len(distinct)

    found = colliding_forms(iter(batch))

    assert (found is not None) == collide
    if found is not None:
        assert found[0] != found[1]
        assert len({unicodedata.normalize("NFC", path) for path in found}) == 1


def test_only_three_characters_outside_ascii_have_a_normal_form_inside() -> None:
    outside = map(chr, [*range(0x80, 0xD800), *range(0xE000, 0x110000)])

    found = {character for character in outside if unicodedata.normalize("NFC", character).isascii()}

    assert found == {KELVIN, GREEK_QUESTION_MARK, VARIA}


@pytest.mark.parametrize(("path", "folders"), [("a", []), ("a/b", ["a"]), ("a/b/c", ["a", "a/b"])])
def test_a_path_implies_its_folders(path: str, folders: list[str]) -> None:
    assert folders_of(path) == folders


@given(folder=strategies.paths(), path=strategies.paths(), inside=st.booleans())
@example(folder="a", path="a0", inside=False)
@example(folder="a", path="a.b", inside=False)
@example(folder="a", path="a", inside=False)
def test_the_range_of_a_folder_holds_what_is_under_it_and_nothing_else(folder: str, path: str, inside: bool) -> None:
    path = f"{folder}/{path}" if inside else path
    start, end = range_of_folder(folder)

    assert (start <= path < end) == path.startswith(f"{folder}/")


@pytest.mark.parametrize(
    ("path", "others"),
    [
        ("plain/file", []),
        ("日本", []),
        ("caf\u00e9", ["cafe\u0301"]),
        ("cafe\u0301", ["caf\u00e9"]),
        ("caf\u00e9/cafe\u0301", ["caf\u00e9/caf\u00e9", "cafe\u0301/cafe\u0301"]),
        ("\u212a", ["K"]),
        ("\u00df", []),
    ],
)
def test_a_path_has_other_spellings_where_it_can_be_composed_or_decomposed(path: str, others: list[str]) -> None:
    assert other_spellings(path) == others
