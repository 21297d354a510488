"""When tokens were last used, to about half a minute: no fact about artifacts, so it is on no log."""

from collections.abc import Collection, Mapping

from headwater_runtime.days import US_PER_DAY

from headwater_consumer.operational.database import OperationalDatabase

KEPT_DAYS = 400  # after its last use; then a token counts as never used
ASKED_MAX = 500  # in one statement


def note_uses(database: OperationalDatabase, token_ids: Collection[str]) -> None:
    """These tokens were used just now. What was used long ago is forgotten. Raises: StoreError."""
    with database.transaction() as statements:
        for token_id in sorted(token_ids):  # in one order, so that two servers do not wait for each other
            statements.run(_NOTE, token_id)
        statements.run(_FORGET, KEPT_DAYS * US_PER_DAY)


def last_uses(database: OperationalDatabase, token_ids: Collection[str]) -> Mapping[str, int]:
    """When those of these tokens that were ever used were used last: microseconds since 1970. Raises: StoreError."""
    wanted, found = list(token_ids), dict[str, int]()
    with database.statement() as statements:
        for start in range(0, len(wanted), ASKED_MAX):
            some = wanted[start : start + ASKED_MAX]
            found |= dict(statements.rows(_READ.format(", ".join("?" * len(some))), *some))
    return found


# --- statements -------------------------------------------------------------------------------------------------

_NOTE = """
    INSERT INTO token_uses (token, used_us) VALUES (?, NOW_US)
    ON CONFLICT (token) DO UPDATE SET used_us = excluded.used_us
"""
_FORGET = "DELETE FROM token_uses WHERE used_us < NOW_US - ?"
_READ = "SELECT token, used_us FROM token_uses WHERE token IN ({})"
