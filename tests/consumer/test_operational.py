"""The operational tables: made once, shared by processes, left alone by whoever does not know them."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from headwater_consumer.operational.database import FILE, OperationalDatabase
from headwater_consumer.operational.named_cursors import named_cursors, take_name
from headwater_consumer.operational.tables import FORMAT
from headwater_schemas.errors import FormatTooNew, InvalidSettings, StoreMissing, StoreNotOurs

from tests.support.forked import ForkedProcess
from tests.support.modes import open_operational, schema_of

SCOPE = "team/vision"

Open = Callable[..., OperationalDatabase]


@pytest.fixture
def open_it(mode: str, tmp_path: Path) -> Iterator[Open]:
    """Opens the tables of one store, as often as it is called."""
    opened: list[OperationalDatabase] = []

    def open_one(*, create: bool = True) -> OperationalDatabase:
        opened.append(open_operational(mode, tmp_path / "store", create=create))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def test_what_one_remembers_another_reads(open_it: Open) -> None:
    take_name(open_it(), SCOPE, "trainer", holder="a")

    assert [found.name for found in named_cursors(open_it(create=False))] == ["trainer"]


def test_who_creates_nothing_is_told_that_nothing_is_there(open_it: Open) -> None:
    with pytest.raises(StoreMissing, match="nothing was remembered there yet"):
        open_it(create=False)


def test_an_error_within_a_transaction_undoes_it(open_it: Open) -> None:
    database = open_it()

    with suppress(ZeroDivisionError), database.transaction() as statements:
        statements.run("INSERT INTO operational_meta (name, value) VALUES (?, ?)", "a", "b")
        raise ZeroDivisionError

    with database.statement() as statements:
        assert statements.rows("SELECT name FROM operational_meta ORDER BY name") == [("format",)]


def test_many_that_open_them_at_once_create_them_once(open_it: Open) -> None:
    threads = [threading.Thread(target=lambda: take_name(open_it(), SCOPE, "same", holder="a")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(named_cursors(open_it(), SCOPE)) == 1


def test_a_table_that_an_earlier_release_did_not_have_is_added_to_what_is_there(open_it: Open) -> None:
    database = open_it()
    with database.statement() as statements:
        statements.run("DROP TABLE named_cursors")
        statements.run("CREATE TABLE of_a_later_release (n BIGINT)")

    take_name(open_it(), SCOPE, "trainer", holder="a")

    with database.statement() as statements:
        assert statements.rows("SELECT n FROM of_a_later_release") == []


def test_tables_of_a_newer_format_are_refused_and_left_as_they_are(open_it: Open) -> None:
    database = open_it()
    with database.statement() as statements:
        statements.run("UPDATE operational_meta SET value = ?", str(FORMAT + 1))
        statements.run("DROP TABLE named_cursors")

    with pytest.raises(FormatTooNew, match="Upgrade headwater"):
        open_it()

    with database.statement() as statements:
        assert statements.rows("SELECT value FROM operational_meta") == [(str(FORMAT + 1),)]
        statements.run("CREATE TABLE named_cursors (n BIGINT)")  # it was not made again


def test_other_tables_in_their_place_are_refused(open_it: Open) -> None:
    database = open_it()
    with database.statement() as statements:
        statements.run("DROP TABLE operational_meta")

    with pytest.raises(StoreNotOurs, match="'leases'"):
        open_it()


def test_the_clock_is_the_databases(open_it: Open) -> None:
    with open_it().statement() as statements:
        ((first,),) = statements.rows("SELECT NOW_US")
        ((second,),) = statements.rows("SELECT NOW_US")

    assert 1_700_000_000_000_000 < first <= second + 1000  # SQLite's is made of a floating-point number


def test_a_forked_child_goes_on_with_connections_of_its_own(open_it: Open) -> None:
    database = open_it()
    take_name(database, SCOPE, "parent", holder="a")

    child = os.fork()
    if not child:
        try:
            take_name(database, SCOPE, "child", holder="b")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    take_name(database, SCOPE, "parent-again", holder="a")

    assert [found.name for found in named_cursors(database)] == ["child", "parent", "parent-again"]


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from headwater_consumer.operational.database import OperationalDatabase\n"
        "from headwater_consumer.operational.named_cursors import move_cursor, take_name\n"
        "database = OperationalDatabase.open_in_folder(Path(sys.argv[1]))\n"
        "name = sys.argv[2]\n"
        "take_name(database, 'team', name, holder=name)\n"
        "for n in range(50):\n"
        "    move_cursor(database, 'team', name, f'{name}{n}', holder=name)\n"
    )
    processes = [ForkedProcess(["-c", code, str(tmp_path), f"p{n}"]) for n in range(6)]
    assert [process.wait() for process in processes] == [0] * 6

    with closing(OperationalDatabase.open_in_folder(tmp_path)) as database:
        cursors = {found.name: found.cursor for found in named_cursors(database)}
    assert cursors == {f"p{n}": f"p{n}49" for n in range(6)}


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_bytes(b"something else" * 1000)

    with pytest.raises(StoreNotOurs):
        OperationalDatabase.open_in_folder(tmp_path)
    assert (tmp_path / FILE).read_bytes() == b"something else" * 1000


def test_a_schema_whose_name_leaves_no_room_is_refused(tmp_path: Path) -> None:
    url, _ = schema_of(tmp_path)
    with pytest.raises(InvalidSettings, match="_operational"):
        OperationalDatabase.open_postgresql(url, beside="s" * 60)
