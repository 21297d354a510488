"""What each alias of a collection was on, since when, who moved it there and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries.alias_history import AliasMove, alias_moves, alias_names
from headwater_schemas.names import LATEST, check_alias

from headwater_server.resources.paging import cursor_key, cursor_text, page_of

LANES_MAX = 12  # aliases in the picture
MOVES_PER_LANE = 60  # the last ones
TABLE_PAGE = 20
_LIST = "alias-moves"


@dataclass(frozen=True, slots=True)
class Move:
    """An alias came to a version, or was removed."""

    alias: str
    version: int | None  # None: removed
    before: int | None  # the version that it was on
    time_us: int
    author: str
    message: str | None


@dataclass(frozen=True, slots=True)
class Lane:
    """The last moves of one alias."""

    alias: str
    moves: Sequence[Move]  # the first of them first
    is_cut: bool  # there are earlier ones


@dataclass(frozen=True, slots=True)
class Timeline:
    """The aliases of a collection over time."""

    lanes: Sequence[Lane]
    lanes_more: bool  # there are aliases beyond these
    alias: str | None  # whose moves are listed; None: there never was an alias
    moves: Sequence[Move]  # of that alias, the last first
    next: str | None  # the cursor of the moves before these
    is_chosen: bool  # the address says whose moves, or which


def timeline(
    database: Database, collection: str, *, alias: str | None, cursor: str | None, main: str | None
) -> Timeline:
    """The timeline of a collection, with a table of the moves of one alias: of `main` where none is given.

    Cost: some two look-ups a move that is shown.
    """
    names = alias_names(database, collection, limit=LANES_MAX + 1)
    order = sorted(names[:LANES_MAX], key=lambda name: (name == LATEST, name))  # that one moves with every version
    lanes = [_lane(name, alias_moves(database, collection, name, limit=MOVES_PER_LANE + 1)) for name in order]
    chosen = check_alias(alias) if alias else main or next(iter(order), None)
    if chosen is None:
        return Timeline(lanes, False, None, (), None, is_chosen=False)
    before = None if cursor is None else cursor_key(_LIST, cursor, str, int)[1]
    found = alias_moves(database, collection, chosen, before=before, limit=TABLE_PAGE + 1)
    shown, last = page_of(found, TABLE_PAGE)
    following = None if last is None else cursor_text(_LIST, chosen, last.position)
    is_chosen = alias is not None or cursor is not None
    return Timeline(lanes, len(names) > LANES_MAX, chosen, [_move(one) for one in shown], following, is_chosen)


def chosen_alias(database: Database, collection: str, project: str) -> str | None:
    """The alias that says most about a collection: a protected one, else the first but "latest", else that one."""
    held = [name for name, _ in queries.aliases_of(database, collection)]
    protected = queries.protected_aliases(database, project)
    best = sorted(held, key=lambda name: (name == LATEST, name not in protected, name not in _KNOWN, name))
    return next(iter(best), None)


_KNOWN = frozenset(("prod", "production", "live", "best"))  # what people call the one that counts


def _lane(alias: str, moves: Sequence[AliasMove]) -> Lane:
    shown = [_move(one) for one in moves[:MOVES_PER_LANE]]
    return Lane(alias, shown[::-1], len(moves) > MOVES_PER_LANE)


def _move(move: AliasMove) -> Move:
    return Move(move.alias, move.version, move.before, move.time_us, move.author, move.message)
