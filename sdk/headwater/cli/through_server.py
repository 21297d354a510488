"""Commands for the whole store that the server of HEADWATER_URL runs: what they write appears here as it comes."""

import codecs
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import IO, TYPE_CHECKING, Literal

import click
from headwater_schemas.errors import InvalidSettings
from headwater_stores.config.settings import Settings
from headwater_stores.telling.progress import notify, printable

if TYPE_CHECKING:
    from headwater_stores.http.operations import Options, Outputs, ServerOperations

Report = Literal["print", "note", "drop"]  # on standard output; on standard error; nowhere


def run_there(settings: Settings, name: str, options: "Options") -> None:
    """Have the server of `settings` run a command that prints, and end as it did."""
    _end(_operations(settings).run(name, options, _printed()))


def export_there(settings: Settings, options: "Options", out: IO[bytes], *, report: Report) -> None:
    """Have it export to `out`, and end as it did unless that is a success. `report`: what becomes of what it prints."""

    def note(line: str) -> None:
        if not settings.quiet:
            notify(line)

    printed = _printed()
    takes = {"print": printed.output, "note": _Lines(note).take, "drop": lambda _: None}
    _end(_operations(settings).run("export", options, replace(printed, output=takes[report], content=out.write)))


def check_there(settings: Settings) -> None:
    """Raises: EventRejected where the server runs nothing for this user."""
    _operations(settings).check()


def import_there(settings: Settings, file: IO[bytes], options: "Options") -> None:
    """Have it import a file that can seek, and end as it did."""
    _end(_operations(settings).run_on(file, "import", options, _printed()))


def not_there(settings: Settings, what: str) -> InvalidSettings:
    """The error for what no server does, whoever asks."""
    return InvalidSettings(
        f"{what} is not done through a server, and HEADWATER_URL names one ({settings.url}). Do it where that server "
        "runs, with HEADWATER_URL set to the store behind it."
    )


def whole_seconds(time: timedelta) -> int:
    """As the interface has it."""
    return int(time.total_seconds())


def _operations(settings: Settings) -> "ServerOperations":
    from headwater_stores.http.operations import ServerOperations  # deferred: http

    assert settings.server is not None
    return ServerOperations(settings.server, outage_s=settings.outage_s, quiet=settings.quiet)


def _end(code: int) -> None:
    if code:
        raise SystemExit(code)


def _printed() -> "Outputs":
    from headwater_stores.http.operations import Outputs  # deferred: http

    return Outputs(_Text(err=False).take, _Text(err=True).take)


class _Text:
    """Prints text that comes in pieces, which may end within a character. It cannot control the terminal."""

    def __init__(self, *, err: bool) -> None:
        self._err = err
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def take(self, piece: bytes) -> None:
        """Print what is whole."""
        click.echo(printable(self._decoder.decode(piece)), nl=False, err=self._err)


class _Lines:
    """Hands on text line by line."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._begun = b""  # of the line that is not whole yet; a report has short ones

    def take(self, piece: bytes) -> None:
        """Hand on the lines that end in it."""
        *lines, self._begun = (self._begun + piece).split(b"\n")
        for line in lines:
            self._tell(printable(line.decode("utf-8", "replace")))
