"""PostgreSQL: real binaries, unpacked from the jar that they are published in."""

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

# What a server whose data nobody will miss need not wait for. What it confirmed survives the end of its processes, so
# commits are still written before they are confirmed; it does not survive the end of the machine.
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}
CONNECT_S = 2  # the least that libpq takes


class Postgres(Server):
    """One PostgreSQL server."""

    title = "PostgreSQL"
    stop_signal = signal.SIGINT  # the fast way: SIGTERM waits until every client has left
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
        lasting: bool = False,
    ) -> None:
        super().__init__(folder, lasting=lasting)
        self.binaries = binaries
        self.port = port
        self.password = password
        self.durable = durable
        self.settings = {**POSTGRES_SETTINGS, **({} if durable else NOT_DURABLE), **(settings or {})}

    def url(self, database: str = "postgres") -> str:
        """Where a database is, with user and password."""
        return postgres_url(self.password, self.port, database)

    @property
    def words_of_initdb(self) -> list[str]:
        """How its data is made: text is sorted by its bytes, on every machine alike."""
        words = ["--encoding=UTF8", "--locale=C", "--auth-host=scram-sha-256", "--auth-local=scram-sha-256"]
        return words if self.durable else [*words, "--no-sync"]

    def prepare(self) -> None:
        super().prepare()
        if (self._data / "PG_VERSION").exists():
            return
        shutil.rmtree(self._home, ignore_errors=True)  # of a first start that was cut off
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
            "unix_socket_directories": "",  # its path may be longer than a socket's may be
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self.binaries / "bin" / "postgres"), "-D", str(self._data), *options]

    def environment(self) -> Mapping[str, str]:
        return {"LC_ALL": "C"}

    def answers(self) -> bool:
        """Whether it lets its user in."""
        try:
            psycopg.connect(self.url(), connect_timeout=CONNECT_S).close()
        except psycopg.OperationalError:
            return False
        return True

    def create_database(self, name: str) -> str:
        """Make a database unless there is one, and return its URL."""
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
        return self._home / "fresh"  # until it is whole

    def _initdb(self, password: Path) -> list[str]:
        words = [*self.words_of_initdb, f"--username={USER}", f"--pwfile={password}"]
        return [str(self.binaries / "bin" / "initdb"), "-D", str(self._fresh), *words]


def postgres_url(password: str, port: int, database: str) -> str:
    """How clients are told where a database is."""
    return f"postgresql://{USER}:{quote(password, safe='')}@{LOOPBACK}:{port}/{database}"


def create_database(server_url: str, name: str) -> None:
    """Make a database on a server, unless there is one."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
