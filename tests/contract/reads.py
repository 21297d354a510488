"""Every adapter of the reading side, over one history: a database in SQLite, one in PostgreSQL, and a server."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from headwater_consumer.database import Database
from headwater_consumer.queries.reads import DirectReads, Reads
from headwater_consumer.writing.runner import Projector
from headwater_stores.config.server_address import ServerAddress
from headwater_stores.folder import open_folder
from headwater_stores.http.connection import ServerConnection
from headwater_stores.http.reads import ServerReads

from tests.support.modes import SERVICE, open_database
from tests.support.projections import project_all
from tests.support.serving import serving

ADAPTERS = ("sqlite", "postgresql", "http")
OUTAGE_S = 5.0


@contextmanager
def open_reads(adapter: str, folder: Path) -> Iterator[Reads]:
    """What an adapter reads of the store in `folder`."""
    with ExitStack() as opened:
        match adapter:
            case "sqlite":
                yield DirectReads(_database_of(folder, opened))
            case "postgresql":
                yield DirectReads(_projected_again(folder, opened))
            case "http":
                server = opened.enter_context(serving("--url", str(folder), "--open"))
                address = ServerAddress(url=server.url)
                yield ServerReads(opened.enter_context(closing(ServerConnection(address, outage_s=OUTAGE_S))))


def _database_of(folder: Path, opened: ExitStack) -> Database:
    return opened.enter_context(closing(open_folder(folder, create=False))).database


def _projected_again(folder: Path, opened: ExitStack) -> Database:
    stores = opened.enter_context(closing(open_folder(folder, create=False)))
    database = opened.enter_context(closing(open_database(SERVICE, folder / "again.db")))
    project_all(stores.log, Projector(stores.log, database))
    return database
