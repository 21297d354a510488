"""Where versions that were imported come from: what a commit says of it, and how a version keeps it.

A version can have several origins, such as a deleted version of the other store with the same content. It keeps them as
canonical JSON: a list of objects, in the order in which they were imported.
"""

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from headwater_schemas.errors import InvalidInput
from headwater_schemas.events import Imported
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.names import ArtifactReference, check_label, parse_version

ORIGINS_MAX = 100  # of one version; what comes after is not kept
TIME_US_MAX = 253_402_300_799_999_999  # the end of the year 9999, which every calendar can show

_STORE = re.compile(r"[0-9A-Za-z_-]{1,64}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where and when a version was committed first."""

    store: str  # generation of its log
    version: str  # "entity/project/name:v3" there
    author: str  # there
    time_us: int  # microseconds since 1970, UTC

    @property
    def time(self) -> datetime:
        """When it was committed, in UTC."""
        return _EPOCH + timedelta(microseconds=self.time_us)


def check_imported(imported: Imported) -> Provenance:
    """What a commit says, if it can be so. Raises: InvalidInput."""
    if not _STORE.fullmatch(imported.store):
        raise InvalidInput(f"{quoted(imported.store, 100)} is not the id of a log, from which a version was imported.")
    there = ArtifactReference.parse(imported.version)
    if there.entity is None or parse_version(there.selector) is None:
        raise InvalidInput(
            f"{quoted(imported.version, 100)} names no version of another store: write entity/project/name:v3."
        )
    check_label(imported.author, "author")
    time_us = (imported.time - _EPOCH) // timedelta(microseconds=1)
    if not 0 <= time_us <= TIME_US_MAX:
        raise InvalidInput(f"{imported.time} is no time at which a version was committed.")
    return Provenance(imported.store, imported.version, imported.author, time_us)


def as_imported(provenance: Provenance) -> Imported:
    """As a commit says it."""
    return Imported(provenance.store, provenance.version, provenance.author, provenance.time)


def origins_of(text: str) -> tuple[Provenance, ...]:
    """The origins that a version keeps."""
    return tuple(Provenance(**origin) for origin in json.loads(text))


def with_origin(text: str | None, origin: Provenance) -> str:
    """What a version keeps that gets another origin; the same where it has that, or as many as it can have."""
    origins = () if text is None else origins_of(text)
    if not any((one.store, one.version) == (origin.store, origin.version) for one in origins):
        origins = (*origins, origin)[:ORIGINS_MAX]
    return json.dumps([asdict(one) for one in origins], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
