"""How far version events were written to a topic of Kafka, by whichever process held the relay's lease.

A topic that was deleted and created again is another topic: it gets all events, from the first one on.
"""

from headwater_consumer.operational.database import OperationalDatabase
from headwater_consumer.operational.leases import HELD, Lease, LeaseLost
from headwater_consumer.operational.named_cursors import CURSOR_LENGTH_MAX

LEASE = "relay"  # that whoever relays holds


def relay_position(database: OperationalDatabase, topic_id: str) -> str | None:
    """The cursor after the last event that Kafka confirmed; None for a topic without events. Raises: StoreError."""
    with database.statement() as statements:
        found = statements.first(_READ, topic_id)
    return None if found is None else str(found[0])


def relayed_topics(database: OperationalDatabase) -> dict[str, str]:
    """Each topic that was written to, by name, and the cursor after its last event. Raises: StoreError.

    Of topics of one name, the one that was written to last.
    """
    with database.statement() as statements:
        return {str(topic): str(cursor) for topic, cursor in statements.rows(_TOPICS)}


def move_relay(database: OperationalDatabase, lease: Lease, topic_id: str, topic: str, cursor: str) -> None:
    """Remember that all events up to `cursor` are in the topic. Raises: LeaseLost when the turn is over; StoreError."""
    assert len(cursor) <= CURSOR_LENGTH_MAX, len(cursor)
    with database.statement() as statements:
        moved = statements.run(_MOVE, topic_id, topic, cursor, *lease.held)
    if not moved:
        raise LeaseLost(lease)


# --- statements -------------------------------------------------------------------------------------------------

_TOPICS = "SELECT topic, cursor FROM relay_positions ORDER BY updated_us"
_READ = "SELECT cursor FROM relay_positions WHERE topic_id = ?"
_MOVE = f"""
    INSERT INTO relay_positions (topic_id, topic, cursor, updated_us) SELECT ?, ?, ?, NOW_US WHERE {HELD}
    ON CONFLICT (topic_id) DO UPDATE SET cursor = excluded.cursor, updated_us = excluded.updated_us
"""
