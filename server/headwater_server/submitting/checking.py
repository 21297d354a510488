"""Every event that a client sends is held to the rules before it joins a group: one client's mistake is its own.

What is wrong whoever asks is found here; what the caller may do, `access` judges.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from headwater_schemas import codec
from headwater_schemas.access import ANYBODY
from headwater_schemas.errors import EventRejected, HeadwaterError, InvalidInput, Reason
from headwater_schemas.events import EntryAdded, Origin, Stamped, VersionCommitted
from headwater_schemas.field_checks import check_fields
from headwater_schemas.keys import is_session_of, session_start_ms
from headwater_schemas.limits import LABEL_LENGTH_MAX
from headwater_schemas.problems import word_of
from headwater_schemas.submissions import EventsRefused, Refusal

from headwater_server.access.caller import Caller
from headwater_server.access.judging import Judge
from headwater_server.access.rules import rights_of

SESSION_AHEAD_MS_MAX = 24 * 3_600_000  # of the server's clock: a session from the future would never be retired
SEQUENCE_MAX = 2**63 - 1

Given = Stamped | HeadwaterError  # an event that was sent, or why it is none


def decoded(payloads: Iterable[bytes | memoryview]) -> list[Given]:
    """The events in these payloads."""
    found: list[Given] = []
    for payload in payloads:
        try:
            found.append(codec.decode(bytes(payload)))
        except HeadwaterError as error:
            found.append(InvalidInput(str(error)))
    return found


def checked(events: Sequence[Given], caller: Caller) -> list[Stamped]:
    """The events, with what is the server's to say of them. Raises: EventsRefused with each that is refused."""
    found, refusals = list[Stamped](), list[Refusal]()
    following: dict[tuple[str, str], int] = {}
    for index, given in enumerate(events):
        try:
            if isinstance(given, HeadwaterError):
                raise given
            found.append(_checked(given, caller, following))
        except HeadwaterError as error:
            refusals.append(Refusal(index, word_of(error), str(error)))
    if refusals:
        raise EventsRefused(refusals)
    return found


async def judge_all(events: Sequence[Stamped], caller: Caller, judge: Judge) -> None:
    """Raises: EventsRefused with each event that the caller may not write; Problem where that cannot be known now."""
    refused = await judge.refusals([stamped.event for stamped in events], caller)
    if refused:
        raise EventsRefused([Refusal(index, word_of(error), str(error)) for index, error in sorted(refused.items())])


def _checked(stamped: Stamped, caller: Caller, following: dict[tuple[str, str], int]) -> Stamped:
    origin, event = stamped.origin, stamped.event
    check_fields(origin)
    check_fields(event)
    _check_session(origin, event.key, caller, following)
    if isinstance(event, EntryAdded):
        event.files.check()
    elif isinstance(event, VersionCommitted):
        if event.transaction is not None or event.imported is not None:
            raise InvalidInput(
                "a commit has a field that no client of a server may set. Leave `transaction` and `imported` out; "
                "`headwater import` sets them, for operators of this server."
            )
        event = replace(event, rights=rights_of(event, caller))
    return Stamped(replace(origin, author=author_of(origin.author, caller)), event)


def _check_session(origin: Origin, key: str, caller: Caller, following: dict[tuple[str, str], int]) -> None:
    session, sequence = origin.session, origin.sequence
    if not is_session_of(session, caller.principal):
        raise EventRejected(
            f"session {session} is not yours. Begin a new one, as this release's client does.",
            reason=Reason.NOT_PERMITTED,
        )
    if session_start_ms(session) > time.time_ns() // 1_000_000 + SESSION_AHEAD_MS_MAX:
        raise InvalidInput(f"session {session} begins in the future. Set this machine's clock, and begin a new one.")
    expected = following.get((session, key), sequence)
    if sequence != expected or not 0 <= sequence < SEQUENCE_MAX:
        raise InvalidInput(f"event {sequence} of {key} does not follow the one before it. Send them in order.")
    following[session, key] = sequence + 1


def author_of(claimed: str, caller: Caller) -> str:
    """The principal. Where everybody may do everything, nobody says who that is: what is claimed shows as a claim."""
    if caller.principal != ANYBODY or claimed == ANYBODY:
        return caller.principal
    return f"{ANYBODY.partition('|')[0]}|{claimed}"[:LABEL_LENGTH_MAX]
