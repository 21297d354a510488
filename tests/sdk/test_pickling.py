"""What goes to another process, or is copied: handles open their store there when they are used."""

import copy
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import headwater
import pytest
from headwater._commit import client as clients
from headwater.errors import InvalidInput, NotFound, StoreMissing

from tests.support.stores import StoreUnderTest
from tests.support.warm_processes import warm

WAIT_S = 60.0


@pytest.fixture
def pets(store: StoreUnderTest) -> headwater.Artifact:
    """A version that a run has logged, with a file and a table."""
    with headwater.init(id="first", config={"lr": 0.5}, tags=["good"]) as run:
        artifact = headwater.Artifact("pets", "dataset", metadata={"a": {"b": [1]}})
        with artifact.new_file("cat.txt") as file:
            file.write("meow")
        artifact.add(headwater.Table(columns=["n"], data=[[1], [2]]), "numbers")
        artifact.tags.append("mine")
        run.summary["score"] = 3
        return run.log_artifact(artifact, aliases=["best"]).wait()


def elsewhere(given: Any) -> Any:
    """As another process gets it: with no client of this one."""
    text = pickle.dumps(given)
    for client in list(clients._clients.values()):
        clients.forget_client(client)
    return pickle.loads(text)


Get = Callable[[headwater.Artifact], Any]
HANDLES: dict[str, tuple[Get, Callable[[Any], object]]] = {
    "artifact": (lambda pets: pets, lambda it: (it.qualified_name, it.digest, it.metadata, it.tags, it.aliases)),
    "entry": (lambda pets: pets.get_entry("cat.txt"), lambda it: (it.path, it.digest, Path(it.download()).read_text())),
    "files": (lambda pets: pets.files(), lambda it: [(entry.path, entry.size) for entry in it]),
    "manifest": (lambda pets: pets.manifest, lambda it: sorted(it.entries)),
    "table": (lambda pets: pets.get("numbers"), lambda it: (it.columns, list(it.iterrows()))),
    "api": (lambda _: headwater.Api(), lambda it: it.artifact("pets:best").qualified_name),
    "run": (lambda _: headwater.Api().run("first"), lambda it: (it.path, it.state, it.config, it.summary, it.tags)),
    "runs": (lambda _: headwater.Api().runs(), lambda it: [run.path for run in it]),
    "logged_by": (lambda pets: pets.logged_by(), lambda it: [found.name for found in it.logged_artifacts()]),
    "collection": (
        lambda _: headwater.Api().artifact_collection("dataset", "pets"),
        lambda it: (it.qualified_name, [found.name for found in it.artifacts()]),
    ),
    "type": (lambda _: headwater.Api().artifact_type("dataset"), lambda it: [one.name for one in it.collections()]),
}


@pytest.mark.parametrize("name", HANDLES)
def test_a_handle_is_the_same_elsewhere_and_as_a_copy(pets: headwater.Artifact, name: str) -> None:
    get, look = HANDLES[name]
    handle = get(pets)
    seen = look(handle)

    assert look(copy.deepcopy(handle)) == seen
    assert look(elsewhere(handle)) == seen


def test_an_open_draft_can_be_discarded_elsewhere(pets: headwater.Artifact) -> None:
    with headwater.init() as run:
        run.upsert_artifact(headwater.Artifact("pets", "dataset"), "shared").wait()
    (draft,) = headwater.Api().drafts()

    elsewhere(draft).discard()

    assert list(headwater.Api().drafts()) == []
    assert pets.state == "committed"


def test_what_was_edited_goes_along_and_is_saved_there(pets: headwater.Artifact) -> None:
    pets.metadata["new"] = 1
    pets.aliases.append("edited")

    found = elsewhere(pets)
    found.save()
    found.aliases.move("moved")

    now = headwater.Api().artifact("pets")
    assert (now.metadata["new"], sorted(now.aliases)) == (1, ["best", "edited", "latest", "moved"])


def test_a_version_that_is_on_its_way_is_waited_for(store: StoreUnderTest) -> None:
    with headwater.init() as run:
        artifact = run.log_artifact(headwater.Artifact("pets", "dataset"))

        assert pickle.loads(pickle.dumps(artifact)).version == "v0"


@pytest.mark.usefixtures("store")
def test_what_is_not_logged_yet_says_what_to_pass_instead() -> None:
    draft = headwater.Artifact("pets", "dataset")
    with draft.new_file("cat.txt") as file:
        file.write("meow")

    for given in (draft, draft.get_entry("cat.txt")):
        for act in (pickle.dumps, copy.deepcopy):
            with pytest.raises(InvalidInput, match=r"pets is not logged yet.* pass the paths of its files"):
                act(given)


def test_attributes_are_copied_without_their_version(pets: headwater.Artifact) -> None:
    metadata, aliases, tags = (copy.deepcopy(given) for given in (pets.metadata, pets.aliases, pets.tags))
    metadata["a"]["b"].append(2)
    aliases.append("more")

    assert (metadata, tags) == ({"a": {"b": [1, 2]}}, ["mine"])
    assert (pets.metadata, "more" in pets.aliases) == ({"a": {"b": [1]}}, False)
    with pytest.raises(InvalidInput, match="of a copy, use the artifact's own aliases"):
        aliases.move("best")
    assert copy.deepcopy(headwater.Api().run("first").config) == {"lr": 0.5}


def test_no_secret_is_pickled(store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch, pets: headwater.Artifact) -> None:
    for handle in (pets, pets.logged_by(), headwater.Api(), headwater.Api().runs()):
        text = pickle.dumps(handle)
        for name in ("HEADWATER_DATABASE_URL", "HEADWATER_S3_SECRET_KEY"):
            assert name not in store.environment or store.environment[name].encode() not in text
    monkeypatch.undo()


def test_nothing_is_opened_before_it_is_used(store: StoreUnderTest, pets: headwater.Artifact) -> None:
    if not store.is_embedded:
        return
    text = pickle.dumps([pets, pets.logged_by()])
    for client in list(clients._clients.values()):
        clients.forget_client(client)
    store.folder.rename(store.folder.with_name("moved"))

    found, run = pickle.loads(text)

    assert (found.qualified_name, run.id) == ("team/animals/pets:v0", "first")
    with pytest.raises(StoreMissing):
        found.download()


def _log_in_worker(environment: dict[str, str], run: headwater.Run, base: headwater.Artifact) -> str:
    os.environ.update(environment)
    draft = base.new_draft()
    with draft.new_file("dog.txt") as file:
        file.write("woof")
    return run.log_artifact(draft).wait().version


def _raise_in_worker(environment: dict[str, str], name: str) -> None:
    os.environ.update(environment)
    headwater.Api().artifact(name)


def test_a_worker_logs_to_the_run_of_its_parent_and_its_errors_arrive(pets: headwater.Artifact) -> None:
    here = dict(os.environ)
    with headwater.init(id="parent") as run, warm.Pool(1) as pool:
        assert pool.apply_async(_log_in_worker, (here, run, pets)).get(WAIT_S) == "v1"
        with pytest.raises(NotFound, match="nothing"):
            pool.apply_async(_raise_in_worker, (here, "nothing")).get(WAIT_S)
        with pytest.raises(InvalidInput, match="not logged yet"):
            pool.apply_async(_log_in_worker, (here, run, headwater.Artifact("new", "dataset"))).get(WAIT_S)
        assert run.state == "running"

    found = headwater.Api().artifact("pets:v1").logged_by()
    assert found is not None
    assert found.id == "parent"
