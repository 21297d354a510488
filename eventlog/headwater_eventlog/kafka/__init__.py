"""The event log as one Kafka topic, for many machines.

`log` is the adapter of the port, `settings` says where it is, `group` shares the partitions among projectors,
`findings` tells an operator what is wrong. Only `driver` names the client library, which is loaded when it is needed,
not with this package.

What holds throughout: offsets are remembered by the caller (the database), never by Kafka; nothing is decoded inside
the client; a topic that was made anew, or has another number of partitions, is another log and is refused.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from headwater_eventlog.kafka.settings import KafkaSettings

if TYPE_CHECKING:
    from headwater_eventlog.kafka.findings import describe
    from headwater_eventlog.kafka.group import KafkaGroup
    from headwater_eventlog.kafka.log import KafkaEventLog

__all__ = ("KafkaEventLog", "KafkaGroup", "KafkaSettings", "describe")

_HOMES = {
    "KafkaEventLog": "log",
    "KafkaGroup": "group",
    "describe": "findings",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
