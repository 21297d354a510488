"""PostgreSQL, from the published jar of its binaries."""

import os
import pwd
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from services.ports import LOOPBACK
from services.processes import Server
from services.versions import POSTGRES_SETTINGS, USER

# For a server whose data is disposable. Commits are still written before they are confirmed, so they survive a kill of
# its processes, but not a failure of the machine.
NOT_DURABLE = {
    "fsync": "off",
    "full_page_writes": "off",
    "dynamic_shared_memory_type": "mmap",  # in its folder: one that is killed leaves nothing in the machine's memory
}
CONNECT_S = 2  # the minimum of libpq


class Postgres(Server):
    """One PostgreSQL server."""

    title = "PostgreSQL"
    stop_signal = signal.SIGINT  # a fast shutdown: SIGTERM waits for all clients to disconnect
    as_nobody = True

    def __init__(
        self,
        folder: Path,
        binaries: Path,
        *,
        port: int,
        password: str,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,  # over those of `versions`
        detached: bool = False,
    ) -> None:
        super().__init__(folder, detached=detached)
        self.binaries = binaries
        self.port = port
        self.password = password
        self.durable = durable
        self.settings = {**POSTGRES_SETTINGS, **({} if durable else NOT_DURABLE), **(settings or {})}

    def url(self, database: str = "postgres") -> str:
        """The URL of a database, with user and password."""
        return postgres_url(self.password, self.port, database)

    @property
    def initdb_options(self) -> list[str]:
        """Options of initdb: text is sorted by its bytes, the same on every machine."""
        words = ["--encoding=UTF8", "--locale=C", "--auth-host=scram-sha-256", "--auth-local=scram-sha-256"]
        return words if self.durable else [*words, "--no-sync"]

    def prepare(self) -> None:
        super().prepare()
        if (self._data / "PG_VERSION").exists():
            return
        shutil.rmtree(self._home, ignore_errors=True)  # of an interrupted first start
        self._home.mkdir()
        password = self.folder / "password.txt"
        try:
            password.touch(0o600)
            password.write_text(self.password)
            if os.geteuid() == 0:
                for path in (self._home, password):
                    os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
            self.run(self._initdb(password))
        finally:
            password.unlink()
        self._fresh.rename(self._data)

    def command(self) -> Sequence[str]:
        settings = {
            **self.settings,
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",  # the path could be longer than a socket's may be
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self.binaries / "bin" / "postgres"), "-D", str(self._data), *options]

    def environment(self) -> Mapping[str, str]:
        return {"LC_ALL": "C"}

    def is_ready(self) -> bool:
        """Whether its user can connect."""
        try:
            psycopg.connect(self.url(), connect_timeout=CONNECT_S).close()
        except psycopg.OperationalError:
            return False
        return True

    def create_database(self, name: str) -> str:
        """Create a database if necessary, and return its URL."""
        create_database(self.url(), name)
        return self.url(name)

    @property
    def _home(self) -> Path:
        return self.folder / "data"

    @property
    def _data(self) -> Path:
        return self._home / "cluster"

    @property
    def _fresh(self) -> Path:
        return self._home / "fresh"  # until initdb has finished

    def _initdb(self, password: Path) -> list[str]:
        words = [*self.initdb_options, f"--username={USER}", f"--pwfile={password}"]
        return [str(self.binaries / "bin" / "initdb"), "-D", str(self._fresh), *words]


def postgres_url(password: str, port: int, database: str) -> str:
    """The URL of a database."""
    return f"postgresql://{USER}:{quote(password, safe='')}@{LOOPBACK}:{port}/{database}"


def create_database(server_url: str, name: str) -> None:
    """Create a database on a server if necessary."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
