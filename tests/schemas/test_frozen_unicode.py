"""Unicode 14.0 under every Python: what is printable, how texts are quoted, and which forms they have."""

import hashlib
import unicodedata
from collections.abc import Iterator
from importlib.resources import files
from typing import Literal

import pytest
from headwater_schemas.frozen_unicode import QUOTED_MAX, TABLE, is_printable, normalize, quoted
from hypothesis import example, given
from hypothesis import strategies as st

from tests.schemas.make_unicode_table import CODE_POINTS

IS_14 = unicodedata.unidata_version == "14.0.0"
# Of version 15.0: an emoji, and a mark that a later version moves behind a mark below the letter.
NEW_EMOJI, NEW_MARK = "\U0001fae8", "\U0001e08f"
MARK_BELOW = "\u0323"
TRICKY = st.text(
    st.sampled_from("aé'\"\\\n\x7f\u0301\u0323\u200d\u2000\ud800\ue000한\u1100\u1161\U0001fae0\U0001fae8")
    | st.characters()
)


def every_character() -> Iterator[str]:
    return map(chr, range(CODE_POINTS))


def test_the_table_is_final() -> None:
    table = (files("headwater_schemas") / TABLE).read_bytes()

    assert hashlib.sha256(table).hexdigest() == "d6f2b3692023d9b1a66d010041784121d9f7c0c79e7792339b3a0871e2def5bd"


def test_the_table_has_what_the_interpreter_has_but_for_what_later_versions_added() -> None:
    found = [character for character in every_character() if is_printable(character) != character.isprintable()]

    assert not any(map(is_printable, found)), "nothing that was printable ceased to be"
    assert not (IS_14 and found)


def test_what_a_later_version_added_is_not_printable() -> None:
    assert is_printable("\U0001fae0"), "an emoji of version 14.0"
    assert not is_printable(NEW_EMOJI)
    assert quoted(f"dépôt {NEW_EMOJI}") == r"'dépôt \U0001fae8'"


@pytest.mark.parametrize("text", ["\n", "\x7f", "\u200b", "\u00a0", "\ue000", "\ud800", "\u2028", "a\tb"])
def test_controls_separators_private_characters_and_surrogates_are_not_printable(text: str) -> None:
    assert not is_printable(text)


@given(text=TRICKY)
@example(text="'")
@example(text="'é")
@example(text="'\"é")
@example(text="\\é\\'")
def test_a_text_is_quoted_as_repr_does(text: str) -> None:
    known = "".join(character for character in text if is_printable(character) == character.isprintable())

    assert quoted(known) == repr(known)


def test_a_long_text_is_cut_and_says_so() -> None:
    assert quoted("é" * QUOTED_MAX) == repr("é" * QUOTED_MAX)
    assert quoted("é" * (QUOTED_MAX + 1)) == f"{'é' * QUOTED_MAX!r}…"
    assert quoted("abc", 2) == "'ab'…"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_every_known_character_has_its_normal_form(form: Literal["NFC", "NFD"]) -> None:
    known = every_character() if IS_14 else filter(is_printable, every_character())

    assert [hex(ord(c)) for c in known if normalize(form, c) != unicodedata.normalize(form, c)] == []


@given(text=TRICKY)
def test_texts_of_printable_characters_have_the_normal_forms_of_the_interpreter(text: str) -> None:
    known = "".join(filter(is_printable, text)) if not IS_14 else text

    assert normalize("NFC", known) == unicodedata.normalize("NFC", known)
    assert normalize("NFD", known) == unicodedata.normalize("NFD", known)


@given(text=TRICKY)
def test_a_normal_form_is_its_own(text: str) -> None:
    composed, decomposed = normalize("NFC", text), normalize("NFD", text)

    assert normalize("NFC", composed) == normalize("NFC", decomposed) == composed
    assert normalize("NFD", composed) == normalize("NFD", decomposed) == decomposed


def test_a_mark_of_a_later_version_stays_where_it_is() -> None:
    """Python 3.12 would move it; so would the `unicodedata.ucd_3_2_0` of 3.12, which reads the newest classes."""
    text = f"e\u0301a{NEW_MARK}{MARK_BELOW}"

    assert normalize("NFD", text) == text
    assert normalize("NFC", text) == f"éa{NEW_MARK}{MARK_BELOW}"
    assert normalize("NFC", "\u2000") == "\u2002"
