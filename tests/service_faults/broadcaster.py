"""Somebody's maintenance: send an event for every partition, behind so many others that two appends are needed.

KIND HAVING: what is sent, and how many partitions have it after the first append.
"""

import sys
import uuid

from headwater._commit.client import client_for
from headwater_producer.producer import RECORDS_PER_APPEND
from headwater_schemas.events import BlobsCondemned, BroadcastEvent, RulesChanged, RunStarted, SessionsRetired
from headwater_schemas.keys import session_start_ms
from headwater_stores.config.settings import read_settings

from tests.service_faults.deployment import NAMESPACE
from tests.support.history import pack_of

DAY_MS = 86_400_000


def event_of(kind: str, session: str) -> BroadcastEvent:
    broadcast = uuid.uuid4().hex
    if kind == BlobsCondemned.name:
        return BlobsCondemned(broadcast=broadcast, project=NAMESPACE, objects=(pack_of(NAMESPACE),))
    if kind == RulesChanged.name:
        return RulesChanged(broadcast=broadcast, project=NAMESPACE, rule="r", value="{}")
    return SessionsRetired(broadcast=broadcast, before_ms=session_start_ms(session) - DAY_MS)


def main() -> None:
    kind, having = sys.argv[1], int(sys.argv[2])
    producer = client_for(read_settings(), create=True).session.producer
    before = [RunStarted(run=f"{NAMESPACE}/{kind}-{number}") for number in range(RECORDS_PER_APPEND - having)]
    producer.send([*before, event_of(kind, producer.session)])
    producer.confirm()


if __name__ == "__main__":
    main()
