"""The commands that run for operators through this server: who may, how many, and on which store."""

import logging
import shlex
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, Request
from headwater_producer.producer import AUTHOR_VARIABLE
from headwater_stores.config.passing_on import environment_for
from headwater_stores.config.settings import Settings

from headwater_server.access.caller import CallerOf
from headwater_server.http.open_slots import OpenSlots
from headwater_server.http.problems import come_again
from headwater_server.limits import OPERATIONS_MAX, OPERATIONS_OF_PRINCIPAL_MAX
from headwater_server.operations.commands import Command
from headwater_server.operations.operators import check_operator
from headwater_server.operations.process import CommandProcess
from headwater_server.service import Service

_log = logging.getLogger("headwater.server")


class Operations:
    """Those of one server. For its event loop."""

    def __init__(self, service: Service, settings: Settings, operators: frozenset[str]) -> None:
        """`settings`: of the server's store. `operators`: the principals that may; on an open server everybody may."""
        self.service = service
        self._settings, self._operators = settings, operators
        self._open = OpenSlots("operations", OPERATIONS_MAX, OPERATIONS_OF_PRINCIPAL_MAX)
        service.metrics.gauge("open_operations", "Commands that run for operators.", self._open.__len__)

    async def check(self, caller: CallerOf) -> None:
        """Raises: Problem for who is no operator."""
        await check_operator(self.service, self._operators, caller)

    @asynccontextmanager
    async def run(self, command: Command, principal: str) -> AsyncIterator[CommandProcess]:
        """A block in which a command runs, which is over at its end. Raises: Problem when too many run already."""
        with self._open.counted(principal):
            try:
                process = await self.service.transfer(CommandProcess, command, self._environment(command, principal))
            except OSError as error:
                _log.error("A process for headwater %s cannot be started: %s", command.name, error)
                raise come_again(
                    "no-process", "the server's machine has no room for another process.", "Try again in a moment."
                ) from error
            begun_s = time.monotonic()
            _log.info("%s runs headwater %s (process %d)", principal, shlex.join(command.arguments), process.pid)
            try:
                yield process
            finally:
                code = process.close()
                _log.info(
                    "headwater %s (process %d) of %s ended %s after %.1f s",
                    command.name,
                    process.pid,
                    principal,
                    "by force" if code is None else f"with {code}",
                    time.monotonic() - begun_s,
                )

    def _environment(self, command: Command, principal: str) -> Mapping[str, str]:
        return environment_for(
            self._settings,
            **{AUTHOR_VARIABLE: principal},
            HEADWATER_QUIET=str(command.quiet).lower(),
            # Whatever the terminal of its client can show: JSON is read in any encoding as ASCII.
            PYTHONIOENCODING="ascii:backslashreplace" if command.as_json else "utf-8",
        )


def operations_of(request: Request) -> Operations:
    """Those of the server that a request came to."""
    operations: Operations = request.app.state.operations
    return operations


OperationsOf = Annotated[Operations, Depends(operations_of)]


async def only_operators(operations: OperationsOf, caller: CallerOf) -> None:
    """Raises: Problem for a caller that is none, before anything else of its request is looked at."""
    await operations.check(caller)
