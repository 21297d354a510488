"""`headwater runs`: what is known about a run, crashed ones, and ending one."""

import time
from collections import defaultdict

import headwater as sdk
import pytest
from headwater_consumer import queries
from headwater_schemas.positions import position_of

from tests.cli.commands import ask, headwater, refused, run

pytestmark = pytest.mark.usefixtures("store")


def open_run(**given: object) -> sdk.Run:
    """A run as a killed process leaves it: nobody will end it."""
    started = sdk.init(**given)  # type: ignore[arg-type] # each test knows its arguments
    started._writer.client.queue.flush()
    return started


def data(name: str) -> sdk.Artifact:
    artifact = sdk.Artifact(name, "data")
    with artifact.new_file("it.txt") as file:
        file.write(name)
    return artifact


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now_us = time.time_ns() // 1000 + int(seconds * 1_000_000)
    monkeypatch.setattr("headwater.cli.runs.now_us", lambda: now_us)


def test_config_and_summary_are_shown_and_answered() -> None:
    with sdk.init(id="r1", config={"lr": 0.1}) as started:
        started.config["batch"] = 32
        started.summary["accuracy"] = 0.9

    shown, answer = headwater("runs", "r1"), ask("runs", "r1")

    assert '{"batch": 32, "lr": 0.1}' in shown
    assert '{"accuracy": 0.9}' in shown
    assert (answer["config"], answer["summary"]) == ({"batch": 32, "lr": 0.1}, {"accuracy": 0.9})
    assert ask("runs")[0]["summary"] == {"accuracy": 0.9}


def test_the_purpose_of_a_use_is_shown_with_the_run_and_in_both_directions_of_lineage() -> None:
    with sdk.init(id="r1") as started:
        for name, purpose in (("raw", "training data"), ("raw", "test data"), ("plain", None)):
            started.use_artifact(data(name), use_as=purpose)
        started.log_artifact(data("model"))

    given = "raw:v0 (data) [latest] as training data, test data"
    assert "team/animals/raw:v0 as training data, test data" in headwater("runs", "r1")
    assert ask("runs", "r1")["used_as"] == {"team/animals/raw:v0": ["training data", "test data"]}
    assert given in headwater("lineage", "model")
    assert "plain:v0 (data) [latest]\n" in headwater("lineage", "model")
    assert "run r1 as training data, test data" in headwater("lineage", "raw", "--down")
    edges = {(edge["artifact"], edge["relation"]): edge["use_as"] for edge in ask("lineage", "model")["edges"]}
    assert edges == {
        ("team/animals/model:v0", "logged"): [],
        ("team/animals/plain:v0", "used"): [],
        ("team/animals/raw:v0", "used"): ["training data", "test data"],
    }


def test_a_run_that_is_not_heard_of_is_crashed_in_lists_and_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    started = open_run(id="r1")
    assert "running" in headwater("runs")

    later(monkeypatch, 601)

    assert "crashed" in headwater("runs")
    assert [found["state"] for found in (ask("runs")[0], ask("runs", "r1"))] == ["crashed", "crashed"]
    assert "heard of" in headwater("runs", "r1")
    started.finish()
    assert ask("runs", "r1")["state"] == "finished"
    assert "heard of" not in headwater("runs", "r1")


def test_a_run_is_ended_by_hand_and_keeps_what_is_known_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started = open_run(id="r1", config={"lr": 0.1}, tags=["night"], job_type="train", name="First")
    before = ask("runs", "r1")
    later(monkeypatch, 601)

    done = ask("runs", "r1", "--finish", "failed")

    assert done["state"] == "failed"
    kept = ("config", "tags", "started", "job_type", "name", "author", "heartbeat")
    assert {key: done[key] for key in kept} == {key: before[key] for key in kept}
    assert done["finished"] is not None
    assert "has ended (failed)" in refused("runs", "r1", "--finish", "killed")
    started.finish()  # of a process that was alive after all
    assert ask("runs", "r1")["state"] == "finished"


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (("runs", "--finish", "failed"), "--finish ends one run: name RUN", 2),
        (("runs", "r1", "--commit", "0123"), "--job-type, --group and --commit filter the runs of a project", 2),
        (("runs", "r1", "--finish", "running"), "'running' is not one of", 2),
        (("runs", "nobody", "--finish", "failed"), "there is no run team/animals/nobody", 3),
        (("runs", "--commit", "main"), "'main' is not a git commit", 1),
    ],
)
def test_what_cannot_be_shown_or_ended_is_said(arguments: tuple[str, ...], says: str, code: int) -> None:
    with sdk.init(id="r1"):
        pass

    done = run(*arguments)

    assert (done.code, done.out) == (code, "")
    assert says in done.err


def test_runs_of_one_moment_are_listed_in_the_order_of_each_partition() -> None:
    names = [f"r{n}" for n in (5, 3, 9, 1, 7, 2)]
    runs = [sdk.init(id=name) for name in names]  # their starts are appended together, so they share a time
    for started in runs:
        started.finish()

    found = list(sdk.Api().runs())

    assert [answer["run"] for answer in ask("runs")] == [one.path for one in found]
    cursors = [queries.cursor_of(one._info) for one in found if one._info is not None]
    assert cursors == sorted(cursors, reverse=True)
    by_partition: dict[int, list[str]] = defaultdict(list)
    for one, (_, position) in zip(found, cursors, strict=True):
        by_partition[position_of(position).partition].append(one.id)
    for ids in by_partition.values():  # a folder has one
        assert ids == [name for name in reversed(names) if name in ids]
