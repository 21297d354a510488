"""A server with tokens, on what `tests.server.recorded` recorded, and its operator, who makes and revokes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import headwater

from tests.server.recorded import record
from tests.support.serving import ServerProcess, serving


@dataclass
class GrantedServer:
    """A running server, and its operator, who works on the folder itself."""

    server: ServerProcess
    operator: headwater.Api
    folder: Path

    def token(self, name: str, scope: str, role: str | None = None) -> str:
        """A token for `name` that gives what it has in a scope; with this role."""
        return self.operator.create_token(name, scope, role=role).text

    def status(self, path: str, token: str | None) -> int:
        """How a GET of a path ends."""
        return self.server.ask("GET", path, token=token).status


@contextmanager
def granting(folder: Path, *arguments: str, recorded: bool = True) -> Iterator[GrantedServer]:
    """A server on a new folder, on which nobody has a token yet."""
    if recorded:
        record(folder)
    with serving("--url", str(folder), *arguments) as server:
        yield GrantedServer(server, headwater.Api(url=folder), folder)
