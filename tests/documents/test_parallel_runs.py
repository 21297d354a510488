"""Adding files from parallel runs: the documents' example, with processes of their own in the place of a cluster."""

import multiprocessing
import time

import headwater
import pytest
from headwater.errors import EventRejected

from tests.documents.pieces import contents

artifact_type = "dataset"
artifact_name = "parallel-artifact"
table_name = "distributed_table"
parts_path = "parts"
num_parallel = 5

JOIN_S = 120.0  # a process that starts Python anew, on a busy machine


def train(i: int, group_name: str) -> None:
    """
    Our writer job. Each writer will add one table to the artifact.
    """
    with headwater.init(group=group_name) as run:
        artifact = headwater.Artifact(name=artifact_name, type=artifact_type)

        # Add data to a table. In this case we use example data
        table = headwater.Table(columns=["a", "b", "c"], data=[[i, i * 2, 2**i]])

        # Add the table to folder in the artifact
        artifact.add(table, f"{parts_path}/table_{i}")

        # Upserting the artifact creates or appends data to the artifact
        run.upsert_artifact(artifact)


def train_in_parallel(group_name: str) -> None:
    """Launch the runs, and join on all of them."""
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=train, args=(i, group_name)) for i in range(num_parallel)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(JOIN_S)
    assert [writer.exitcode for writer in writers] == [0] * num_parallel


def finish(group_name: str) -> headwater.Artifact:
    with headwater.init(group=group_name) as run:
        artifact = headwater.Artifact(artifact_name, type=artifact_type)

        # Create a "PartitionTable" pointing to the folder of tables
        # and add it to the artifact.
        artifact.add(headwater.data_types.PartitionedTable(parts_path), table_name)

        # Finish artifact finalizes the artifact, disallowing future "upserts"
        # to this version.
        return run.finish_artifact(artifact)


def test_parallel_runs_contribute_to_one_artifact_and_one_run_finishes_it() -> None:
    # Each batch of parallel writers should have its own unique group name.
    group_name = f"writer-group-{round(time.time())}"

    train_in_parallel(group_name)
    assert not headwater.Api().artifact_exists(artifact_name)
    finish(group_name)

    found = headwater.Api().artifact(f"{artifact_name}:latest")
    joined = found.get(table_name)
    assert isinstance(joined, headwater.PartitionedTable)
    assert joined.parts == [f"{parts_path}/table_{i}" for i in range(num_parallel)]
    assert (joined.columns, [row for _, row in joined.iterrows()]) == (
        ["a", "b", "c"],
        [[i, i * 2, 2**i] for i in range(num_parallel)],
    )
    assert found.get(f"{parts_path}/table_3") == headwater.Table(["a", "b", "c"], [[3, 6, 8]])
    assert (found.version, found.file_count) == ("v0", num_parallel + 1)


def test_finishing_disallows_future_upserts_to_this_version() -> None:
    train(1, "writer-group")
    finish("writer-group")

    with pytest.raises(EventRejected, match="parallel-artifact:v0"):
        train(2, "writer-group")

    joined = headwater.Api().artifact(artifact_name).get(table_name)
    assert isinstance(joined, headwater.PartitionedTable)
    assert joined.to_table().data == [[1, 2, 2]]


def test_each_batch_of_writers_has_a_group_of_its_own_and_is_a_version_of_its_own() -> None:
    for batch in ("one", "two"):
        with headwater.init(group=f"writer-group-{batch}") as run:
            artifact = headwater.Artifact(name=artifact_name, type=artifact_type)
            with artifact.new_file(batch) as file:
                file.write(batch)
            run.upsert_artifact(artifact)
        finish(f"writer-group-{batch}")

    versions = headwater.Api().artifact_versions(artifact_type, artifact_name)
    assert [contents(version) for version in versions] == [
        ["distributed_table.partitioned-table.json", "two"],
        ["distributed_table.partitioned-table.json", "one"],
    ]
