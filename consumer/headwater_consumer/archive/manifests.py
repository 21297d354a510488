"""The manifest of one file of an archive: of which log and partition it is, what is in it, and how to verify it."""

import json
from dataclasses import Field, asdict, dataclass, fields
from hashlib import sha256
from typing import Any

from headwater_eventlog.port import LogIdentity
from headwater_schemas.archive_files import ManifestName
from headwater_schemas.errors import BlobCorrupt, BlobMissing, FormatTooNew

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What `FIRST-LAST.json` says, field by field."""

    format: int = FORMAT
    generation: str  # of the log
    ancestors: tuple[str, ...]  # of the log
    partitions: int  # of the log
    partition: int
    after: int  # offset of the record before the first one; -1 where there is none
    first_offset: int
    last_offset: int
    first_time_us: int  # append time of the first record, by the log's clock; that may go back
    last_time_us: int
    records: int
    file: str  # path in the archive
    size: int  # bytes of the file
    sha256: str  # of the file
    last_record: str  # hash of the last record, hexadecimal, as projections remember it

    @property
    def log(self) -> LogIdentity:
        """The log that the records are of."""
        return LogIdentity(self.generation, self.partitions, self.ancestors)

    @property
    def name(self) -> ManifestName:
        """Where the manifest is."""
        return ManifestName(self.generation, self.partition, self.first_offset, self.last_offset)

    def to_json(self) -> bytes:
        """As it is written."""
        return json.dumps(asdict(self), indent=1).encode() + b"\n"

    @classmethod
    def parse(cls, content: bytes, path: str, archive: str) -> "Manifest":
        """Keys that it does not know are passed over. Raises: BlobCorrupt for what is no manifest of this `path`;
        FormatTooNew.
        """
        try:
            found: dict[str, Any] = json.loads(content)
            if isinstance(found["format"], int) and found["format"] > FORMAT:
                raise FormatTooNew(
                    f"{path} in {archive} has format {found['format']}; this release reads up to {FORMAT}. Upgrade "
                    "headwater."
                )
            manifest = cls(**{field.name: _value(field, found[field.name]) for field in fields(cls)})
            if manifest.name.path == path:
                return manifest
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            pass
        raise BlobCorrupt(f"{path} in {archive} is damaged: it is no manifest. {RESTORE}")

    def check(self, content: bytes | None, archive: str) -> bytes:
        """`content` if it is the file's. Raises: BlobMissing, BlobCorrupt."""
        if content is None:
            raise BlobMissing(f"{self.file} is not in {archive}, though its manifest is. {RESTORE}")
        if len(content) != self.size or sha256(content).hexdigest() != self.sha256:
            raise BlobCorrupt(
                f"{self.file} in {archive} is damaged: its bytes are not those of its manifest. {RESTORE}"
            )
        return content


def _value(field: Field[Any], value: Any) -> Any:
    """A field's value, from JSON. Raises: TypeError for one of another type."""
    if field.name == "ancestors" and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    if type(value) is not field.type:
        raise TypeError(field.name)
    return value


RESTORE = (
    "Put it back from another copy of the archive; or delete it with its manifest, and run `headwater archive` again, "
    "if the log still has these records."
)
