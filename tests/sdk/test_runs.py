"""Runs: what they use, what they log, how they end."""

import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import headwater
import pytest
from headwater.errors import InvalidInput, InvalidMetadata, InvalidName, NotFound
from headwater_consumer import queries
from headwater_schemas.codec import decode

from tests.support.forked import ForkedProcess
from tests.support.stores import StoreUnderTest

pytestmark = pytest.mark.usefixtures("store")


def note(name: str, text: str, type_name: str = "note") -> headwater.Artifact:
    artifact = headwater.Artifact(name, type_name)
    with artifact.new_file("note.txt") as file:
        file.write(text)
    return artifact


def test_a_run_knows_what_it_was_started_with() -> None:
    with headwater.init(
        project="zoo", entity="keepers", job_type="count", group="g", config={"n": 3}, name="First", tags=["x"], id="r1"
    ) as run:
        assert (run.path, run.id, run.project, run.entity) == ("keepers/zoo/r1", "r1", "zoo", "keepers")
        assert (run.job_type, run.group, run.name, run.tags, run.config) == ("count", "g", "First", ("x",), {"n": 3})
        assert run.state == "running"

    found = headwater.Api().run("keepers/zoo/r1")
    assert (found.state, found.config, found.job_type, found.tags) == ("finished", {"n": 3}, "count", ("x",))


def test_a_run_that_ends_with_an_error_is_failed() -> None:
    with pytest.raises(ZeroDivisionError), headwater.init(id="r1"):
        raise ZeroDivisionError

    assert headwater.Api().run("r1").state == "failed"


def test_the_end_of_a_run_is_one_event(store: StoreUnderTest) -> None:
    with headwater.init(id="r1"):
        pass

    with store.opened() as stores:
        log = stores.log
        records = [record for partition in range(log.partitions) for record in log.read(partition, after=-1)]
    assert [decode(record.payload).event.name for record in records].count("run-finished") == 1


def test_a_finished_run_logs_nothing_more() -> None:
    run = headwater.init()
    run.finish()
    run.finish()

    with pytest.raises(InvalidInput, match="has ended"):
        run.log_artifact(note("n", "late"))


def test_bad_config_and_names_start_no_run() -> None:
    with pytest.raises(InvalidMetadata):
        headwater.init(config={"x": {1, 2}})
    with pytest.raises(InvalidName):
        headwater.init(project="a b")
    with pytest.raises(InvalidInput, match="has 257 tags; at most 256"):
        headwater.init(tags=[f"t{number}" for number in range(257)])
    assert list(headwater.Api().runs()) == []


def test_a_run_without_tags_may_say_so_and_other_things_are_no_tags() -> None:
    assert headwater.init(tags=None).tags == ()
    for tags in ("abc", 5):
        with pytest.raises(InvalidInput, match="tag names must be a list"):
            headwater.init(tags=tags)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["banana", "running", "", None, 1])
def test_a_run_ends_in_a_final_state_and_goes_on_where_it_is_told_otherwise(state: object) -> None:
    run = headwater.init(id="r1")
    with pytest.raises(InvalidInput, match="finished, failed or killed"):
        run.finish(state)  # type: ignore[arg-type]
    assert run.state == "running"
    run.finish("failed")

    assert headwater.Api().run("r1").state == "failed"


@pytest.mark.parametrize("given", [None, 5, b"model.h5", "", ["model.h5"]])
def test_what_is_neither_an_artifact_nor_a_path_is_not_logged(given: object) -> None:
    with headwater.init() as run, pytest.raises(InvalidInput, match="path of a file or folder"):
        run.log_artifact(given)  # type: ignore[arg-type]


def test_a_path_whose_name_cannot_name_an_artifact_is_refused_saying_that_one_can_be_given(tmp_path: Path) -> None:
    path = tmp_path / "my model.h5"
    path.write_text("weights")
    with headwater.init(id="r1") as run:
        with pytest.raises(InvalidName, match=r"'run-r1-my model.h5' contains ' '.*name="):
            run.log_artifact(path)
        for wrong in ({"name": ""}, {"type": ""}):
            with pytest.raises(InvalidName):
                run.log_artifact(path, **{"name": "model", **wrong})
        assert run.log_artifact(path, name="model", type="model").wait().name == "model:v0"


def test_what_was_logged_is_used_by_version_alias_bare_name_and_qualified_name() -> None:
    with headwater.init(project="first") as run:
        run.log_artifact(note("n", "one"), aliases=["good"])
        run.log_artifact(note("n", "two"))

    with headwater.init(project="second") as run:
        assert run.use_artifact("first/n:v0").version == "v0"
        assert run.use_artifact("team/first/n:good", type="note").version == "v0"
        assert run.use_artifact("first/n").version == "v1"
        assert [used.version for used in run.used_artifacts()] == ["v0", "v1"]


def test_a_run_sees_what_it_logged_before_without_waiting() -> None:
    with headwater.init() as run:
        run.log_artifact(note("n", "one"))

        assert run.use_artifact("n:latest").version == "v0"


def test_use_of_what_is_not_there_says_what_is() -> None:
    with headwater.init() as run:
        run.log_artifact(note("n", "one"))

        with pytest.raises(NotFound, match="no artifact team/animals/m"):
            run.use_artifact("m:latest")
        with pytest.raises(NotFound, match="latest is v0"):
            run.use_artifact("n:v7")
        with pytest.raises(InvalidInput, match="'note', not 'model'"):
            run.use_artifact("n", type="model")


def test_an_artifact_that_was_not_logged_yet_is_created_once_and_used() -> None:
    with headwater.init() as run:
        first = run.use_artifact(note("n", "same"))
        second = run.use_artifact(note("n", "same"))

        assert first.version == second.version == "v0"
        assert len(run.used_artifacts()) == 1
        assert run.logged_artifacts() == []


def test_a_version_that_is_used_by_several_names_is_one_use_that_keeps_them_all() -> None:
    with headwater.init(project="first") as run:
        made = run.log_artifact(note("n", "one"), aliases=["good"]).wait()
    with headwater.init(project="first") as run:
        for name in ("n:good", "n", "team/first/n:v0", "n:good", made):
            run.use_artifact(name)
        assert [used.name for used in run.used_artifacts()] == ["n:v0"]
        assert run.names_used(made) == ["n:good", "n", "team/first/n:v0", "n:v0"]

    assert headwater.Api().run(run.path).names_used("n:good") == run.names_used(made)
    assert headwater.Api().run(run.path).names_used("n") == run.names_used(made)
    with pytest.raises(InvalidInput, match="no version yet"):
        run.names_used(note("n", "other"))
    assert [user.id for user in made.used_by()] == [run.id]


def test_the_purposes_of_a_use_are_kept_with_it() -> None:
    made = note("n", "one").save()
    with headwater.init(id="r1") as run:
        for purpose in ("test data", None, "training data", "test data"):
            run.use_artifact("n", use_as=purpose)
        run.use_artifact("n:v0")
        with pytest.raises(InvalidName, match="use_as"):
            run.use_artifact("n", use_as="")

        assert run.used_as(made) == ["test data", "training data"]
        assert run.names_used(made) == ["n", "n:v0"]
        assert [used.name for used in run.used_artifacts()] == ["n:v0"]
    assert headwater.Api().run("r1").used_as("n:latest") == ["test data", "training data"]
    with headwater.init() as other:
        assert other.used_as("n") == []


def test_all_edges_of_a_run_and_of_a_version_are_given_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for asked in (queries.inputs_of, queries.outputs_of, queries.used_by):
        monkeypatch.setitem(asked.__kwdefaults__, "limit", 2)
    with headwater.init(id="r0") as run:
        for number in range(5):
            run.use_artifact(run.log_artifact(note(f"n{number % 3}", str(number))))
    for number in range(1, 5):
        with headwater.init(id=f"r{number}") as other:
            other.use_artifact("n0:v0")

    everything = ["n0:v0", "n0:v1", "n1:v0", "n1:v1", "n2:v0"]
    assert [logged.name for logged in run.logged_artifacts()] == everything
    assert [used.name for used in run.used_artifacts()] == everything
    assert [user.id for user in headwater.Api().artifact("n0:v0").used_by()] == [f"r{number}" for number in range(5)]


def test_a_version_that_was_deleted_is_not_used() -> None:
    with headwater.init() as run:
        made = run.log_artifact(note("n", "one")).wait()
        run.log_artifact(note("n", "two"))
        headwater.Api().artifact("n:v0").delete()

        with pytest.raises(NotFound, match="n:v0 was deleted"):
            run.use_artifact(made)
        assert run.used_artifacts() == []


def test_a_version_of_another_store_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = note("n", "one").save()
    monkeypatch.setenv("HEADWATER_URL", str(tmp_path / "other"))
    note("n", "something else").save()
    with headwater.init() as run:
        with pytest.raises(InvalidInput, match=r"n:v0 is in the store .*, but the run is in .*other"):
            run.use_artifact(made)
        assert run.used_artifacts() == []


def test_the_graph_can_be_walked_both_ways() -> None:
    with headwater.init(id="maker") as maker:
        maker.log_artifact(note("raw", "data"))
    with headwater.init(id="user") as user:
        user.use_artifact("raw")
        user.log_artifact(note("result", "done"))

    raw, result = headwater.Api().artifact("raw"), headwater.Api().artifact("result")
    assert raw.logged_by().id == "maker"  # type: ignore[union-attr]
    assert [run.id for run in raw.used_by()] == ["user"]
    assert [used.name for used in result.logged_by().used_artifacts()] == ["raw:v0"]  # type: ignore[union-attr]
    assert [logged.name for logged in headwater.Api().run("maker").logged_artifacts()] == ["raw:v0"]


def test_logging_equal_content_makes_the_run_an_owner_too_and_keeps_the_first() -> None:
    with headwater.init(id="first") as run:
        run.log_artifact(note("n", "same"))
    with headwater.init(id="second") as run:
        run.log_artifact(note("n", "same"))
        assert [logged.version for logged in run.logged_artifacts()] == ["v0"]

    assert headwater.Api().artifact("n").logged_by().id == "first"  # type: ignore[union-attr]


def test_logging_keeps_the_order_of_the_calls() -> None:
    with headwater.init() as run:
        logged = [run.log_artifact(note("race", str(i))) for i in range(50)]

    assert [artifact.version for artifact in logged] == [f"v{i}" for i in range(50)]


def test_threads_log_at_once_and_each_gets_its_own_version() -> None:
    with headwater.init() as run:
        logged: list[headwater.Artifact] = []

        def work(i: int) -> None:
            logged.append(run.log_artifact(note("threads", str(i))).wait())

        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    assert sorted(artifact.version for artifact in logged) == [f"v{i}" for i in range(8)]


def test_a_second_init_does_not_finish_the_first_run() -> None:
    first = headwater.init(id="first")
    with headwater.init(id="second") as second:
        first.log_artifact(note("n", "one"))
        assert second.use_artifact("n").version == "v0"

    assert first.state == "running"
    first.log_artifact(note("n", "two"))
    first.finish()
    assert headwater.Api().artifact("n").version == "v1"


def test_a_run_is_taken_up_again_by_its_id() -> None:
    with headwater.init(id="r1", config={"try": 1}):
        pass
    with headwater.init(id="r1", config={"try": 2}) as again:
        again.log_artifact(note("n", "one"))
        assert headwater.Api().run("r1").state == "running"

    found = headwater.Api().run("r1")
    assert (found.state, found.config) == ("finished", {"try": 2})
    assert [logged.name for logged in found.logged_artifacts()] == ["n:v0"]


@pytest.mark.parametrize(
    ("ending", "state"), [("", "finished"), ("raise SystemExit(3)", "finished"), ("1 / 0", "failed")]
)
def test_a_run_left_open_is_finished_at_interpreter_exit_with_everything_logged(
    tmp_path: Path, ending: str, state: str
) -> None:
    script = f"""
        import headwater
        run = headwater.init(id="open")
        artifact = headwater.Artifact("n", "note")
        with artifact.new_file("x") as file:
            file.write("left behind")
        run.log_artifact(artifact)
        {ending}
    """

    ForkedProcess(["-c", textwrap.dedent(script)], cwd=tmp_path).communicate(timeout=60)

    assert headwater.Api().artifact("n:v0").file_count == 1
    assert headwater.Api().run("open").state == state


def test_an_artifact_finds_its_runs_in_a_process_that_has_loaded_none(tmp_path: Path) -> None:
    with headwater.init(id="maker") as run:
        run.log_artifact(note("n", "one"))
    script = """
        import headwater
        artifact = headwater.Artifact("n", "note")
        with artifact.new_file("note.txt") as file:
            file.write("one")
        artifact.save()
        print(artifact.version, artifact.logged_by().id, artifact.used_by())
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        timeout=60,
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )

    assert done.stdout == "v0 maker []\n"


def test_settings_are_read_at_each_init(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with headwater.init() as run:
        run.log_artifact(note("n", "one"))

    monkeypatch.setenv("HEADWATER_URL", str(tmp_path / "other"))
    monkeypatch.setenv("HEADWATER_PROJECT", "elsewhere")
    with headwater.init() as run:
        assert run.project == "elsewhere"
        with pytest.raises(NotFound):
            run.use_artifact("animals/n")


def test_an_artifact_filled_for_one_project_can_be_logged_in_another() -> None:
    with headwater.init(project="first") as run:
        run.log_artifact(note("n", "shared"))
        made_in_first = note("n", "shared")  # its bytes are stored in `first` already, so they were not kept
    with headwater.init(project="second") as run:
        logged = run.log_artifact(made_in_first).wait()

    out = Path(logged.download())
    assert (out / "note.txt").read_text() == "shared"


def test_equal_content_that_was_added_before_goes_to_each_project_that_asks_for_it() -> None:
    one, other = note("one", "equal"), note("other", "equal")  # both filled for the project of the settings
    with headwater.init(project="first") as run:
        run.log_artifact(one).wait()
    other.save()

    assert (Path(other.download()) / "note.txt").read_text() == "equal"
    assert (one.project, other.project) == ("first", "animals")
