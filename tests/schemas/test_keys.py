"""Keys of records, and ids of events."""

import re
import time
import uuid

import pytest
from headwater_schemas import keys
from headwater_schemas.errors import InvalidInput, InvalidName
from headwater_schemas.limits import KEY_LENGTH_MAX, NAME_LENGTH_MAX
from hypothesis import given
from hypothesis import strategies as st

from tests.support import strategies

SESSION = "0123456789abcdef" * 3


def test_a_run_an_artifact_and_a_project_of_one_name_have_different_keys() -> None:
    name = "vision/digits/a"

    found = [keys.collection_key(name), keys.run_key(name), keys.project_key(name), keys.broadcast_key(name)]

    assert found == [
        "collection:vision/digits/a",
        "run:vision/digits/a",
        "project:vision/digits/a",
        "broadcast:vision/digits/a",
    ]
    assert keys.broadcast_key() == "broadcast:"


def test_the_id_of_an_event_is_final() -> None:
    namespace, name = uuid.UUID(SESSION[:32]), f"{SESSION[32:]}\ncollection:vision/digits/a\n7"

    assert keys.event_id(SESSION, "collection:vision/digits/a", 7) == str(uuid.uuid5(namespace, name))
    assert keys.event_id(SESSION, "collection:vision/digits/a", 7) == "cd264981-d68c-56f9-aadb-d7d3ca456233"


def test_the_key_of_a_scope_says_whether_it_is_an_entity_or_a_project() -> None:
    assert keys.scope_key("vision") == keys.entity_key("vision") == "entity:vision"
    assert keys.scope_key("vision/digits") == keys.project_key("vision/digits")


@given(session=strategies.sessions(), key=st.text(max_size=50).filter(str.isascii), sequence=st.integers(0, 2**63))
def test_the_id_of_an_event_is_a_uuid_of_version_5(session: str, key: str, sequence: int) -> None:
    named = uuid.uuid5(uuid.UUID(session[:32]), f"{session[32:]}\n{key}\n{sequence}")

    assert keys.event_id(session, key, sequence) == str(named)


PLACES = st.tuples(strategies.sessions(), st.sampled_from(["run:a/b/c", "run:a/b/c1"]), st.integers(0, 20))


@given(one=PLACES, other=PLACES)
def test_events_have_one_id_exactly_where_session_key_and_sequence_are_the_same(
    one: tuple[str, str, int], other: tuple[str, str, int]
) -> None:
    assert (keys.event_id(*one) == keys.event_id(*other)) == (one == other)


def test_a_new_session_is_a_session_id_and_never_the_same() -> None:
    sessions = {keys.new_session() for _ in range(100)}

    assert len(sessions) == 100
    assert all(keys.event_id(session, "run:a/b/c", 0) for session in sessions)


def test_a_session_belongs_to_the_principal_whose_hash_it_has() -> None:
    session = keys.new_session(owner="headwater|ada")

    assert keys.is_session_of(session, "headwater|ada")
    assert not keys.is_session_of(session, "headwater|eve")
    assert not keys.is_session_of(keys.new_session(), "headwater|ada")
    assert keys.check_session(session) == session != keys.new_session(owner="headwater|ada")


def test_a_session_has_80_bits_of_its_owner_and_64_of_its_own() -> None:
    """Nobody finds a principal with the hash of another's; nor do two of one owner meet that start at the same time."""
    one, other, theirs = (keys.new_session(7, owner=owner) for owner in ("headwater|ada", "headwater|ada", "idp|ada"))

    assert one[:32] == other[:32]
    assert len(one[12:32]) * 4 == 80
    assert len(one[32:]) * 4 == 64
    assert one[32:] != other[32:]
    assert one[12:32] != theirs[12:32]
    for digit in range(12, 32):
        changed = f"{one[:digit]}{int(one[digit], 16) ^ 1:x}{one[digit + 1 :]}"
        assert not keys.is_session_of(changed, "headwater|ada"), digit


def test_a_session_of_a_seed_is_the_same_each_time_and_begins_on_its_day() -> None:
    day_ms = 20_000 * keys.DAY_MS
    session = keys.repeatable_session(day_ms, owner="headwater|ada", seed=b"s")

    assert session == keys.check_session(keys.repeatable_session(day_ms, owner="headwater|ada", seed=b"s"))
    assert session != keys.repeatable_session(day_ms, owner="headwater|ada", seed=b"t")
    assert keys.is_session_of(session, "headwater|ada")
    assert 0 <= keys.session_start_ms(session) - day_ms < keys.DAY_MS


def test_sessions_sort_by_their_start() -> None:
    started = [keys.new_session() for _ in range(3)]
    start_ms = keys.session_start_ms(started[0])

    assert abs(start_ms - time.time() * 1000) < 60_000
    assert all(keys.first_session(start_ms) <= session < keys.first_session(start_ms + 60_000) for session in started)
    assert keys.session_start_ms(keys.first_session(start_ms)) == start_ms


@pytest.mark.parametrize(
    "session",
    [
        "",
        "g" * 48,
        "a" * 47,
        "a" * 49,
        "a" * 32,
        SESSION.upper(),
        f"0x{SESSION[2:]}",
        f"{SESSION[1:]}\n",
        f"{SESSION}\n",
    ],
)
def test_another_spelling_of_a_session_is_refused_because_it_would_give_the_same_id(session: str) -> None:
    for use in (lambda: keys.event_id(session, "run:a/b/c", 0), lambda: keys.check_session(session)):
        with pytest.raises(InvalidInput, match="is not a session id: 48 hexadecimal digits, lower case"):
            use()


LONGEST = "/".join("x" * NAME_LENGTH_MAX for _ in range(3))
KEYS = [
    keys.collection_key("a/b/c"),
    keys.run_key("a/b/c"),
    keys.project_key("a/b"),
    keys.entity_key("a"),
    keys.collection_key(LONGEST),
]
NO_KEYS = [
    "",
    "k",
    "run",
    "run:",
    "run:a/b",
    "run:a/b/c\n",
    "project:a/b/c",
    "project:a/..",
    "entity:a/b",
    "entity:",
    "Run:a/b/c",
    "run:a/b/ü",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_that_was_made_here_is_one_and_is_stored_as_it_is(key: str) -> None:
    assert keys.check_key(key) == keys.stored_key(key) == key


def test_the_longest_key_has_the_length_of_the_table() -> None:
    assert len(keys.collection_key(LONGEST)) == KEY_LENGTH_MAX


@pytest.mark.parametrize("key", [*NO_KEYS, "x" * 5000, "collection:" + LONGEST + "x", "\ud800", "\x00"])
def test_any_other_key_is_refused_and_stored_as_a_short_stand_in(key: str) -> None:
    with pytest.raises(InvalidName):
        keys.check_key(key)

    assert re.fullmatch("unknown:[0-9a-f]{32}", keys.stored_key(key))
    assert keys.check_key(keys.stored_key(key)) == keys.stored_key(keys.stored_key(key))


def test_different_keys_have_different_stand_ins() -> None:
    assert len(set(map(keys.stored_key, NO_KEYS))) == len(NO_KEYS)
