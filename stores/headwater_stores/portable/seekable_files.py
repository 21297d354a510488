"""Files that can seek, as all that is imported must: the list of what is in an export is at its end."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from headwater_schemas.errors import InvalidFile


@contextmanager
def seekable(file: IO[bytes], name: str) -> Iterator[IO[bytes]]:
    """A block with a file that can seek: a temporary one with all of `file` where that cannot.

    Raises: InvalidFile where there is no room for it.
    """
    if file.seekable():
        yield file
        return
    with tempfile.TemporaryFile() as kept:
        try:
            shutil.copyfileobj(file, kept)
            kept.flush()
        except OSError as error:
            raise InvalidFile(
                f"{name} cannot be kept in {tempfile.gettempdir()!r} while it is imported: {error.strerror}. Make room "
                "there, or set TMPDIR to a folder on a larger disk."
            ) from error
        kept.seek(0)
        yield kept
