"""Secrets stay secret: canaries are put where secrets are, and looked for everywhere else."""

import os
from collections.abc import Mapping
from pathlib import Path

import headwater
import pytest
from headwater_consumer.database.row_mapping import table_of
from headwater_consumer.database.tables import ROW_TYPES
from sqlalchemy import select

from tests.support import statements
from tests.support.forked import PIPE, ForkedProcess
from tests.support.stores import StoreUnderTest

CANARY = "canary0815"
WRONG = {
    "HEADWATER_KAFKA_SASL_PASSWORD": CANARY,
    "HEADWATER_KAFKA_SASL_USERNAME": "ada",
    "HEADWATER_KAFKA_SASL_MECHANISM": "PLAIN",
    "HEADWATER_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "HEADWATER_DATABASE_URL": f"postgresql://ada:{CANARY}@127.0.0.1:1/headwater",
    "HEADWATER_S3_ACCESS_KEY": f"{CANARY}-key",
    "HEADWATER_S3_SECRET_KEY": f"{CANARY}-secret",
}
COMMANDS = (("doctor", "--json"), ("ls",), ("log", ".", "--name", "x"), ("replay",), ("projector", "--once"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_is_wrong_with_secrets_is_said_without_them(
    store: StoreUnderTest, tmp_path: Path, command: tuple[str, ...]
) -> None:
    assert CANARY not in _output_of(command, {**store.environment, **WRONG}, tmp_path)


@pytest.mark.parametrize("wrong", ["HEADWATER_DATABASE_URL", "HEADWATER_S3_SECRET_KEY"])
def test_what_is_wrong_with_one_secret_is_said_without_it(store: StoreUnderTest, tmp_path: Path, wrong: str) -> None:
    assert CANARY not in _output_of(("log", ".", "--name", "x"), {**store.environment, wrong: WRONG[wrong]}, tmp_path)


def _output_of(command: tuple[str, ...], environment: Mapping[str, str], folder: Path) -> str:
    (folder / "file").write_text("content")
    given = {**os.environ, **environment, "HEADWATER_OUTAGE_SECONDS": "1"}
    process = ForkedProcess(["-m", "headwater", *command], cwd=folder, env=given, stdout=PIPE, stderr=PIPE)
    return "".join(process.communicate(timeout=120))


def test_no_secret_is_on_the_log_or_in_the_database(
    store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HEADWATER_SOMETHING_SECRET", CANARY)
    secrets = {value for name, value in store.environment.items() if name.endswith(("_SECRET_KEY", "_DATABASE_URL"))}
    (tmp_path / "file").write_text("content")
    with headwater.init(config={"rate": 1}) as run:
        run.log_artifact("file", name="x", type="y").wait()

    with store.opened() as stores, stores.database.snapshot() as connection:
        log = stores.log
        records = [record for partition in range(log.partitions) for record in log.read(partition, after=-1)]
        rows = [row for row_type in ROW_TYPES for row in statements.run(connection, select(table_of(row_type)))]

    assert records
    for secret in {CANARY, *secrets}:
        assert not any(secret in repr(record) for record in records)
        assert not any(secret in repr(row) for row in rows)
