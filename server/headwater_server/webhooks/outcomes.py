"""What a receiver's answer means, and when it is tried again."""

import random
from enum import Enum
from http import HTTPStatus

from headwater_server.outgoing.requests import ReceiverAnswer

RETRY_S_MIN, RETRY_S_MAX, RETRY_GROWTH = 1.0, 3600.0, 2.0  # the first pauses, each a random part shorter or longer
JITTER = 0.3
GIVEN_UP_S = 3 * 24 * 60 * 60.0  # so long it is tried
_DOUBLINGS_MAX = 32  # then the longest pause is reached, whatever the numbers above

_NOT_NOW = frozenset((HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS))


class Outcome(Enum):
    """What became of one attempt, as the delivery log has it."""

    TAKEN = "taken"
    REFUSED = "refused"  # this event: others may be taken
    AWAY = "away"  # no receiver there, or not now
    GONE = "gone"  # and it will not be there again
    UNSENT = "unsent"  # who made the webhook has no rights any more


def outcome_of(answer: ReceiverAnswer) -> Outcome:
    """By the status alone. A redirect is no receiver: it is not followed."""
    if 200 <= answer.status < 300:
        return Outcome.TAKEN
    if answer.status == HTTPStatus.GONE:
        return Outcome.GONE
    return Outcome.REFUSED if 400 <= answer.status < 500 and answer.status not in _NOT_NOW else Outcome.AWAY


def pause_s(failures: int, retry_after: str | None = None) -> float:
    """Until the next attempt after so many failures in a row; at least what the receiver asks for, within bounds."""
    grown = RETRY_S_MIN * RETRY_GROWTH ** min(failures - 1, _DOUBLINGS_MAX)
    jittered = min(grown, RETRY_S_MAX) * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
    asked = float(retry_after) if retry_after is not None and retry_after.isdecimal() and len(retry_after) < 10 else 0.0
    return max(jittered, min(asked, RETRY_S_MAX))
