"""A server of a store, and its operator, who can work through it and on the store itself."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import Done, run
from tests.server.uploads import Store, store_of
from tests.support.forked import PIPE, ForkedProcess
from tests.support.serving import ServerProcess, serving

ROOT = Path(__file__).parents[3]
FAULTS = Path(__file__).parent / "in_children"
ENTITY, PROJECT = "team", "animals"
NAMES = {"HEADWATER_ENTITY": ENTITY, "HEADWATER_PROJECT": PROJECT}
END_S = 120.0
INTERRUPTED = 130
Point = tuple[str, str, int]  # of `at_point`: which, before or after it, and at which passing


@dataclass
class Ended:
    """How a process ended."""

    code: int
    out: str
    err: str

    def succeeded(self) -> "Ended":
        assert self.code == 0, self
        assert "Traceback" not in self.err, self
        return self


@dataclass
class Operated:
    """Commands through the server, and on its store."""

    store: Store
    folder: Path  # where commands run
    monkeypatch: pytest.MonkeyPatch = field(repr=False)
    server: ServerProcess | None = None
    token: str | None = None

    @property
    def url(self) -> str:
        assert self.server is not None
        return self.server.url

    @property
    def at_server(self) -> Mapping[str, str]:
        """What a client sets."""
        token = {} if self.token is None else {"HEADWATER_TOKEN": self.token}
        return {"HEADWATER_URL": self.url, **token}

    @property
    def at_store(self) -> Mapping[str, str]:
        """What whoever has the store itself sets."""
        if self.store.environment is None:
            return {"HEADWATER_URL": str(self.store.folder)}
        return {name: value for name, value in self.store.environment.items() if name.startswith("HEADWATER_")}

    def run(self, *arguments: str) -> Done:
        """A command through the server, in this process."""
        return self._run(self.at_server, arguments)

    def there(self, *arguments: str) -> str:
        """What a command printed that succeeded through the server."""
        return _succeeded(self.run(*arguments))

    def here(self, *arguments: str) -> str:
        """What one printed that succeeded on the store itself."""
        return _succeeded(self._run(self.at_store, arguments))

    def ask_there(self, *arguments: str) -> Any:
        """The JSON of a command through the server."""
        return json.loads(self.there(*arguments, "--json"))

    def ask_here(self, *arguments: str) -> Any:
        """The JSON of a command on the store itself."""
        return json.loads(self.here(*arguments, "--json"))

    def refused(self, *arguments: str, code: int = 1) -> str:
        """What a command said that failed through the server, and printed nothing."""
        done = self.run(*arguments)
        assert (done.code, done.out) == (code, ""), done
        return done.err

    def events(self) -> int:
        """How many there are on the log."""
        with self.store.opened() as (stores, _):
            return sum(end + 1 for end in stores.log.ends().values())

    def objects(self) -> dict[str, int]:
        """Those of the store, with their sizes."""
        with self.store.opened() as (stores, _):
            return {one.name: one.size for one in stores.blobs.list_objects()}

    def start(self, *arguments: str, **more: str) -> ForkedProcess:
        """A real process with a command through the server."""
        return ForkedProcess(
            ["-m", "headwater", *arguments],
            cwd=self.folder,
            env={**os.environ, **NAMES, **self.at_server, **more},
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )

    def fault(self, point: Point, what: str = "STOP") -> None:
        """Have the next command of the server meet it."""
        name, moment, number = point
        (self.folder / "fault").write_text("\n".join((name, moment, str(number), what)))

    @contextmanager
    def serving(self, *arguments: str, program: str = "headwater") -> Iterator["Operated"]:
        """A block with a server, open to everybody unless it is told who may; its commands can be made to fail."""
        where = ["--url", str(self.store.folder)] if self.store.environment is None else ["--with-projector"]
        environment = {
            **(self.store.environment or os.environ),
            "PYTHONPATH": f"{FAULTS}{os.pathsep}{ROOT}",
            "HEADWATER_TEST_FAULT": str(self.folder / "fault"),
        }
        with serving(*where, *(arguments or ("--open",)), env=environment, program=program) as self.server:
            yield self

    def _run(self, environment: Mapping[str, str], arguments: tuple[str, ...]) -> Done:
        with self.monkeypatch.context() as patch:
            for name, value in {**environment, **NAMES}.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            return run(*arguments)


@contextmanager
def operating(mode: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operated]:
    """A block with a new store, which no server has yet."""
    with ExitStack() as stack:
        store = stack.enter_context(store_of(mode, folder))
        place = folder / "work"
        place.mkdir()
        yield Operated(store, place, monkeypatch)


def ended(process: ForkedProcess) -> Ended:
    """Its end, which is waited for."""
    out, err = process.communicate(timeout=END_S)
    assert process.returncode is not None
    return Ended(process.returncode, out, err)


def read_line(process: ForkedProcess) -> str:
    """The next line that it prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, ended(process)
    return line.strip()


def _succeeded(done: Done) -> str:
    assert done.code == 0, done
    return done.out
