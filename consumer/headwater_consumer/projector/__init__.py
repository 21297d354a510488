"""Turn events into changes to the read model.

Everything here is pure: the same events in the same order give the same changes, on any machine, at any time. No
database is known here, and nothing is imported but the schemas: reading rows, writing rows and remembering positions
belong to `writing`.
"""

from headwater_consumer.projector.event_context import EventContext
from headwater_consumer.projector.records import (
    DecodedRecord,
    apply_record,
    entries_of_bases,
    first_keys,
    second_keys,
    third_keys,
)

__all__ = [
    "DecodedRecord",
    "EventContext",
    "apply_record",
    "entries_of_bases",
    "first_keys",
    "second_keys",
    "third_keys",
]
