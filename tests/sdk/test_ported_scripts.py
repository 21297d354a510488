"""What stands around the artifact lines of scripts that were written for an experiment tracker."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import headwater
import pytest
from headwater.errors import InvalidInput, InvalidSettings, NotFound

from tests.support.forked import PIPE, ForkedProcess
from tests.support.stores import StoreUnderTest

pytestmark = pytest.mark.usefixtures("store")


def note(name: str = "n", text: str = "one") -> headwater.Artifact:
    artifact = headwater.Artifact(name, "note")
    with artifact.new_file("note.txt") as file:
        file.write(text)
    return artifact


def state_of(run_id: str) -> str:
    return headwater.Api().run(run_id).state


# --- the active run ---------------------------------------------------------------------------------------------


def test_the_active_run_can_be_asked_for_and_ended_without_a_handle() -> None:
    assert headwater.run is None
    run = headwater.init(id="r1", config={"lr": 1})
    assert headwater.run is run
    assert headwater.config == {"lr": 1}

    headwater.finish()

    assert (headwater.run, state_of("r1")) == (None, "finished")
    headwater.finish()  # nothing is open, and that is no error
    with pytest.raises(InvalidInput, match=r"no config\. Call `headwater\.init"):
        _ = headwater.config


def test_a_run_whose_handle_was_dropped_is_still_the_active_one() -> None:
    headwater.init(id="r1")

    assert headwater.run is not None
    assert headwater.run.id == "r1"
    headwater.finish()


@pytest.mark.parametrize(("code", "state"), [(0, "finished"), (1, "failed")])
def test_an_exit_code_says_how_a_run_ends(code: int, state: str) -> None:
    headwater.init(id="r1").finish(exit_code=code)
    headwater.init(id="r2")
    headwater.finish(exit_code=code)

    assert (state_of("r1"), state_of("r2")) == (state, state)


# --- options of init --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"mode": "offline"}, "HEADWATER_URL to a folder"),
        ({"mode": "onlin"}, "'disabled' to record nothing"),
        ({"notes": "first try"}, "config="),
        ({"dir": "/tmp/runs"}, "HEADWATER_CACHE_DIR"),
        ({"settings": {"quiet": True}}, "headwater doctor"),
        ({"resume": True}, "Pass id="),
        ({"resume": "must"}, "Pass id="),
        ({"resume": "perhaps"}, "'must' or 'never'"),
        ({"reinit": "perhaps"}, "'finish_previous'"),
    ],
)
def test_an_option_that_cannot_be_honoured_says_what_to_do_and_starts_nothing(
    options: dict[str, Any], advice: str
) -> None:
    with headwater.init(id="r1") as run:
        with pytest.raises(InvalidInput, match=advice):
            headwater.init(**options)
        assert headwater.run is run
    assert [found.id for found in headwater.Api().runs()] == ["r1"]


def test_a_run_is_resumed_only_where_it_must_exist_and_started_only_where_it_must_not() -> None:
    with pytest.raises(NotFound, match="no run team/animals/r1 to resume"):
        headwater.init(id="r1", resume="must")
    for resume in ("never", "allow", "must", True):
        headwater.init(id="r1", resume=resume).finish()
    with pytest.raises(InvalidInput, match="r1 exists already"):
        headwater.init(id="r1", resume="never")


def test_a_run_that_is_active_stays_beside_the_new_one_or_is_finished_or_returned_as_asked() -> None:
    first = headwater.init(id="first")
    beside = headwater.init(id="beside")
    assert (first.state, headwater.run) == ("running", beside)

    assert headwater.init(id="not-started", reinit=False) is beside
    last = headwater.init(id="last", reinit=True)

    assert (first.state, beside.state, headwater.run) == ("running", "finished", last)
    assert {run.id for run in headwater.Api().runs()} == {"first", "beside", "last"}


def test_bad_input_finishes_no_run() -> None:
    run = headwater.init(id="r1")

    for wrong in ({"project": "a b"}, {"id": "none", "resume": "must"}, {"id": "r1", "resume": "never"}):
        with pytest.raises((InvalidInput, NotFound)):
            headwater.init(**wrong, reinit=True)  # type: ignore[arg-type]

    assert run.state == "running"


# --- runs that record nothing -----------------------------------------------------------------------------------


def test_a_disabled_run_works_and_records_nothing(store: StoreUnderTest, capsys: pytest.CaptureFixture[str]) -> None:
    with headwater.init(id="r1", mode="disabled", config={"lr": 1}) as run:
        logged = run.log_artifact(note(), aliases=["best"]).wait()
        assert (logged.version, logged.aliases) == ("v0", ["best", "latest"])
        assert run.use_artifact("n:best").digest == logged.digest
        note("saved").save()
        assert (headwater.run, run.config) == (run, {"lr": 1})

    assert capsys.readouterr().err == "headwater: mode='disabled': nothing of this run is recorded\n"
    assert not (store.folder.exists() and store.is_embedded), "not even a store was made"
    headwater.init(id="r2").finish()
    assert [found.id for found in headwater.Api().runs()] == ["r2"]
    assert not headwater.Api().artifact_exists("n")


def test_a_disabled_run_uses_what_is_stored_and_what_it_logs_of_it_is_lost() -> None:
    note().save()
    filled_before = note("other")
    with headwater.init(id="r1", mode="disabled") as run:
        used = run.use_artifact("n:latest", type="note")
        assert Path(used.download("there"), "note.txt").read_text() == "one"
        assert run.use_artifact(used) is used
        with pytest.raises(InvalidInput, match="'note', not 'model'"):
            run.use_artifact("n", type="model")
        with pytest.raises(NotFound, match="no artifact team/animals/nothing"):
            run.use_artifact("nothing")
        draft = used.new_draft()
        draft.remove("note.txt")
        for artifact in (draft, filled_before):
            assert run.log_artifact(artifact).wait() is artifact
            assert artifact.state == "unrecorded"
            with pytest.raises(InvalidInput, match=r"mode='disabled'.* so it has no version"):
                _ = artifact.version
        saved = used.new_draft().save()
        assert saved.state == "unrecorded"

    assert used.used_by() == []
    assert [found.version for found in headwater.Api().artifact_versions("note", "n")] == ["v0"]
    assert not headwater.Api().artifact_exists("other")


def test_the_folder_of_disabled_runs_is_gone_when_their_process_is(tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    script = """
        import os, tempfile, headwater
        run = headwater.init(mode="disabled")
        run.log_artifact(__file__)
        print(os.listdir(tempfile.gettempdir()))
    """
    (tmp_path / "script.py").write_text("\n".join(line.strip() for line in script.splitlines()))
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    process = ForkedProcess(["script.py"], cwd=tmp_path, env=environment, stdout=PIPE, stderr=PIPE)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert "headwater-disabled-" in out
    assert list((tmp_path / "temporary").iterdir()) == []


# --- calls ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "advice"),
    [("save", "add_file"), ("log_model", "log_artifact"), ("Image", "add_file"), ("sweep", "group="), ("url", "path")],
)
@pytest.mark.parametrize("owner", [lambda: headwater, headwater.init], ids=["headwater", "run"])
def test_an_attribute_of_other_trackers_says_what_to_use_instead(
    owner: Callable[[], Any], name: str, advice: str
) -> None:
    thing = owner()

    assert not hasattr(thing, name)
    with pytest.raises(AttributeError, match=f"has no attribute '{name}'.*{advice}"):
        getattr(thing, name)


@pytest.mark.parametrize("owner", [lambda: headwater, headwater.init], ids=["headwater", "run"])
def test_a_name_that_nobody_has_is_an_error_without_advice(owner: Callable[[], Any]) -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'nonesuch'$"):
        _ = owner().nonesuch


@pytest.mark.parametrize("name", ["log", "watch", "define_metric"])
@pytest.mark.parametrize("owner", [lambda: headwater, headwater.init], ids=["headwater", "run"])
def test_what_headwater_does_not_record_is_refused_saying_what_it_does_record(
    owner: Callable[[], Any], name: str
) -> None:
    with pytest.raises(InvalidInput, match=rf"`{name}` has no counterpart.*log_artifact.*no metrics") as refused:
        getattr(owner(), name)({"loss": 1.0}, step=3)

    assert "\n" not in str(refused.value)


def test_signing_in_is_not_needed_and_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert headwater.login(key="secret-key", relogin=True)
    said = capsys.readouterr().err
    monkeypatch.setenv("HEADWATER_QUIET", "true")
    assert headwater.login()

    assert said.startswith("headwater: there is nothing to sign in to")
    assert "secret-key" not in said
    assert capsys.readouterr().err == ""


def test_no_cache_can_be_skipped_because_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for path in (tmp_path / "one.txt", tmp_path / "images" / "cat.txt"):
        path.write_text(path.stem)
    artifact = headwater.Artifact("n", "note")
    artifact.add_file("one.txt", skip_cache=True)
    artifact.add_dir("images", skip_cache=True)
    artifact.save()

    assert (Path(artifact.download("out", skip_cache=True)) / "cat.txt").read_text() == "cat"
    assert Path(artifact.get_entry("one.txt").download("out", skip_cache=True)).read_text() == "one"


# --- several stores ---------------------------------------------------------------------------------------------


def test_two_stores_can_be_open_in_one_process(tmp_path: Path) -> None:
    with headwater.init(id="here") as here, headwater.init(id="there", url=tmp_path / "there") as there:
        copied = note(text="there")
        there.log_artifact(copied).wait()
        with pytest.raises(InvalidInput, match=r"was filled for the store .*there"):
            here.log_artifact(copied.new_draft())
    note(text="here").save()

    found = {url: headwater.Api(url=url) for url in (None, f"file://{tmp_path}/there")}
    assert [[run.id for run in api.runs()] for api in found.values()] == [["here"], ["there"]]
    texts = [Path(api.artifact("n").download(f"out-{api.artifact('n').size}")) for api in found.values()]
    assert [(folder / "note.txt").read_text() for folder in texts] == ["here", "there"]


@pytest.mark.parametrize("opening", [headwater.Api, headwater.init])
def test_a_store_that_cannot_be_one_is_named_as_it_was_given(opening: Callable[..., object]) -> None:
    with pytest.raises(InvalidSettings, match=r"^url: 'ftp://there' is not a supported kind of store"):
        opening(url="ftp://there")
