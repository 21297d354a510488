"""An export as it is read: nothing in it is believed before it was checked, and nothing unpacks to more than it is."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import fastavro
from headwater_schemas import digests
from headwater_schemas.errors import FormatTooNew, InvalidFile

from headwater_stores.portable import records
from headwater_stores.portable.records import Plain

JSON_BYTES_MAX = 1024 * 1024  # of the manifest
BLOCK_BYTES_MAX = 16 * 1024 * 1024  # of a container, which is in memory; a record has less than half
_DAMAGED = (
    BadZipFile,
    EOFError,
    IndexError,
    KeyError,
    NotImplementedError,
    OverflowError,
    RuntimeError,  # an encrypted member
    TypeError,
    UnicodeError,
    ValueError,
)


class ExportArchive:
    """An export in a file that can seek. Open it with `open`."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        """Raises: InvalidFile for what is no export, or is cut short; FormatTooNew."""
        self.name = name
        with self._checked("its list of members"):
            self._zip = ZipFile(file)
            self._members = {info.filename: info for info in self._zip.infolist()}
        self._leaves: dict[str, list[str]] = defaultdict(list)  # folder → the names of the members in it
        for member in self._members:
            folder, _, leaf = member.rpartition("/")
            self._leaves[folder].append(leaf)
        for info in self._members.values():
            if info.compress_type != ZIP_STORED or info.file_size != info.compress_size:
                raise self.damaged(f"{info.filename!r} is compressed, which no member of an export is")
        self.manifest = self._json(records.MANIFEST)
        if self.manifest.get("kind") != records.KIND or not isinstance(self.manifest.get("format"), int):
            raise self.damaged("its manifest is not that of an export")
        if self.manifest["format"] > records.FORMAT:
            raise FormatTooNew(
                f"{name} has format {self.manifest['format']}; this release reads up to {records.FORMAT}. Upgrade "
                "headwater."
            )
        self._json(records.COMPLETE)

    def records_of(self, member: str, schema: str) -> Iterator[Plain]:
        """The records of a container. Raises: InvalidFile."""
        with self._checked(member), self._zip.open(self._members[member]) as file:
            bounded: Any = _Bounded(file)
            reader: Any = fastavro.reader(bounded)
            if reader.codec != "null" or fastavro.schema.to_parsing_canonical_form(
                reader.writer_schema
            ) != fastavro.schema.to_parsing_canonical_form(records.PARSED[schema]):
                raise ValueError("another schema")
            yield from reader

    def small_contents(self, number: int) -> Iterator[tuple[bytes, bytes]]:
        """(digest, content) of those that come with a version, verified. Raises: InvalidFile."""
        part = 0
        while (member := records.contents_member(number, part)) in self._members:
            for one in self.records_of(member, "content"):
                digest, content = one["digest"], one["content"]
                with self._checked(member):
                    algorithm = digests.algorithm_of(digest)
                if digests.one_shot(algorithm)(content) != digest[1:]:
                    raise self.damaged(f"{member} has other bytes than those of {digests.to_text(digest)}")
                yield digest, content
            part += 1

    def large_contents(self, number: int) -> Iterator[bytes]:
        """The digests of the large contents that come with a version."""
        folder = records.folder_of(number)
        for leaf in self._leaves.get(folder, ()):
            if found := _LARGE.fullmatch(leaf):
                with self._checked(f"{folder}/{leaf}"):
                    yield digests.of_text(f"{found[1]}:{found[2]}")

    @contextmanager
    def large(self, number: int, digest: bytes) -> Iterator[IO[bytes]]:
        """The bytes of a large content; whoever reads them verifies them. Raises: InvalidFile."""
        member = records.large_member(number, digest)
        with self._checked(member), self._zip.open(self._members[member]) as file:
            yield file

    def close(self) -> None:
        """The file is closed by its owner."""
        self._zip.close()

    def damaged(self, what: str) -> InvalidFile:
        """The error for something in it that cannot be."""
        return InvalidFile(
            f"{self.name} is no export, or a damaged one: {what}. What was imported before is whole; export it again."
        )

    def _json(self, member: str) -> Plain:
        with self._checked(member):
            info = self._members[member]
            if info.file_size > JSON_BYTES_MAX:
                raise ValueError("too large")
            found = json.loads(self._zip.read(info))
            if not isinstance(found, dict):
                raise TypeError("no object")
            return found

    @contextmanager
    def _checked(self, member: str) -> Iterator[None]:
        """Raises: InvalidFile for whatever a damaged or hostile file makes the libraries raise."""
        try:
            yield
        except InvalidFile:
            raise
        except _DAMAGED as error:
            raise self.damaged(f"{member} is missing, cut short or not what it should be") from error


_LARGE = re.compile(r"([a-z0-9]+)-([0-9a-f]+)")


class _Bounded:
    """A file of which no reader takes much at once, whatever a length in it says."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """Raises: ValueError."""
        if not 0 <= size <= BLOCK_BYTES_MAX:
            raise ValueError(f"{size} bytes at once")
        return self._file.read(size)
