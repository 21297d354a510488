"""Our errors for those of a folder's file system: each names the folder or the object, and the next step."""

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from headwater_runtime.files import DISK_FULL
from headwater_schemas.errors import NotFreed, StoreFull, StoreReadOnly, StoreUnavailable

from headwater_blobs import verify
from headwater_blobs.folder_marker import gone, is_gone

READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
_ABSENT = {errno.ENOENT, errno.ENOTDIR}


@contextmanager
def translate_errors(folder: str, needed: int | None) -> Iterator[None]:
    """Raises: StoreError for errors of the store's file system. `needed` is in bytes, None when only reading."""
    try:
        yield
    except OSError as error:
        if error.errno in _ABSENT and is_gone(folder):
            raise gone(folder) from error
        if error.errno in DISK_FULL:
            raise full(folder, needed) from error
        if error.errno in READ_ONLY and needed is not None:
            raise StoreReadOnly(
                f"{error.filename or folder} cannot be written: {error.strerror}. `headwater doctor` says who may and "
                "how to change that."
            ) from error
        raise failed(folder, error) from error


def full(folder: str, needed: int | None) -> StoreFull:
    """The error for a disk without room for so many bytes."""
    return StoreFull(
        f"{folder} is full: {needed or 0:,} bytes were needed; nothing was kept. Free space there and repeat."
    )


def failed(folder: str, error: OSError) -> StoreUnavailable:
    """The error for any other trouble with a folder."""
    return StoreUnavailable(f"{folder} failed: {error.strerror}. Check that folder and its disk.")


@contextmanager
def translate_read_errors(name: str, folder: str) -> Iterator[None]:
    """Raises: BlobMissing, StoreUnavailable for errors of reading an object."""
    try:
        yield
    except FileNotFoundError:
        if is_gone(folder):
            raise gone(folder) from None
        raise verify.missing(name, folder) from None
    except OSError as error:
        raise StoreUnavailable(f"{name!r} in {folder} is not readable: {error.strerror}. Check the disk.") from error


def not_freed(folder: str, refused: Mapping[str, OSError]) -> NotFreed:
    """The error for objects that the system did not let go of, each with its error."""
    error = next(iter(refused.values()))
    return NotFreed(
        f"{len(refused):,} objects in {folder} could not be deleted, for example {error.filename}: {error.strerror}. "
        "Their bytes stay. `headwater doctor` says who may delete there and how to change that.",
        names=refused,
    )
