"""Old sessions: what the projection keeps about writers that ended long ago.

A session lasts a day: then the SDK begins another one, unless events of it are still unconfirmed. One that is alive
after a month belongs to a process that could not reach the log for so long; retired, it is told to log again.
"""

import uuid
from dataclasses import dataclass

from headwater_producer.producer import Producer
from headwater_schemas.events import SessionsRetired
from headwater_schemas.keys import session_start_ms

from headwater_consumer.database import Database
from headwater_consumer.queries.sessions import any_session_before, oldest_needed_session, retired_before_ms

_MS_PER_DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Retirement:
    """Sessions that started before this end, in milliseconds since 1970, UTC."""

    before_ms: int
    held_by: str | None  # but for which more would


def retire_sessions(
    database: Database, producer: Producer, partitions: int, *, now_ms: int, days: int
) -> Retirement | None:
    """Send an event that retires the sessions that started more than `days` ago; None where that would end nothing new.

    Not those that are younger than a session whose work is not done: the writer of an open draft may go on (what is
    idle is discarded before), and what waits behind a dead letter still counts. At most once for each day of sessions,
    since each time adds rows itself. The caller confirms. Raises: as `Producer.send`.
    """
    before_ms, held_by = min(now_ms - days * _MS_PER_DAY, session_start_ms(producer.session)), None
    if (needed := oldest_needed_session(database)) is not None and session_start_ms(needed[0]) < before_ms:
        before_ms, held_by = session_start_ms(needed[0]), needed[1]
    is_new = before_ms >= retired_before_ms(database, partitions) + _MS_PER_DAY
    if not is_new or not any_session_before(database, before_ms, partitions):
        return None
    producer.send([SessionsRetired(broadcast=uuid.uuid4().hex, before_ms=before_ms)], message=f"older than {days} days")
    return Retirement(before_ms, held_by)
