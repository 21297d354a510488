"""How much room a store takes after many runs of a pipeline whose old versions are pruned and collected."""

import os
import random
import shutil
import signal
from pathlib import Path

import pytest
from headwater_blobs.ownership import MARKER
from headwater_consumer import queries
from headwater_schemas.object_names import project_of

from bench.harness import bytes_in
from examples import digits_pipeline as digits
from tests.cli.commands import ask, headwater
from tests.support.forked import DEVNULL, ForkedProcess
from tests.support.stores import StoreUnderTest

KEPT = 5  # versions of each artifact
SHARE_MAX = 1.10  # of what the versions that are left need
COLLECTIONS_MAX, VERSIONS_MAX = 100, 1000  # more than there are
CATCH_UP_S = 60.0
WAIT_S = 60.0

ROUNDS, COLLECTED_EVERY, MISHAP_EVERY = 20, 4, 9
FILES, CHANGED = 60, 4  # of the raw data, and how many of them change from one round to the next
SIZES = (100, 2000)  # bytes of a file

SOAK_ROUNDS, SOAK_MISHAP_EVERY = 100, 10
CORRECTED = 40  # images in a round
METHODS = ("discriminant", "ridge")  # the quick ones

pytestmark = pytest.mark.on_stores


@pytest.mark.slow
def test_a_pipeline_that_runs_again_and_again_takes_what_its_live_versions_need(
    store: StoreUnderTest, tmp_path: Path
) -> None:
    """Some seconds, since what adds up takes many rounds."""
    dice = random.Random(0)
    pipeline = SmallPipeline(tmp_path, dice)
    headwater("project", "--restore-days", "0")
    headwater("retention", "set", "--keep-last", str(KEPT))

    for number in range(1, ROUNDS + 1):
        pipeline.run()
        if number % MISHAP_EVERY == 0:
            suffer(tmp_path, dice)
        if number % COLLECTED_EVERY == 0:
            headwater("maintain", "--yes")
            headwater("gc", "--grace", "0s")

    check_size(store)
    check_whole()


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_demo_run_a_hundred_times_takes_what_its_live_versions_need(
    store: StoreUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day of the demo's pipeline: a few seconds a round."""
    monkeypatch.setenv("HEADWATER_PROJECT", digits.PROJECT)
    monkeypatch.setenv("HEADWATER_QUIET", "true")
    dice = random.Random(0)
    work = tmp_path / "work"
    digits.write_raw_images(work / "raw")
    headwater("project", "--restore-days", "0")
    sizes = []

    for number in range(SOAK_ROUNDS):
        run_demo(work, dice)
        if number % SOAK_MISHAP_EVERY == 0:
            suffer(tmp_path, dice)
        for one in ask("ls"):
            headwater("prune", one["artifact"], "--keep", str(KEPT), "--also-used")
        headwater("gc", "--grace", "0s")
        sizes.append(check_size(store))

    check_whole()
    print(f"largest, as a share of what is needed: {max(sizes):.3f}; at the end: {sizes[-1]:.3f}")
    if store.is_folder:
        print({part: bytes_in(store.folder / part) for part in ("blobs", "log", "projection")})


# --- pipelines ----------------------------------------------------------------------------------------------------


class SmallPipeline:
    """Raw data of which some files change, what is made of them, and a model."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self._dice = dice
        self._raw, self._split, self._model = (folder / name for name in ("raw", "split", "model"))
        for one in (self._raw, self._split, self._model):
            one.mkdir()
        for number in range(FILES):
            self._write(number)

    def run(self) -> None:
        for number in self._dice.sample(range(FILES), CHANGED):
            self._write(number)
        (self._model / "model.bin").write_bytes(self._dice.randbytes(SIZES[1]))
        for folder in (self._raw, self._split, self._model):
            headwater("log", str(folder), "--name", folder.name)

    def _write(self, number: int) -> None:
        content = self._dice.randbytes(self._dice.randint(*SIZES))
        (self._raw / f"{number}.bin").write_bytes(content)
        (self._split / f"{number}.bin").write_bytes(content[::-1])


def run_demo(work: Path, dice: random.Random) -> None:
    """Some images are corrected, and everything is made of them anew."""
    images = sorted((work / "raw").rglob("*.png"))
    for image in dice.sample(images, CORRECTED):
        digits.save(image, (digits.load(image) + dice.choice([15, 30])) % digits.WHITE)
    raw = digits.log_raw_images(work / "raw", "correct")
    split = digits.prepare(raw, work)
    digits.choose_best([digits.train(split.name, method, work) for method in METHODS])
    for downloaded in ("prepare", "train"):
        shutil.rmtree(work / downloaded)


def suffer(folder: Path, dice: random.Random) -> None:
    """A writer is killed when it has stored everything, a draft is discarded, and the log is archived."""
    lost = folder / "lost"
    lost.mkdir(exist_ok=True)
    (lost / "small").write_bytes(dice.randbytes(SIZES[1]))
    killed = ForkedProcess(
        [
            "-m",
            "tests.faults.at_point",
            "publishing",
            "after",
            "1",
            "KILL",
            "headwater",
            "log",
            str(lost),
            "-n",
            "lost",
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)},
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    assert killed.wait(WAIT_S) == -signal.SIGKILL
    (lost / "small").write_bytes(dice.randbytes(SIZES[1]))
    draft = f"draft-{dice.random()}"
    headwater("log", str(lost), "-n", "lost", "--distributed-id", draft)
    headwater("drafts", "--discard", draft)
    headwater("archive", str(folder / "archive"))


# --- what is left -------------------------------------------------------------------------------------------------


def check_size(store: StoreUnderTest) -> float:
    """What is stored, as a share of what is needed."""
    stored, needed = stored_bytes(store), needed_bytes(store)
    assert needed <= stored <= SHARE_MAX * needed, (stored, needed)
    return stored / needed


def check_whole() -> None:
    found = {one["check"]: one["state"] for one in ask("doctor", "--verify")}
    assert found["stored content"] == "ok"
    assert set(found.values()) <= {"ok", "info"}, found


def stored_bytes(store: StoreUnderTest) -> int:
    """All that is where the content is, with what is staged there."""
    if store.is_folder:
        folder = store.folder / "blobs"
        return bytes_in(folder) - (folder / MARKER).stat().st_size
    return sum(len(store.read(name)) for name in store.objects())


def needed_bytes(store: StoreUnderTest) -> int:
    """The distinct contents of the versions that are not deleted."""
    contents: dict[tuple[str, bytes], int] = {}
    with store.opened() as stores:
        stores.projection.catch_up(timeout_s=CATCH_UP_S)
        for one in queries.collections(stores.database, None, limit=COLLECTIONS_MAX):
            for info in queries.version_infos(stores.database, one.collection, limit=VERSIONS_MAX):
                for page in queries.all_entries(stores.database, info.layers):
                    for entry in page:
                        assert entry.digest is not None
                        assert entry.size is not None
                        assert entry.object_name is not None
                        contents[project_of(entry.object_name), entry.digest] = entry.size
    return sum(contents.values())
