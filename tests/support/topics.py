"""Topics for tests on the run's broker: each is new, and they are made and removed many at a time.

One by one, making a topic costs the broker more than what most tests then do with it.
"""

import secrets
import uuid
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass

from headwater_eventlog.kafka.settings import KafkaSettings
from headwater_eventlog.kafka.topic import MESSAGE_BYTES_MAX, RECORD_CONFIG, RETENTION_CONFIG
from kafka.admin import KafkaAdminClient

from tests.support.servers import servers

BATCH = 16  # topics that are made, or removed, at once
READY_WAIT_MS = 30_000


@dataclass(frozen=True)
class FreshTopic:
    """An empty topic, made as headwater makes its own."""

    name: str
    generation: str
    partitions: int

    def settings(self) -> KafkaSettings:
        return KafkaSettings(servers().kafka, self.name, partitions=self.partitions)


_unused: defaultdict[int, list[FreshTopic]] = defaultdict(list)  # by number of partitions
_used: list[FreshTopic] = []


def take(partitions: int) -> FreshTopic:
    """A topic that nobody has used."""
    if not _unused[partitions]:
        _unused[partitions] += _make(partitions)
    return _unused[partitions].pop()


def give_back(topic: FreshTopic) -> None:
    """Nobody uses this topic any more."""
    _used.append(topic)
    if len(_used) >= BATCH:
        with closing(KafkaAdminClient(bootstrap_servers=servers().kafka)) as admin:
            admin.delete_topics([one.name for one in _used], raise_errors=False)
        _used.clear()


def _make(partitions: int) -> list[FreshTopic]:
    names = [f"test-{secrets.token_hex(8)}" for _ in range(BATCH)]
    sizes = {"min.insync.replicas": "1", "max.message.bytes": str(MESSAGE_BYTES_MAX)}
    configs = {**RETENTION_CONFIG, **RECORD_CONFIG, **sizes}
    new = {"num_partitions": partitions, "replication_factor": 1, "configs": configs}
    with closing(KafkaAdminClient(bootstrap_servers=servers().kafka)) as admin:
        made = admin.create_topics(dict.fromkeys(names, new))
        admin.wait_for_topics(names, timeout_ms=READY_WAIT_MS)
    return [FreshTopic(one["name"], uuid.UUID(one["topic_id"]).hex, partitions) for one in made["topics"]]
