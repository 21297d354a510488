"""Opening a projection that another process creates in the same moment."""

import secrets
from contextlib import closing

import pytest
from headwater_consumer.database import Database

from tests.support.modes import database_url


def test_a_projection_that_another_process_creates_meanwhile_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    schema, look = f"opened_{secrets.token_hex(6)}", Database._table_names

    def look_late(database: Database) -> list[str]:
        monkeypatch.setattr(Database, "_table_names", look)
        Database.open_postgresql(database_url(), schema=schema).close()
        return look(database)

    monkeypatch.setattr(Database, "_table_names", look_late)
    with closing(Database.open_postgresql(database_url(), schema=schema)) as opened:
        assert opened.source_log() is None
        assert Database._table_names is look, "it looked"
