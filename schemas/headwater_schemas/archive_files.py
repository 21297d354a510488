"""Names of the files of an archive, and the schema of what is in them.

    ARCHIVE/headwater-archive.json                                  the marker
    ARCHIVE/schemas/NAME.N.avsc                                     the schema of the records, and those of all events
    ARCHIVE/records/GENERATION/PARTITION/FIRST-LAST.json            a manifest; written last, and only then it counts
    ARCHIVE/records/GENERATION/PARTITION/FIRST-LAST.HASH.avro       the records, under a name that says which bytes
    ARCHIVE/elsewhere/GENERATION/HASH.json                          names another archive, of a log that was trimmed

Numbers have leading zeros, so that names sort as the records do.
"""

import re
from collections.abc import Iterator
from hashlib import sha256
from pkgutil import get_data
from typing import NamedTuple

from headwater_schemas.errors import InvalidInput
from headwater_schemas.frozen_unicode import quoted

MARKER = "headwater-archive.json"
RECORD_SCHEMA = "archived-record.1.avsc"
COLLECTIONS_PREFIX = "gc"  # of what collections remember, beside the content
OWN_PREFIX = "archive"  # in a blob store, whose objects are in `packs/` and `files/`
BUCKET = "s3://"  # begins the name of a place that is in a bucket, and in no folder
RECORDS, SCHEMAS, ELSEWHERE = "records", "schemas", "elsewhere"

_GENERATION = re.compile(r"[0-9A-Za-z_-]{1,64}")
_MANIFEST = re.compile(rf"{RECORDS}/([0-9A-Za-z_-]{{1,64}})/([0-9]{{4}})/([0-9]{{13}})-([0-9]{{13}})\.json")
_HASH_DIGITS = 16


class ManifestName(NamedTuple):
    """What the name of a manifest says. Sorts by log, partition, and offsets."""

    generation: str
    partition: int
    first: int  # offset
    last: int

    @property
    def path(self) -> str:
        return f"{_range_path(self)}.json"


def generation_folder(generation: str) -> str:
    """What the names of all files of one log begin with. Raises: InvalidInput for what could be another path."""
    return _folder_of(RECORDS, generation)


def elsewhere_folder(generation: str) -> str:
    """What the names of all files begin with that name other archives of a log. Raises: as `generation_folder`."""
    return _folder_of(ELSEWHERE, generation)


def elsewhere_path(generation: str, url: str) -> str:
    """The file that names the archive `url`. Raises: as `generation_folder`."""
    return f"{elsewhere_folder(generation)}{sha256(url.encode()).hexdigest()[:_HASH_DIGITS]}.json"


def partition_folder(generation: str, partition: int) -> str:
    """What the names of the files of one partition begin with. Raises: InvalidInput."""
    return f"{generation_folder(generation)}{partition:04}/"


def records_path(name: ManifestName, digest: str) -> str:
    """The file of which `name` is the manifest. Other bytes have another name, and never take its place."""
    return f"{_range_path(name)}.{digest[:_HASH_DIGITS]}.avro"


def parse_manifest_name(path: str) -> ManifestName | None:
    """None for every other file."""
    found = _MANIFEST.fullmatch(path)
    return None if found is None else ManifestName(found[1], int(found[2]), int(found[3]), int(found[4]))


def record_schema_text() -> str:
    """The schema of the records in an archive."""
    content = get_data(__name__, f"archive_schemas/{RECORD_SCHEMA}")
    assert content is not None, "the file is part of this package"
    return content.decode()


def schemas() -> Iterator[tuple[str, str]]:
    """Path and text of every schema that an archive has beside its records."""
    from headwater_schemas.codec import released_schemas, schema_text  # deferred: fastavro

    yield f"{SCHEMAS}/{RECORD_SCHEMA}", record_schema_text()
    for name, numbers in released_schemas().items():
        for number in numbers:
            yield f"{SCHEMAS}/{name}.{number}.avsc", schema_text(name, number)


def _folder_of(kind: str, generation: str) -> str:
    if not _GENERATION.fullmatch(generation):
        raise InvalidInput(f"{quoted(generation, 100)} is not the id of a log: letters, digits, '-' and '_'.")
    return f"{kind}/{generation}/"


def _range_path(name: ManifestName) -> str:
    return f"{partition_folder(name.generation, name.partition)}{name.first:013}-{name.last:013}"
