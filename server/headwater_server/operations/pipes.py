"""This process's end of a pipe to or from a command, for the loop: the other end waits while nobody is here."""

import asyncio
import os
from collections.abc import Callable


class Pipe:
    """One end. It is closed once, by `close`."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor` is this object's from now on."""
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)  # of this end alone

    async def read(self, bytes_max: int) -> bytes:
        """What is there, once something is; nothing at its end."""
        while True:
            try:
                return os.read(self._descriptor, bytes_max)
            except BlockingIOError:
                loop = asyncio.get_running_loop()
                await self._ready(loop.add_reader, loop.remove_reader)

    async def write(self, data: bytes) -> None:
        """Write all of it. Raises: BrokenPipeError where nobody reads any more."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                loop = asyncio.get_running_loop()
                await self._ready(loop.add_writer, loop.remove_writer)

    def close(self) -> None:
        """Close it. Closing twice is fine."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    async def _ready(self, watch: Callable[..., object], forget: Callable[[int], object]) -> None:
        ready = asyncio.Event()
        descriptor = self._descriptor
        watch(descriptor, ready.set)
        try:
            await ready.wait()
        finally:
            forget(descriptor)
