"""The config and the summary of a run: they can be changed until it ends, and nothing of that is lost."""

import argparse
import copy
import json
import pickle
import threading
import time
from collections.abc import Callable
from typing import Any

import headwater
import pytest
from headwater._run import upkeep
from headwater.errors import InvalidInput, InvalidMetadata, InvalidName
from headwater_consumer.database.connection import driver_connection
from headwater_schemas.limits import METADATA_BYTES_MAX, RUN_VALUES_REMOVED_MAX

from tests.runtime.forks import in_a_fork
from tests.support.stores import StoreUnderTest

pytestmark = pytest.mark.usefixtures("store")


def recorded(run: headwater.Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """Config and summary, as any other process reads them."""
    found = headwater.Api().run(run.path)
    return dict(found.config), dict(found.summary)


def values_recorded(store: StoreUnderTest) -> int:
    """How often the config or the summary changed on the log, as the projection keeps it."""
    with store.opened() as stores, stores.database.snapshot() as connection:
        rows: Any = driver_connection(connection).execute("SELECT count(*) FROM run_values").fetchone()
    return int(rows[0])


def waited_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_what_is_set_after_the_start_is_recorded() -> None:
    with headwater.init(config={"epochs": 3}) as run:
        run.config["lr"] = 0.1
        run.config.update({"batch": 32}, seed=None)
        run.config.optimizer = {"name": "adam", "betas": (0.9, 0.999)}
        run.config.setdefaults({"lr": 7, "warmup": 5})
        run.summary["accuracy"] = 0.5
        run.summary.update({"accuracy": 0.9, "loss": 0.1})

        assert (run.config.lr, run.config["batch"], run.config.optimizer["betas"]) == (0.1, 32, [0.9, 0.999])

    expected = {"epochs": 3, "lr": 0.1, "batch": 32, "seed": None, "warmup": 5}
    assert recorded(run) == (
        {**expected, "optimizer": {"name": "adam", "betas": [0.9, 0.999]}},
        {"accuracy": 0.9, "loss": 0.1},
    )


def test_values_are_merged_by_an_operator_and_never_replaced_in_silence() -> None:
    with headwater.init(config={"epochs": 3}) as run:
        run.config |= {"lr": 0.1}
        run.summary |= {"loss": 0.5}
        with pytest.raises(InvalidInput, match=r"run\.config\.update"):
            run.config = {"lr": 7}  # type: ignore[assignment]

    assert recorded(run) == ({"epochs": 3, "lr": 0.1}, {"loss": 0.5})


def test_what_is_removed_is_recorded_as_well() -> None:
    with headwater.init(config={"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}) as run:
        del run.config["a"]
        del run.config.b
        assert (run.config.pop("c"), run.config.pop("none", 0)) == (3, 0)
        assert run.config.popitem() == ("e", 5)
        run.summary.update({"x": 1})
        run.summary.clear()

    assert recorded(run) == ({"d": 4}, {})


def test_a_value_inside_a_value_can_be_changed_in_place() -> None:
    with headwater.init(config={"model": {"layers": [1]}}) as run:
        run.config["model"]["layers"].append(2)
        run.config["model"]["width"] = 8

    assert recorded(run)[0] == {"model": {"layers": [1, 2], "width": 8}}


def test_a_value_is_copied_when_it_is_set() -> None:
    layers = [1]
    with headwater.init() as run:
        run.config["layers"] = layers
        layers.append(2)

        assert run.config == {"layers": [1]}

    assert recorded(run)[0] == {"layers": [1]}


def test_arguments_of_a_command_line_are_a_config() -> None:
    arguments = argparse.Namespace(lr=0.1, name="x")
    with headwater.init(config=arguments) as run:  # type: ignore[arg-type] # what scripts pass
        run.config.update(argparse.Namespace(batch=3))

    assert recorded(run)[0] == {"lr": 0.1, "name": "x", "batch": 3}


def test_a_config_is_a_dictionary_to_whoever_takes_one() -> None:
    with headwater.init(config={"b": [1], "a": 2}) as run:
        assert json.loads(json.dumps(run.config)) == {**run.config} == run.config == {"a": 2, "b": [1]}
        for copied in (pickle.loads(pickle.dumps(run.config)), copy.deepcopy(run.config), run.config.as_dict()):
            assert (type(copied), copied) == (dict, {"a": 2, "b": [1]})
            copied["b"].append(2)

    assert recorded(run)[0] == {"a": 2, "b": [1]}


@pytest.mark.parametrize(
    ("name", "value", "error", "says"),
    [
        ("x", {1, 2}, InvalidMetadata, r"config\['x'\] is a set"),
        ("x", float("nan"), InvalidMetadata, r"config\['x'\] is nan"),
        (3, 1, InvalidMetadata, "JSON keys are text"),
        ("x", "y" * METADATA_BYTES_MAX, InvalidMetadata, "config is .* bytes of JSON"),
        ("x\x00", 1, InvalidName, "the name of a config value contains"),
        ("x" * 2000, 1, InvalidName, "the name of a config value has 2,000 characters"),
    ],
)
def test_what_cannot_be_recorded_is_refused_at_once_and_changes_nothing(
    name: Any, value: object, error: type[Exception], says: str
) -> None:
    with headwater.init(config={"a": 1}) as run:
        with pytest.raises(error, match=says):
            run.config[name] = value
        with pytest.raises(error, match=says):
            run.config.update({"b": 2, name: value})
        with pytest.raises(InvalidMetadata, match="summary must be a dictionary, not list"):
            run.summary.update([1])

        assert run.config == {"a": 1}

    assert recorded(run) == ({"a": 1}, {})


def test_values_that_are_too_large_together_are_refused() -> None:
    half = "x" * (METADATA_BYTES_MAX // 2)
    with headwater.init() as run:
        run.config["a"] = half
        with pytest.raises(InvalidMetadata, match="bytes of JSON"):
            run.config["b"] = half
        run.config["a"] = 1
        run.config["b"] = half

    assert recorded(run)[0] == {"a": 1, "b": half}


def test_a_value_that_became_invalid_in_place_is_an_error_at_the_end_and_the_others_are_recorded() -> None:
    run = headwater.init(config={"model": {}, "a": 1})
    run.config["model"]["layers"] = {1, 2}
    run.config["a"] = 2

    with pytest.raises(InvalidMetadata, match=r"config\['model'\]\['layers'\] is a set"):
        run.finish()

    assert recorded(run)[0] == {"model": {}, "a": 2}


def test_the_end_of_a_run_ends_its_changes() -> None:
    run = headwater.init(config={"a": 1})
    run.finish()

    for change in (
        lambda: run.config.update(a=2),
        lambda: run.summary.update(a=2),
        lambda: run.config.clear(),
        lambda: run.config.pop("a"),
    ):
        with pytest.raises(InvalidInput, match="has ended"):
            change()
    assert run.config == {"a": 1}


def test_the_values_of_a_run_that_was_looked_up_cannot_be_set() -> None:
    with headwater.init(id="r1", config={"a": 1}):
        found = headwater.Api().run("r1")
        with pytest.raises(InvalidInput, match=r"read from the store.*headwater\.init"):
            found.config["a"] = 2
        with pytest.raises(InvalidInput, match="read from the store"):
            del found.config["a"]

    assert found.config == {"a": 1}


def test_a_forked_process_cannot_set_the_values_of_its_parents_run() -> None:
    with headwater.init() as run:

        def is_refused() -> bool:
            try:
                run.config["a"] = 1
            except InvalidInput as error:
                return "in the process that started it" in str(error)
            return False

        assert in_a_fork(is_refused)

    assert recorded(run)[0] == {}


def test_changes_are_recorded_together_while_the_run_goes_on(
    store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "FIRST_LOOK_S", 0.05)
    with headwater.init() as run:
        for step in range(1000):
            run.summary["step"] = step
            run.summary[f"value {step}"] = step
        waited_until(lambda: recorded(run)[1].get("step") == 999)

        assert 1 <= values_recorded(store) < 20


def test_more_names_than_one_event_can_remove_are_removed() -> None:
    names = [f"v{n}" for n in range(RUN_VALUES_REMOVED_MAX * 2 + 1)]
    with headwater.init(config=dict.fromkeys(names, 1)) as run:
        run.config.clear()
        run.config["last"] = 1

    assert recorded(run)[0] == {"last": 1}


def test_threads_that_set_values_lose_none() -> None:
    with headwater.init() as run:

        def work(thread: int) -> None:
            for n in range(200):
                run.config[f"{thread}.{n}"] = n

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(recorded(run)[0]) == 800
