"""Tables in artifacts, in both ways to run."""

import io
import subprocess
import sys
import textwrap
from pathlib import Path

import headwater
import pandas as pd
import pytest
from headwater import PartitionedTable, Table
from headwater.errors import InvalidInput, InvalidPath, NotFound

from tests.support.forked import ForkedProcess

pytestmark = pytest.mark.usefixtures("store")

TABLE = Table(["a", "b"], [[1, "x"], [2.5, None]])
WRITER_S_MAX = 120  # far more than one takes, on a busy machine too


def logged(**objects: object) -> headwater.Artifact:
    """A version with these; `__` stands for `/` in names."""
    with headwater.init() as run:
        artifact = headwater.Artifact("results", "table")
        for name, value in objects.items():
            artifact.add(value, name.replace("__", "/"))
        return run.log_artifact(artifact).wait()


def test_a_table_that_is_added_is_given_back() -> None:
    artifact = logged(train__stats=TABLE)

    assert artifact.get("train/stats") == TABLE
    assert headwater.Api().artifact("results:latest").get("train/stats") == TABLE
    assert list(artifact.manifest.entries) == ["train/stats.table.parquet"]


def test_a_name_may_be_spelled_in_any_way_and_as_its_entry() -> None:
    artifact = logged(train__stats=TABLE)

    for name in ("./train//stats", "train/stats.table.parquet", Path("train") / "stats"):
        assert artifact.get(name) == TABLE


def test_before_it_is_logged_an_artifact_gives_back_what_was_added() -> None:
    artifact = headwater.Artifact("results", "table")
    artifact.add(TABLE, "parts/1")
    artifact.add(PartitionedTable("parts"), "all")

    assert artifact.get("parts/1") == TABLE
    assert artifact.get("all").to_table() == TABLE  # type: ignore[attr-defined]


def test_a_table_under_the_same_name_takes_the_place_of_the_first() -> None:
    artifact = headwater.Artifact("results", "table")
    artifact.add(PartitionedTable("parts"), "stats")
    artifact.add(Table(["old"]), "stats")
    artifact.add(TABLE, "stats")
    headwater.init().log_artifact(artifact).wait()

    assert artifact.get("stats") == TABLE
    assert list(artifact.manifest.entries) == ["stats.table.parquet"]


def test_a_name_may_be_as_long_as_its_entry_can_be_kept() -> None:
    longest = "x" * (255 - len(".table.parquet"))

    assert logged(**{longest: TABLE}).get(longest) == TABLE
    with pytest.raises(InvalidPath, match="255 bytes"):
        headwater.Artifact("results", "table").add(TABLE, f"{longest}x")


def test_an_equal_table_is_no_new_version() -> None:
    first = logged(stats=TABLE)
    again = logged(stats=Table(TABLE.columns, TABLE.data))
    other = logged(stats=Table(["a"], [[1]]))

    assert (first.version, again.version, other.version) == ("v0", "v0", "v1")


def test_what_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(NotFound, match="'nothing'"):
        logged(stats=TABLE).get("nothing")


def test_the_name_of_a_table_in_the_place_of_its_entry_is_an_error_that_names_the_entry() -> None:
    draft = logged(train__stats=TABLE, all=PartitionedTable("train")).new_draft()

    for name, entry in (("train/stats", "train/stats.table.parquet"), ("all", "all.partitioned-table.json")):
        with pytest.raises(NotFound, match=f"'{name}' .* is stored as '{entry}'"):
            draft.remove(name)
        with pytest.raises(NotFound, match=f"'{name}' .* is a table.* entry is '{entry}'"):
            draft.get_entry(name)
        assert draft.get_entry(entry).size


def test_the_entry_that_adding_gives_can_be_read_and_removed() -> None:
    artifact = headwater.Artifact("results", "table")
    entry = artifact.add(TABLE, "train/stats")

    assert (entry.path, entry.size) == ("train/stats.table.parquet", artifact.size)
    artifact.remove(entry)
    assert artifact.file_count == 0


def test_who_seals_a_shared_version_reads_what_the_others_added() -> None:
    parts = PartitionedTable("parts")
    with headwater.init(group="evaluation") as run:
        first = headwater.Artifact("results", "table")
        first.add(TABLE, "parts/1")
        first.add(parts, "all")
        run.upsert_artifact(first)
        last = headwater.Artifact("results", "table")
        last.add(TABLE, "parts/2")
        last.add(parts, "again")
        before = last.get("again")
        run.finish_artifact(last)

        assert before.parts == ["parts/1", "parts/2"]  # type: ignore[attr-defined]
        assert last.get("all").to_table().data == [*TABLE.data, *TABLE.data]  # type: ignore[attr-defined]


class Model:
    """Something of a user's own."""


@pytest.mark.parametrize("value", [Model(), {"a": 1}, [1], "text", None])
def test_what_cannot_be_added_is_an_error_that_names_its_type_and_adds_nothing(value: object) -> None:
    artifact = headwater.Artifact("results", "table")

    with pytest.raises(InvalidInput, match=rf"an? {type(value).__name__} cannot be added.*Table"):
        artifact.add(value, "x")
    with pytest.raises(InvalidInput, match=r"Table\(dataframe=frame\)"):
        artifact.add(pd.DataFrame(), "x")
    with pytest.raises(InvalidPath):
        artifact.add(TABLE, "../x")
    assert artifact.file_count == 0


def test_a_row_spoiled_after_it_was_checked_adds_nothing() -> None:
    table, artifact = Table(["a"], [[1]]), headwater.Artifact("results", "table")
    table.data[0].append(2)

    with pytest.raises(InvalidInput, match="row 0 has 2 values"):
        artifact.add(table, "x")
    assert artifact.file_count == 0


def test_a_downloaded_table_is_a_parquet_file() -> None:
    artifact = logged(stats=Table(["a", "b"], [[1, "x"], [2, "y"]]))

    found = pd.read_parquet(Path(artifact.download("here")) / "stats.table.parquet")

    assert found.to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}


def test_tables_travel_in_drafts() -> None:
    draft = logged(parts__1=TABLE, all=PartitionedTable("parts"), other=TABLE).new_draft()
    more = Table(["a", "b"], [[3, "z"]])
    draft.add(more, "parts/2")
    draft.remove("other.table.parquet")

    assert draft.get("parts/1") == TABLE
    assert [row for _, row in draft.get("all").iterrows()] == [*TABLE.data, *more.data]  # type: ignore[attr-defined]
    version = draft.save()

    assert version.get("all").to_table() == Table(["a", "b"], [*TABLE.data, *more.data])  # type: ignore[attr-defined]
    with pytest.raises(NotFound):
        version.get("other")


def test_a_table_too_large_for_a_pack_comes_back() -> None:
    table = Table(["n", "s"], [[number, f"{number * 7919 % 100_003:x}" * 5] for number in range(200_000)])

    artifact = logged(big=table)

    assert artifact.size > 3 * 1024 * 1024
    assert artifact.get("big") == table


WRITER = """
    import sys
    import headwater

    i, group, parts_path = int(sys.argv[1]), "writer-group-1", "parts"
    with headwater.init(group=group) as run:
        artifact = headwater.Artifact(name="parallel-artifact", type="dataset")
        table = headwater.Table(columns=["a", "b", "c"], data=[[i, i * 2, 2**i]])
        artifact.add(table, "{}/table_{}".format(parts_path, i))
        run.upsert_artifact(artifact)
"""


def test_parallel_processes_each_add_a_part_and_a_last_one_joins_them() -> None:
    writers = [ForkedProcess(["-c", textwrap.dedent(WRITER), str(i)]) for i in range(5)]
    assert [writer.wait(WRITER_S_MAX) for writer in writers] == [0] * 5

    with headwater.init(group="writer-group-1") as run:
        artifact = headwater.Artifact("parallel-artifact", type="dataset")
        artifact.add(headwater.data_types.PartitionedTable("parts"), "distributed_table")
        run.finish_artifact(artifact)

    found = headwater.Api().artifact("parallel-artifact:latest").get("distributed_table")
    assert isinstance(found, PartitionedTable)
    assert found.to_table() == Table(["a", "b", "c"], [[i, i * 2, 2**i] for i in range(5)])


def test_without_pyarrow_adding_and_getting_are_errors_that_say_how_to_get_it() -> None:
    logged(stats=TABLE)
    script = """
        import sys
        sys.modules["pyarrow"] = None
        import headwater
        table = headwater.Table(["a"], [[1]])
        for attempt in (
            lambda: headwater.Artifact("other", "table").add(table, "x"),
            lambda: headwater.Api().artifact("results:latest").get("stats"),
        ):
            try:
                attempt()
            except headwater.errors.InvalidInput as error:
                print(error)
    """

    said = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)

    assert [line[-31:] for line in said.stdout.splitlines()] == ["pip install 'headwater[tables]'"] * 2


def test_a_table_that_was_added_as_a_file_is_one_too(tmp_path: Path) -> None:
    source = logged(stats=TABLE).download("here")

    with headwater.init() as run:
        artifact = headwater.Artifact("copied", "table")
        artifact.add_dir(source)
        run.log_artifact(artifact).wait()

    assert artifact.get("stats") == TABLE
    assert io.BytesIO((Path(source) / "stats.table.parquet").read_bytes()).read(4) == b"PAR1"
