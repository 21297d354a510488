"""A projection of another release's format is told apart, and left as it is."""

from pathlib import Path

import pytest
from headwater_consumer.database import FORMAT
from headwater_schemas.errors import FormatTooNew, FormatTooOld

from tests.support.modes import open_database


def open_with_format(mode: str, file: Path, number: int) -> None:
    database = open_database(mode, file)
    with database.transaction() as connection:
        connection.driver.execute(f"UPDATE projection_meta SET value = '{number}' WHERE name = 'format'")
    database.close()
    open_database(mode, file).close()


def test_a_projection_of_an_earlier_release_says_how_to_build_it_anew(mode: str, tmp_path: Path) -> None:
    with pytest.raises(FormatTooOld, match=rf"format {FORMAT - 1}.*{FORMAT}.*headwater replay --replace"):
        open_with_format(mode, tmp_path / "p.db", FORMAT - 1)


def test_a_projection_of_a_newer_release_says_what_to_do(mode: str, tmp_path: Path) -> None:
    with pytest.raises(FormatTooNew, match=rf"format {FORMAT + 1}.*{FORMAT}.*Upgrade"):
        open_with_format(mode, tmp_path / "p.db", FORMAT + 1)
