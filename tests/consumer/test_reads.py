"""The port of the reading side, and its adapter for a database of this process."""

import subprocess
import sys
from pathlib import Path

import pytest
from headwater_consumer.database import Database
from headwater_consumer.queries.reads import DirectReads, all_queries

_ONE_QUERY_ALONE = """
import sys
from headwater_consumer.database import Database
from headwater_consumer.queries.reads import DirectReads

reads = DirectReads(Database.in_memory("nothing"))
loaded = set(sys.modules)
assert reads.version_info("team/animals/pets", 0) is None
print(*sorted(name.rpartition(".")[2] for name in set(sys.modules) - loaded if ".queries." in name))
"""


@pytest.mark.parametrize("name", all_queries())
def test_a_query_of_the_port_is_the_function_of_its_name(name: str) -> None:
    assert all_queries()[name].function.__name__ == name


def test_a_query_imports_its_own_module_alone() -> None:
    asked = subprocess.run([sys.executable, "-c", _ONE_QUERY_ALONE], capture_output=True, text=True, check=True)
    assert asked.stdout.split() == ["results", "versions"]


def test_a_store_is_called_by_the_name_of_its_database(tmp_path: Path) -> None:
    database = Database.open_sqlite(tmp_path / "projection.db")
    assert DirectReads(database).name == database.name
