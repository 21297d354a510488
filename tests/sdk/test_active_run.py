"""Where an artifact goes that is saved without naming a run: with the run of the caller's own thread or task."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import headwater
import pytest
from headwater._commit import client as clients
from headwater.errors import InvalidInput

pytestmark = pytest.mark.usefixtures("store")

PLACES = 2
WAIT_S = 60


def note(name: str) -> headwater.Artifact:
    artifact = headwater.Artifact(name, "note")
    with artifact.new_file("note.txt") as file:
        file.write(name)
    return artifact


def place_of(artifact: headwater.Artifact) -> tuple[str, str | None]:
    """The project of a version, and the id of the run that logged it."""
    run = artifact.logged_by()
    return artifact.project, run and run.id


def in_a_pool(work: Callable[[], headwater.Artifact]) -> headwater.Artifact:
    """What a thread returns that inherits nothing."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(WAIT_S)


def test_threads_that_each_started_a_run_save_to_their_own() -> None:
    together, found = threading.Barrier(PLACES, timeout=WAIT_S), {}

    def work(number: int) -> None:
        with headwater.init(project=f"p{number}", id=f"r{number}"):
            together.wait()
            found[number] = place_of(note(f"n{number}").save())
            together.wait()

    with ThreadPoolExecutor(PLACES) as pool:
        list(pool.map(work, range(PLACES)))

    assert found == {number: (f"p{number}", f"r{number}") for number in range(PLACES)}


def test_tasks_that_each_started_a_run_save_to_their_own_and_others_to_that_of_their_parent() -> None:
    async def task(number: int, together: asyncio.Barrier) -> tuple[str, str | None]:
        with headwater.init(project=f"p{number}", id=f"r{number}"):
            await together.wait()
            saved = await asyncio.to_thread(note(f"n{number}").save)
            await together.wait()
        return place_of(saved)

    async def child() -> tuple[str, str | None]:
        return place_of(note("of-parent").save())

    async def main() -> list[tuple[str, str | None]]:
        together = asyncio.Barrier(PLACES)
        with headwater.init(project="parent", id="parent"):
            return await asyncio.gather(*(task(number, together) for number in range(PLACES)), child())

    assert asyncio.run(main()) == [("p0", "r0"), ("p1", "r1"), ("parent", "parent")]


def test_a_pool_of_threads_saves_to_the_only_open_run() -> None:
    with headwater.init(project="only", id="only"):
        assert place_of(in_a_pool(lambda: note("n").save())) == ("only", "only")

    assert place_of(in_a_pool(lambda: note("m").save())) == ("animals", None)


def test_a_thread_without_a_run_of_its_own_must_say_which_of_several_it_means() -> None:
    with headwater.init(project="p", id="one") as one, headwater.init(project="q", id="other"):
        with pytest.raises(InvalidInput, match=r"several runs are open.*team/p/one, team/q/other.*run\.log_artifact"):
            in_a_pool(lambda: note("n").save())
        logged = in_a_pool(lambda: one.log_artifact(note("n")).wait())

        assert place_of(logged) == ("p", "one")
        assert [artifact.name for artifact in one.logged_artifacts()] == ["n:v0"]
    assert headwater.Api().runs("q")[0].logged_artifacts() == []


def test_the_newest_open_run_of_a_thread_is_meant_and_when_it_is_over_the_one_before() -> None:
    with headwater.init(id="outer"):
        inner = headwater.init(id="inner")
        assert place_of(note("a").save()) == ("animals", "inner")
        inner.finish()
        assert place_of(note("b").save()) == ("animals", "outer")
    assert place_of(note("c").save()) == ("animals", None)


def test_a_run_that_another_process_ended_takes_nothing_more_once_its_store_is_closed() -> None:
    run = headwater.init(id="r1")
    run._writer._state = "failed"  # as after `headwater runs r1 --finish failed`
    clients.forget_client(run._writer.client)

    assert headwater.run is None
    assert place_of(note("n").save()) == ("animals", None)


def test_a_thread_without_a_run_cannot_fill_an_artifact_for_one_of_several_stores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = headwater.init(id="first")
    monkeypatch.setenv("HEADWATER_URL", str(tmp_path / "other"))
    with headwater.init(id="second"):
        with pytest.raises(InvalidInput, match="several runs are open"):
            in_a_pool(lambda: note("n"))
        first.finish()
        assert place_of(in_a_pool(lambda: note("n").save())) == ("animals", "second")
