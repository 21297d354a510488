"""Opening a projection that another process is creating."""

from pathlib import Path

import pytest
from headwater_consumer.database import Database
from headwater_consumer.database.sqlite import create_sqlite_file
from headwater_schemas.errors import StoreUnavailable


@pytest.mark.parametrize("read_only", [False, True])
def test_a_projection_that_has_no_tables_yet_is_none_to_a_reader_and_a_writer_creates_them(
    tmp_path: Path, *, read_only: bool
) -> None:
    file = tmp_path / "projection.db"
    create_sqlite_file(file)

    with pytest.raises(StoreUnavailable, match="there is no projection at"):
        Database.open_sqlite(file, create=False, read_only=read_only)
    Database.open_sqlite(file).close()

    Database.open_sqlite(file, create=False, read_only=read_only).close()
