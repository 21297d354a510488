"""The recipe of docs/events.md: killed anywhere and started again, it handles each event exactly once."""

import sqlite3
from contextlib import closing
from pathlib import Path

import headwater
import pytest

from tests.sdk.conftest import store as store
from tests.support.forked import ForkedProcess
from tests.support.page_session import blocks_of

COMMITS = 20
LIVES_MAX = 200
DIES = "if random.random() < 0.2: os.kill(os.getpid(), 9)"


def deadly_recipe() -> str:
    """The block as it stands on the page, which dies now and then between the effect, the cursor and the commit."""
    (block,) = [block for block in blocks_of("docs/events.md") if "import sqlite3" in block.lines]
    lines = ["import headwater, os, random"]
    for line in block.lines:
        lines.append(line)
        if line.startswith("        state.execute"):
            lines.append(f"        {DIES}")
    return "\n".join([*lines, f"    {DIES}"]) + "\n"


@pytest.mark.usefixtures("store")
def test_the_recipe_handles_each_event_exactly_once_however_often_it_is_killed(tmp_path: Path) -> None:
    with headwater.init(project="pets") as run:
        for n in range(COMMITS):
            artifact = headwater.Artifact("photos", type="dataset")
            with artifact.new_file("a.txt") as file:
                file.write(str(n))
            run.log_artifact(artifact)
    (tmp_path / "recipe.py").write_text(deadly_recipe())

    lives = 1
    while ForkedProcess(["recipe.py"], cwd=tmp_path).wait(60) != 0 and lives < LIVES_MAX:
        lives += 1

    with closing(sqlite3.connect(tmp_path / "deployments.db")) as state:
        deployed = [artifact for (artifact,) in state.execute("SELECT artifact FROM deployed ORDER BY rowid")]
    assert deployed == [f"team/pets/photos:v{n}" for n in range(COMMITS)]
    assert lives > 2
