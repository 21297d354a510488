"""The event log as one Kafka topic, for many machines.

`log` implements the port, `settings` says where the topic is, `group` shares its partitions among projectors,
`diagnostics` checks it for an operator, and `event_topic` writes version events to another topic. Only `driver` imports
the client library, which is loaded on first use, not with this package.

Invariants: the caller (the database) remembers offsets, Kafka never does; the client decodes nothing; a topic that was
deleted and created again, or has another number of partitions, is another log and is refused.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from headwater_eventlog.kafka.settings import KafkaSettings

if TYPE_CHECKING:
    from headwater_eventlog.kafka.diagnostics import describe
    from headwater_eventlog.kafka.event_topic import EventTopic
    from headwater_eventlog.kafka.group import KafkaGroup
    from headwater_eventlog.kafka.log import KafkaEventLog

__all__ = ("EventTopic", "KafkaEventLog", "KafkaGroup", "KafkaSettings", "describe")

_MODULES = {
    "EventTopic": "event_topic",
    "KafkaEventLog": "log",
    "KafkaGroup": "group",
    "describe": "diagnostics",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
