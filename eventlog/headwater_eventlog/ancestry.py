"""The ancestors of a log: the generations of the logs whose records were restored into it, oldest first.

They give the positions of restored records a meaning: a record of the first ancestor has epoch 0, one of the next
epoch 1, and what is appended to the log itself has the epoch after them all. So a log must never get or lose one later.
An embedded log lists them in its file. A topic of Kafka has no place for them but its records, so the first record of
each partition does, before anything else is written: it is copied by every tool that copies records, it can neither
expire nor be altered apart from them, and it is read once, when a log that no database knows yet is opened. It is no
event: projectors step over it.
"""

import re
from collections.abc import Sequence

from headwater_schemas import headers
from headwater_schemas.errors import InvalidInput
from headwater_schemas.limits import EPOCHS_MAX

from headwater_eventlog.port import NewRecord, Record

KEY = "log:ancestors"
_GENERATION = re.compile(r"[0-9A-Za-z_-]{1,64}")


def check_ancestors(ancestors: Sequence[str]) -> None:
    """Raises: InvalidInput for more than a position can count, and for names that could be mistaken."""
    if len(ancestors) >= EPOCHS_MAX:
        raise InvalidInput(
            f"a log can have {EPOCHS_MAX - 1} ancestors, and this one would have {len(ancestors)}. Put a copy of the "
            "newest log back instead of restoring its records once more."
        )
    wrong = [generation for generation in ancestors if not _GENERATION.fullmatch(generation)]
    if wrong or len(set(ancestors)) != len(ancestors):
        raise InvalidInput(
            f"the ancestors of a log are different generations of letters and digits, not {', '.join(ancestors)!r}. "
            "Name each log that was restored once, the oldest first."
        )


def ancestry_record(ancestors: Sequence[str], partition: int) -> NewRecord:
    """The first record of a partition of a restored topic."""
    return NewRecord(KEY, b"", ((headers.ANCESTORS, ",".join(ancestors).encode()),), partition)


def ancestors_in(record: Record) -> tuple[str, ...] | None:
    """The ancestors that a record lists; None for every other record."""
    if record.key != KEY or (listed := dict(record.headers).get(headers.ANCESTORS)) is None:
        return None
    return tuple(listed.decode("ascii", "replace").split(","))
