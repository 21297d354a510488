"""Files of this machine that are referenced in place, by size and digest."""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from headwater_blobs.local_sources import digest_of, read_unchanged
from headwater_blobs.port import CHUNK_BYTES
from headwater_schemas import digests
from headwater_schemas.entries import Reference
from headwater_schemas.errors import InvalidFile, InvalidInput
from headwater_stores.config.settings import read_settings
from headwater_stores.telling.progress import Progress

from headwater._ingest.scan import ScannedFile, scan, scan_file
from headwater._references import verification
from headwater._references.listing import FoundObject, Listing, list_prefix, too_many_objects
from headwater._references.uris import name_from_uri, redacted

_THIS_MACHINE = ("", "localhost")


def look_up(uri: str, objects_max: int) -> Listing:
    """A file, or all files below a folder; links are followed as when files are added."""
    location = _location_of(uri)
    quiet = read_settings().quiet
    if not os.path.isdir(location):
        if uri.endswith("/"):
            raise InvalidFile(f"{location!r} is not a folder, but {redacted(uri)} ends in a slash. Remove the slash.")
        file = scan_file(location)
        with Progress("hashing", total=file.size, unit="B", quiet=quiet) as progress:
            return Listing([_found_object(name_from_uri(uri), uri, file, progress)], is_prefix=False)
    folder = scan(location)
    if len(folder) > objects_max:  # checked before any file is read
        raise too_many_objects(uri, objects_max)
    files = zip(folder.paths(), folder.files(range(len(folder))), strict=True)
    with Progress("hashing", total=sum(folder.sizes()), unit="B", files=len(folder), quiet=quiet) as progress:
        found = (_found_object(path, Path(file.location).as_uri(), file, progress) for path, file in files)
        return list_prefix(uri, found, objects_max)


def pieces_of(reference: Reference) -> Iterator[bytes]:
    """The file's bytes. Raises: ReferenceChanged at once when its size differs."""
    location = _location_of(reference.uri)
    try:
        size = scan_file(location).size
    except InvalidFile as error:
        if os.path.lexists(location):
            raise
        raise verification.missing_error(reference, "a file") from error
    verification.check_size(reference, size)
    return _pieces(location)


def _pieces(location: str) -> Iterator[bytes]:
    with _opened(location) as source:
        while piece := source.read(CHUNK_BYTES):
            yield piece


def _found_object(path: str, uri: str, file: ScannedFile, progress: Progress) -> FoundObject:
    with _opened(file.location) as source, progress.file(path, file.size) as watched:
        digest, size = read_unchanged(
            source, lambda: digest_of(source.fileno(), digests.DEFAULT_ALGORITHM, watched.watch)
        )
    return FoundObject(path, uri, digests.to_text(digest), size, None)


def _opened(location: str) -> io.FileIO:
    try:
        return io.FileIO(location)
    except OSError as error:
        raise InvalidFile(
            f"{location!r} cannot be read: {error.strerror}. Make it readable, or leave it out."
        ) from error


def _location_of(uri: str) -> str:
    parts = urlsplit(uri)
    if parts.netloc.lower() not in _THIS_MACHINE or not parts.path.startswith("/"):
        raise InvalidInput(f"{redacted(uri)} is not a path on this machine. Write it as file:///folder/file.")
    if parts.query or parts.fragment:
        raise InvalidInput(
            f"{redacted(uri)} contains '?' or '#'. Write them as %3F and %23 if they are part of the file name."
        )
    return url2pathname(parts.path)
