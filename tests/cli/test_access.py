"""`headwater access` and `headwater token`: who may do what through a server."""

import json
from datetime import UTC, datetime, timedelta

import headwater
import pytest
from headwater_schemas.access import is_token, token_hash, token_id
from headwater_schemas.errors import InvalidInput, NotFound

from tests.cli.commands import ask, refused, run
from tests.cli.commands import headwater as command

pytestmark = pytest.mark.usefixtures("store")


def granted(scope: str) -> dict[str, str]:
    return {one["principal"]: one["role"] for one in ask("access", "list", scope)}


def test_a_token_is_all_that_is_printed_and_the_rest_is_said_to_people() -> None:
    done = run("token", "create", "ana", "acme/vision", "--role", "writer")

    token = done.out.removesuffix("\n")
    assert done.code == 0
    assert is_token(token)
    assert token not in done.err
    assert token_id(token_hash(token)) in done.err
    assert "headwater|ana, writer of acme/vision; it does not expire" in done.err


def test_the_first_token_makes_the_store_and_grants_the_role() -> None:
    made = ask("token", "create", "ana", "acme", "--role", "admin", "--expires", "90d")

    assert granted("acme") == {"headwater|ana": "admin"}
    (listed,) = ask("token", "list", "acme")
    assert listed["id"] == made["id"] == token_id(token_hash(made["token"]))
    assert made["expires"] == listed["expires"]
    left = datetime.fromisoformat(made["expires"]) - datetime.now(UTC)
    assert timedelta(days=89) < left <= timedelta(days=90)
    assert "90d" not in str(listed)


def test_a_token_is_listed_nowhere() -> None:
    made = ask("token", "create", "ana", "acme", "--role", "reader")

    lists = (
        command("token", "list", "acme") + json.dumps(ask("token", "list", "acme")) + command("access", "list", "acme")
    )

    assert made["token"] not in lists
    assert token_hash(made["token"]) not in lists
    assert "never" in lists


def test_tokens_of_one_name_are_revoked_one_by_one() -> None:
    first = ask("token", "create", "ana", "acme", "--role", "reader")
    second = ask("token", "create", "ana", "acme")
    assert second["role"] == "reader"

    assert f"token {first['id']} of headwater|ana is revoked" in command("token", "revoke", first["id"])

    assert [one["id"] for one in ask("token", "list", "acme")] == [second["id"]]
    assert "there is no token" in refused("token", "revoke", first["id"], code=3)
    assert granted("acme") == {"headwater|ana": "reader"}


def test_a_token_does_not_change_what_its_name_may_do() -> None:
    command("access", "grant", "ana", "maintainer", "acme")

    said = refused("token", "create", "ana", "acme", "--role", "reader", code=1)

    assert "headwater|ana is maintainer of acme, and a token gives that" in said
    assert ask("token", "list", "acme") == []
    assert ask("token", "create", "ana", "acme", "--role", "maintainer")["role"] == "maintainer"
    assert ask("token", "create", "ana", "acme/vision")["role"] is None, "its entity gives it one there"


def test_a_token_that_would_give_nothing_is_not_made() -> None:
    command("access", "grant", "ana", "reader", "acme/vision")

    assert "has no role in acme/text" in refused("token", "create", "ana", "acme/text", code=1)
    assert ask("token", "create", "ana", "acme")["role"] is None


def test_a_role_is_replaced_and_taken_away() -> None:
    command("access", "grant", "github|repo:acme/vision", "writer", "acme/vision")
    assert "headwater|ana is reader of acme" in command("access", "grant", "ana", "reader", "acme")
    changed = ask("access", "grant", "ana", "admin", "acme/vision")
    assert (changed["role"], "@" in changed["granted_by"]) == ("admin", True)

    listed = {(one["principal"], one["scope"], one["role"]) for one in ask("access", "list", "acme/vision")}
    assert listed == {
        ("headwater|ana", "acme", "reader"),
        ("headwater|ana", "acme/vision", "admin"),
        ("github|repo:acme/vision", "acme/vision", "writer"),
    }
    assert "but what its entity gives" in command("access", "revoke", "ana", "acme/vision")
    assert "has no role that was granted in acme/vision" in refused("access", "revoke", "ana", "acme/vision", code=3)
    assert granted("acme") == {"headwater|ana": "reader", "github|repo:acme/vision": "writer"}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("access", "grant", "ana", "owner", "acme"), 2, "'owner'"),
        (("access", "grant", "ana", "reader", "a/b/c"), 1, "'b/c'"),
        (("access", "grant", "a b|c", "reader", "acme"), 1, "issuer name 'a b'"),
        (("access", "list", "a b"), 1, "'a b'"),
        (("access", "revoke", "ana", "acme"), 3, "has no role"),
        (("token", "create", "ana", "acme"), 1, "a token would give nothing"),
        (("token", "create", "", "acme", "--role", "reader"), 1, "headwater|"),
        (("token", "create", "ana", "acme", "--role", "reader", "--expires", "soon"), 2, "'soon'"),
        (("token", "create", "ana", "acme", "--role", "reader", "--expires", "999999999999w"), 1, "year 9999"),
        (("token", "revoke", "hw_abc"), 1, "the id of a token"),
        (("token", "revoke", "0" * 16), 3, "there is no token"),
    ],
)
def test_what_cannot_be_is_said_and_changes_nothing(arguments: tuple[str, ...], code: int, says: str) -> None:
    assert says in refused(*arguments, code=code)
    assert ask("access", "list", "acme") == []
    assert ask("token", "list", "acme") == []


def test_nobody_is_said_where_nobody_has_a_role() -> None:
    assert run("access", "list", "acme").err == "nobody has a role in acme.\n"
    assert run("token", "list", "acme").err == "no tokens were made in acme.\n"


def test_aliases_are_protected_one_by_one() -> None:
    command("project", "--protect", "prod", "--protect", "stable")
    assert ask("project", "--unprotect", "stable", "--protect", "prod")["settings"]["protected_aliases"] == ["prod"]

    assert "protected aliases  prod" in command("project")
    assert "latest" in refused("project", "--protect", "latest", code=1)


def test_the_api_gives_the_same() -> None:
    api = headwater.Api()
    token = api.create_token("ana", "acme", role="writer", expires=timedelta(days=1))
    api.grant("ben", "reader", "acme/vision")

    assert is_token(token.text)
    assert token.text not in repr(token)
    assert [(one.principal, one.role) for one in api.grants("acme")] == [
        ("headwater|ana", "writer"),
        ("headwater|ben", "reader"),
    ]
    assert [one.id for one in api.tokens("acme")] == [token.id]
    api.revoke("ben", "acme/vision")
    assert api.revoke_token(token.id).principal == "headwater|ana"
    assert (api.tokens("acme"), [one.principal for one in api.grants("acme")]) == ([], ["headwater|ana"])
    with pytest.raises(NotFound):
        api.revoke("ben", "acme/vision")
    with pytest.raises(InvalidInput, match="cannot expire"):
        api.create_token("ana", "acme", expires=timedelta(0))
