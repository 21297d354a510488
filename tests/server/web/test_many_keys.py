"""Versions with more metadata than a page shows: what it leaves out it says, and what is asked for is found."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import headwater
import pytest
from headwater_consumer.database import Database
from headwater_server.web.drawing.plot import draw_plot
from headwater_server.web.views.diff import diff
from headwater_server.web.views.json_values import KEYS_MAX
from headwater_server.web.views.metadata import metadata
from headwater_stores.folder import open_folder

from tests.server.recorded import add

COLLECTION = "team/vision/many"
SAME = {f"k{n:05d}": n for n in range(KEYS_MAX + 10)}
LEAST = 5e-324  # of all numbers above 0


@pytest.fixture(scope="module")
def database(module_path: Path) -> Iterator[Database]:
    store = module_path / "many"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADWATER_URL", str(store))
        patch.setenv("HEADWATER_ENTITY", "team")
        patch.setenv("HEADWATER_PROJECT", "vision")
        patch.setenv("HEADWATER_QUIET", "true")
        with headwater.init(id="many") as run:
            different = SAME | {"zz": 0.0}, SAME | {"zz": LEAST}, {f"new{n}": n for n in range(KEYS_MAX)}
            for n, values in enumerate(different):
                artifact = headwater.Artifact("many", type="dataset", metadata=values)
                add(artifact, {"a.txt": b"%d" % n})
                run.log_artifact(artifact).wait()
    with closing(open_folder(store, create=False)) as stores:
        yield stores.database


def test_a_key_that_differs_is_told_however_many_are_the_same(database: Database) -> None:
    found = diff(database, collection=COLLECTION, before="v0", after="v1", cursor=None)
    assert [one.key for one in found.metadata] == ["zz"]
    assert found.metadata_more == 0


def test_keys_that_differ_beyond_those_shown_are_counted(database: Database) -> None:
    found = diff(database, collection=COLLECTION, before="v1", after="v2", cursor=None)
    assert len(found.metadata) == KEYS_MAX
    assert found.metadata_more == len(SAME) + 1


def test_a_key_that_is_asked_for_is_found_among_any_number(database: Database) -> None:
    found = metadata(database, collection=COLLECTION, columns=["zz"], plotted="zz", cursor=None)

    values = {row.version: row.values[0] for row in found.rows}
    assert {version: None if value is None else value.text for version, value in values.items()} == {
        0: "0.0",
        1: "5e-324",
        2: None,
    }
    assert [(point.version, point.value) for point in found.points] == [(0, 0.0), (1, LEAST)]
    assert draw_plot(found.points) is not None
