"""The demo, run twice as a user runs it: what it shows, and what is in the store afterwards."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import headwater
import pytest
from headwater._commit.client import client_for, forget_client
from headwater_stores.config.settings import read_settings

from tests.support.forked import PIPE, ForkedProcess
from tests.support.modes import MODES, keep
from tests.support.stores import StoreUnderTest, new_store

ROOT = Path(__file__).parent.parent
IMAGES = 1797
OTHER = "other-store"  # that of whoever runs the demo
MODELS = 4  # before the last training
TIMEOUT_S = 240

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]  # one process, so that it runs once


@pytest.fixture(params=MODES)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@dataclass(frozen=True)
class Demo:
    first: str  # what the first run printed
    second: str
    work: Path
    environment: dict[str, str]
    store: StoreUnderTest

    def ask(self, *arguments: str) -> Any:
        """What `headwater … --json` answers."""
        process = ForkedProcess(["-m", "headwater", *arguments, "--json"], env=self.environment, stdout=PIPE)
        answer, _ = process.communicate(TIMEOUT_S)
        assert process.returncode == 0, answer
        return json.loads(answer)


@pytest.fixture(scope="session")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Demo]]:
    """The demo in a way to run, run twice when it is first asked for."""
    with ExitStack() as places:

        @cache
        def of(mode: str) -> Demo:
            folder = tmp_path_factory.mktemp(f"demo-{mode}")
            place = places.enter_context(new_store(mode, folder / "files" / "store"))
            keep(place.folder)
            environment = {
                **{name: value for name, value in os.environ.items() if not name.startswith(("HEADWATER_", "XDG_"))},
                **place.environment,
                "HOME": str(folder / "home"),
                "HEADWATER_ENTITY": "ada",
                "HEADWATER_PROJECT": "digits-demo",
                "HEADWATER_CACHE_DIR": str(folder / "cache"),
                "HEADWATER_SETTINGS": os.devnull,
            }
            options = () if place.is_embedded else ("--store", place.environment["HEADWATER_URL"])
            theirs = {**environment, "HEADWATER_URL": str(folder / OTHER)}
            first, second = (run_demo(folder / "files", theirs, *options) for _ in range(2))
            return Demo(first, second, folder / "files", environment, place)

        yield of


@pytest.fixture
def demo(way: str, demos: Callable[[str], Demo]) -> Demo:
    return demos(way)


def run_demo(work: Path, environment: dict[str, str], *options: str) -> str:
    command = [sys.executable, str(ROOT / "examples" / "digits_pipeline.py"), str(work), *options]
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def api(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The SDK, looking at what the demo left."""
    for name, value in demo.environment.items():
        if name.startswith("HEADWATER_"):
            monkeypatch.setenv(name, value)
    yield headwater.Api()
    forget_client(client_for(read_settings(), create=False))


def test_each_step_makes_its_versions(demo: Demo) -> None:
    versions = {name: len(demo.ask("ls", name)) for name in ("digits", "digits-split", "digits-model")}

    assert versions == {"digits": 2, "digits-split": 2, "digits-model": MODELS + 1}
    assert f"digits:v0, {IMAGES:,} of {IMAGES:,} files new" in demo.first
    assert f"digits:v1, 1 of {IMAGES:,} files new" in demo.first


def test_it_ends_with_what_to_type_next(demo: Demo) -> None:
    script = demo.first.partition("Look around in it:\n")[2].replace("make services", "true")
    environment = {name: value for name, value in demo.environment.items() if name != "HEADWATER_PROJECT"}

    said = subprocess.run(["sh", "-ec", script], env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout

    assert "digits-model:v4" in said


def test_it_has_a_store_of_its_own(demo: Demo) -> None:
    assert demo.store.environment["HEADWATER_URL"] in demo.first
    assert not (demo.work.parent / OTHER).exists()


def test_the_models_were_trained_at_the_same_time(demo: Demo) -> None:
    runs = sorted(demo.ask("runs", "--job-type", "train"), key=lambda run: run["started"])[:MODELS]

    assert {run["config"]["method"] for run in runs} == {"discriminant", "logistic", "ridge", "vector"}
    assert {run["state"] for run in runs} == {"finished"}
    assert any(later["started"] < earlier["finished"] for earlier, later in pairwise(runs))


def test_the_second_run_makes_no_version_that_was_there(demo: Demo) -> None:
    assert demo.second.count("no new version") == demo.first.count(" stored\n")
    assert not re.search(r"files? new", demo.second)


def test_the_second_run_stores_no_byte(demo: Demo) -> None:
    assert stored_in_all(demo.first) == stored_in_all(demo.second)
    assert newly_stored(demo.second) == 0


def test_a_corrected_image_costs_its_own_bytes(demo: Demo) -> None:
    corrected = demo.work / re.findall(r"^(raw/\S+\.png) has", demo.first, re.MULTILINE)[0]

    assert newly_stored(demo.first) == corrected.stat().st_size < 1000


def test_the_bytes_said_are_those_in_the_store(demo: Demo) -> None:
    assert stored_in_all(demo.second) == sum(len(demo.store.read(name)) for name in demo.store.objects())


def test_the_versions_digests_and_lineage_are_the_same_in_both_ways_to_run(
    demos: Callable[[str], Demo], modes: tuple[str, ...]
) -> None:
    one, other = (_recorded(demos(way)) for way in modes)

    assert one == other


def _recorded(demo: Demo) -> dict[str, Any]:
    """What does not depend on the day: the ids of runs, and which model was trained first, do."""
    names = ("digits", "digits-split", "digits-model")
    digests = {name: sorted(version["digest"] for version in demo.ask("ls", name)) for name in names}
    edges = demo.ask("lineage", "digits-model:best")["edges"]
    best = {(edge["artifact"].rpartition("-model:")[0] or edge["artifact"], edge["relation"]) for edge in edges}
    return {"digests": digests, "lineage of the best": best}


def test_the_best_model_goes_back_to_the_raw_images(api: headwater.Api) -> None:
    found, waiting = set(), [api.artifact("digits-model:best")]
    while waiting:
        version = waiting.pop()
        if version.name not in found:
            found.add(version.name)
            run = version.logged_by()
            assert run is not None
            waiting += run.used_artifacts()

    assert {name.partition(":")[0] for name in found} == {"digits", "digits-split", "digits-model"}
    assert {"digits:v0", "digits:v1", "digits-split:v1"} <= found


def test_the_lineage_is_shown_from_the_model_back_to_the_raw_images(demo: Demo) -> None:
    shown = demo.first.partition("what was recorded")[2].partition("versions of")[0]

    places = [shown.find(name) for name in ("digits-model:v4", "digits-split:v1", "digits:v1", "digits:v0")]
    assert -1 not in places
    assert places == sorted(places)


def test_the_best_model_has_the_best_score_and_recognises_digits(api: headwater.Api) -> None:
    scores = [api.artifact(f"digits-model:v{number}").metadata["accuracy"] for number in range(MODELS + 1)]

    assert api.artifact("digits-model:best").metadata["accuracy"] == max(scores) > 0.9


def test_the_raw_images_come_back_as_they_were(api: headwater.Api, demo: Demo, tmp_path: Path) -> None:
    api.artifact("digits:v1").download(tmp_path / "raw")

    assert contents(tmp_path / "raw") == contents(demo.work / "raw")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}


def newly_stored(output: str) -> int:
    return number_in(r"newly stored: ([\d,]+) bytes", output)


def stored_in_all(output: str) -> int:
    return number_in(r"^([\d,]+) bytes of content in the store", output)


def number_in(pattern: str, output: str) -> int:
    found = re.search(pattern, output, re.MULTILINE)
    assert found, output
    return int(found[1].replace(",", ""))
