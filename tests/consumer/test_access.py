"""Who may do what, by what was granted and revoked: the present, the past, and lists for people."""

import pytest
from headwater_consumer import queries
from headwater_consumer.queries import Grant
from headwater_consumer.queries import access as access_queries
from headwater_schemas.access import new_token, token_hash, token_id
from headwater_schemas.errors import InvalidName, Reason
from headwater_schemas.events import AccessGranted, AccessRevoked, Event, TokenCreated, TokenRevoked

from tests.consumer.inspection import rejections_of, rows_of
from tests.support.history import History

ANA, BERT = "headwater|ana", "headwater|bert"
HASH = token_hash(new_token())
GRANT_PERIODS = "SELECT role, author, from_position, to_position FROM grants ORDER BY from_position"


def grant(scope: str, role: str, principal: str = ANA) -> AccessGranted:
    return AccessGranted(scope=scope, principal=principal, role=role)


def token(scope: str, hash_: str = HASH, *, principal: str = ANA, expires_ms: int | None = None) -> TokenCreated:
    return TokenCreated(scope=scope, token=hash_, principal=principal, expires_ms=expires_ms)


def given_by(history: History, hash_: str = HASH) -> tuple[Grant, ...]:
    found = queries.token_access(history.database, hash_)
    assert found is not None
    return found.grants


# --- grants -------------------------------------------------------------------------------------------------------


def test_a_principal_has_the_role_that_was_granted_last_and_who_gave_it_is_known(history: History) -> None:
    first = history.write(grant("acme/vision", "reader"), by="olga")
    second = history.write(grant("acme/vision", "maintainer"), by="otto")

    assert queries.roles_of(history.database, ANA) == (Grant("acme/vision", "maintainer"),)
    (listed,) = queries.grants(history.database, "acme/vision")
    assert (listed.principal, listed.role, listed.author) == (ANA, "maintainer", "otto")
    periods = rows_of(history.database, GRANT_PERIODS)
    assert periods == [("reader", "olga", first, second), ("maintainer", "otto", second, None)]


def test_granting_a_role_again_keeps_who_gave_it_first(history: History) -> None:
    position = history.write(grant("acme", "reader"), by="olga")
    history.write(grant("acme", "reader"), by="otto")

    assert rows_of(history.database, GRANT_PERIODS) == [("reader", "olga", position, None)]


def test_a_revoked_role_is_gone_and_was_there(history: History) -> None:
    granted = history.write(grant("acme/vision", "writer"), grant("acme", "reader"), by="olga")
    ended = history.write(AccessRevoked(scope="acme/vision", principal=ANA))
    history.write(AccessRevoked(scope="acme/vision", principal=ANA), AccessRevoked(scope="nowhere", principal=BERT))

    assert queries.roles_of(history.database, ANA) == (Grant("acme", "reader"),)
    assert [one.scope for one in queries.grants(history.database, "acme/vision")] == ["acme"], "its entity gives it"
    past = rows_of(history.database, "SELECT to_position FROM grants WHERE scope = 'acme/vision'")
    assert past == [(ended,)]
    assert granted < ended
    assert rejections_of(history.database) == []


@pytest.mark.parametrize(
    ("event", "named"),
    [
        (grant("acme", "owner"), "'owner' is not a role"),
        (grant("acme", "Admin"), "'Admin' is not a role"),
        (grant("acme", "reader", "ana"), "'ana' is not of the form issuer|subject"),
        (AccessRevoked(scope="acme", principal=""), "principal is empty"),
        (token("acme", "no hash"), "the hash of a token has 64 hexadecimal digits"),
        (token("acme", principal="idp|ana"), "a token cannot be for 'idp|ana', whom another issuer knows"),
        (token("acme", expires_ms=0), "a token cannot expire 0 ms after 1970"),
        (token("acme", expires_ms=2**62), "a token cannot expire"),
        (TokenRevoked(scope="acme", token="f" * 63), "the hash of a token has 64 hexadecimal digits"),
    ],
)
def test_what_nobody_can_have_is_refused_by_name(history: History, event: Event, named: str) -> None:
    history.write(event)

    assert rejections_of(history.database) == [Reason.INVALID]
    ((message,),) = rows_of(history.database, "SELECT message FROM rejections")
    assert named in message
    assert queries.grants(history.database, "acme") == []
    assert queries.tokens(history.database, "acme") == []


def test_lists_come_in_pages_of_a_scope_and_what_is_in_it(history: History) -> None:
    scopes = ("acme", "acme-2", "acme/a", "acme/b", "acme2/a")
    history.write(*[grant(scope, "reader", who) for scope in scopes for who in (ANA, BERT)])

    found, last = [], None
    while page := queries.grants(history.database, "acme", after=last, limit=1):
        last = page[-1].scope, page[-1].principal
        found.append(last)

    assert found == [(scope, who) for scope in ("acme", "acme/a", "acme/b") for who in (ANA, BERT)]
    of_project = [(one.scope, one.principal) for one in queries.grants(history.database, "acme/b")]
    assert of_project == [("acme", ANA), ("acme", BERT), ("acme/b", ANA), ("acme/b", BERT)]


# --- tokens -------------------------------------------------------------------------------------------------------


def test_a_token_gives_its_principals_roles_within_its_scope_and_no_others(history: History) -> None:
    project_token, entity_token = token_hash(new_token()), token_hash(new_token())
    history.write(grant("acme", "reader"), grant("acme/vision", "writer"), grant("acme/text", "admin"))
    history.write(grant("other", "admin"), grant("acme/vision", "admin", BERT))
    history.write(token("acme/vision", project_token), token("acme", entity_token))

    assert given_by(history, project_token) == (Grant("acme", "reader"), Grant("acme/vision", "writer"))
    assert given_by(history, entity_token) == (
        Grant("acme", "reader"),
        Grant("acme/text", "admin"),
        Grant("acme/vision", "writer"),
    )


def test_a_token_gives_what_is_granted_and_loses_what_is_revoked_later(history: History) -> None:
    history.write(token("acme"))
    assert given_by(history) == ()

    history.write(grant("acme/new", "writer"))
    assert given_by(history) == (Grant("acme/new", "writer"),)

    history.write(AccessRevoked(scope="acme/new", principal=ANA))
    assert given_by(history) == ()


def test_a_revoked_token_gives_nothing(history: History) -> None:
    history.write(grant("acme", "reader"), token("acme"), by="olga")
    history.write(TokenRevoked(scope="other", token=HASH))
    assert given_by(history) == (Grant("acme", "reader"),), "another scope has no say"

    history.write(TokenRevoked(scope="acme", token=HASH), by="otto")

    assert queries.token_access(history.database, HASH) is None
    assert queries.tokens(history.database, "acme") == []
    assert queries.token_with_id(history.database, token_id(HASH)) is None
    assert rows_of(history.database, "SELECT author FROM tokens WHERE to_position IS NOT NULL") == [("olga",)]


def test_the_hash_of_a_token_is_all_that_is_kept_and_finds_it(history: History) -> None:
    secret = new_token()
    history.write(token("acme", token_hash(secret), expires_ms=5), by="olga")

    (listed,) = queries.tokens(history.database, "acme")

    assert queries.token_with_id(history.database, listed.id) == listed
    assert (listed.principal, listed.author, listed.expires_ms) == (ANA, "olga", 5)
    assert queries.token_access(history.database, token_hash(secret[:-1])) is None
    assert secret not in str(rows_of(history.database, "SELECT * FROM tokens"))


def test_a_token_that_is_created_again_is_the_same(history: History) -> None:
    history.write(token("acme", expires_ms=5), by="olga")
    history.write(token("acme", principal=BERT), by="otto")

    assert [(one.principal, one.expires_ms) for one in queries.tokens(history.database, "acme")] == [(ANA, 5)]


def test_a_hash_that_two_scopes_have_is_the_token_of_the_first_alone(history: History) -> None:
    history.write(grant("a", "reader"), grant("b", "admin", BERT), token("b", principal=BERT), token("a"))

    found = queries.token_access(history.database, HASH)

    assert found is not None
    assert (found.scope, found.principal, found.grants) == ("a", ANA, (Grant("a", "reader"),))


def test_only_the_id_of_a_token_names_it(history: History) -> None:
    with pytest.raises(InvalidName, match="the id of a token has 16 hexadecimal digits"):
        queries.token_with_id(history.database, HASH)


def test_who_has_a_role_somewhere_within_a_scope_is_known(history: History) -> None:
    history.write(grant("acme/vision", "writer"))

    within = [access_queries.has_role_within(history.database, scope, ANA) for scope in ("acme", "acme/vision")]

    assert within == [True, True]
    assert not access_queries.has_role_within(history.database, "acme/text", ANA)
    assert access_queries.role_granted(history.database, "acme/vision", ANA) == "writer"
    assert access_queries.role_granted(history.database, "acme", ANA) is None


def test_where_a_token_was_made_and_where_its_principal_had_any_stays_known(history: History) -> None:
    history.write(token("acme", HASH), token("acme/vision", "b" * 64), token("other", "c" * 64, principal=BERT))
    history.write(TokenRevoked(scope="acme", token=HASH), TokenRevoked(scope="acme/vision", token="b" * 64))

    assert queries.scopes_of_token(history.database, HASH) == ["acme"]
    assert queries.scopes_of_token(history.database, "d" * 64) == []
    assert queries.scopes_with_tokens_of(history.database, ANA) == ["acme", "acme/vision"]
    assert queries.scopes_with_tokens_of(history.database, "headwater|an") == []
