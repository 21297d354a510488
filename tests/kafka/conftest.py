"""A topic of its own for each test, and the log in it."""

from collections.abc import Iterator

import pytest
from headwater_eventlog.kafka import KafkaEventLog, KafkaSettings

from tests.kafka import topics
from tests.kafka.topics import opened


@pytest.fixture
def where() -> KafkaSettings:
    return topics.settings()


@pytest.fixture
def log(where: KafkaSettings) -> Iterator[KafkaEventLog]:
    with opened(where) as log:
        yield log
