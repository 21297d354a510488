"""The pieces in which large contents are sent: to hand over a small one costs as much as to read it."""

from collections.abc import Generator, Iterable

from headwater_server.limits import DOWNLOAD_PIECE_BYTES


def gathered(pieces: Iterable[memoryview]) -> Generator[memoryview, None, None]:
    """What a store reads, in pieces of DOWNLOAD_PIECE_BYTES or some more; each stays as it is."""
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= DOWNLOAD_PIECE_BYTES:
            yield memoryview(held)
            held = bytearray()
    if held:
        yield memoryview(held)
