"""Roles, scopes, principals, and the texts of tokens."""

import re

import pytest
from headwater_schemas import access
from headwater_schemas.errors import InvalidInput
from hypothesis import given
from hypothesis import strategies as st

SECRETS = st.binary(min_size=access.TOKEN_BYTES, max_size=access.TOKEN_BYTES)


def test_each_role_includes_those_before_it_and_none_after_it() -> None:
    included = {role: [other for other in access.ROLES if access.includes(role, other)] for role in access.ROLES}

    assert included == {
        "reader": ["reader"],
        "writer": ["reader", "writer"],
        "maintainer": ["reader", "writer", "maintainer"],
        "admin": ["reader", "writer", "maintainer", "admin"],
    }
    assert not any(access.includes(None, role) for role in access.ROLES)


def test_the_higher_of_two_roles_is_the_one_that_includes_the_other() -> None:
    assert access.higher("reader", "admin") == access.higher("admin", "reader") == "admin"
    assert access.higher(None, "writer") == access.higher("writer", None) == "writer"
    assert access.higher(None, None) is None


def test_an_entity_covers_its_projects_and_a_project_itself_alone() -> None:
    assert access.covers("acme", "acme/vision")
    assert access.covers("acme/vision", "acme/vision")
    assert not access.covers("acme", "acme2/vision")
    assert not access.covers("acme/vision", "acme/vision2")
    assert (access.entity_of("acme"), access.entity_of("acme/vision")) == ("acme", "acme")


@pytest.mark.parametrize("principal", ["headwater|ana", "github|repo:acme/vision:ref:refs/heads/main", "idp|auth0|7"])
def test_a_principal_comes_back_as_it_is(principal: str) -> None:
    issuer, _, subject = principal.partition("|")

    assert access.check_principal(principal) == access.principal_of(issuer, subject) == principal
    assert access.issuer_of(principal) == issuer


@pytest.mark.parametrize(
    ("principal", "named"),
    [
        ("ana", "'ana' is not of the form issuer|subject"),
        ("headwater|", "is not of the form issuer|subject"),
        ("|ana", "issuer name is empty"),
        ("a b|ana", "issuer name 'a b' contains ' '"),
        ("headwater|a\nb", "control character"),
        ("headwater|" + "x" * 300, "at most 256"),
        (None, "principal must be text"),
    ],
)
def test_what_is_no_principal_is_named(principal: object, named: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(named)):
        access.check_principal(principal)


def test_an_issuer_cannot_mint_a_principal_of_another() -> None:
    with pytest.raises(InvalidInput, match=r"issuer name 'idp\|headwater' contains '\|'"):
        access.principal_of("idp|headwater", "ana")

    assert access.issuer_of(access.principal_of("idp", "headwater|ana")) == "idp"


@pytest.mark.parametrize("scope", ["", "a b", "a/b/c", "a/", "/b", "..", None])
def test_a_scope_is_an_entity_or_a_project(scope: object) -> None:
    with pytest.raises(InvalidInput):
        access.check_scope(scope)

    assert access.check_scope("acme") == "acme"
    assert access.check_scope("acme/vision") == "acme/vision"


def test_the_text_of_a_token_is_final() -> None:
    token = access.token_text(bytes(range(32)))

    assert token == "hw_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1Yo7hP"
    assert access.token_hash(token) == "6cde6a85031ce7bfa2e8d89191de4afa51fa34717fd24c4dbd711b797b8db5ef"


@given(one=SECRETS, other=SECRETS)
def test_tokens_are_one_exactly_where_their_secrets_are(one: bytes, other: bytes) -> None:
    assert access.is_token(access.token_text(one))
    assert (access.token_text(one) == access.token_text(other)) == (one == other)


def test_a_new_token_is_never_the_same() -> None:
    assert len({access.new_token() for _ in range(100)}) == 100


@given(secret=SECRETS, data=st.data())
def test_a_token_with_one_wrong_character_or_a_missing_one_is_recognised(secret: bytes, data: st.DataObject) -> None:
    token = access.token_text(secret)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("09AZaz_").filter(lambda character: character != token[at]))

    assert not access.is_token(token[:at] + other + token[at + 1 :])
    assert not access.is_token(token[:at] + token[at + 1 :])
    assert not access.is_token(f"{token}0")
    assert not access.is_token(f"{token}\n")


def test_the_id_of_a_token_is_the_beginning_of_its_hash() -> None:
    hash_ = access.token_hash(access.new_token())

    assert access.check_token_hash(hash_) == hash_
    assert access.check_token_id(access.token_id(hash_)) == hash_[:16]


def test_who_gives_a_token_where_its_id_is_wanted_does_not_find_it_in_the_message() -> None:
    token = access.new_token()

    with pytest.raises(InvalidInput, match="the id of a token has 16 hexadecimal digits") as raised:
        access.check_token_id(token)

    assert token[3:] not in str(raised.value)
