"""What people read when something was logged, and that those who want quiet read nothing."""

import headwater
import pytest
from headwater._active_run import active_run
from headwater._commit import client as clients
from headwater_blobs.port import PACKED_FILE_BYTES_MAX
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_schemas.errors import StoreError
from headwater_schemas.events import Event

from tests.queue.artifacts import filled, many
from tests.queue.conftest import BeforeAppend

pytestmark = pytest.mark.usefixtures("store")

Printed = pytest.CaptureFixture[str]


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> bool:
    if request.param:
        monkeypatch.setenv("HEADWATER_QUIET", "true")
    return bool(request.param)


def messages(capsys: Printed) -> list[str]:
    """The lines since the last look, without who says them."""
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("headwater: ") for line in lines)
    return [line.removeprefix("headwater: ") for line in lines]


def finish(*, writers: int | None = None, shared: str = "job-1") -> headwater.Artifact:
    with headwater.init() as run:
        return run.finish_artifact(headwater.Artifact("pets", "dataset"), distributed_id=shared, writers=writers)


def upsert(path: str, shared: str = "job-1") -> None:
    with headwater.init() as run:
        run.upsert_artifact(filled({path: path}), distributed_id=shared)


loud_or_quiet = pytest.mark.parametrize("quiet", [False, True], ids=["loud", "quiet"], indirect=True)


@loud_or_quiet
def test_finishing_says_which_version_the_draft_is(capsys: Printed, quiet: bool) -> None:
    upsert("a")
    messages(capsys)
    finish()

    assert messages(capsys) == ([] if quiet else ["animals/pets: draft 'job-1' is animals/pets:v0"])


@loud_or_quiet
def test_finishing_says_how_many_writers_the_draft_waits_for(capsys: Printed, quiet: bool) -> None:
    upsert("a")
    messages(capsys)
    finish(writers=2)

    assert messages(capsys) == ([] if quiet else ["animals/pets: draft 'job-1' will be sealed once 2 writers are done"])


@loud_or_quiet
def test_finishing_a_draft_with_nothing_in_it_is_said_even_to_those_who_want_quiet(
    capsys: Printed, quiet: bool
) -> None:
    """It is a warning: most likely the writers had another id."""
    finish(shared="jbo-1")

    warning = "animals/pets: draft 'jbo-1' was sealed without entries as v0. Check that writers upserted with this id"
    assert messages(capsys) == ([warning] if quiet else ["animals/pets: draft 'jbo-1' is animals/pets:v0", warning])


def test_finishing_with_something_in_the_draft_warns_of_nothing(capsys: Printed) -> None:
    upsert("a")
    messages(capsys)
    with headwater.init() as run:
        run.finish_artifact(filled({"b": "b"}), distributed_id="job-1")

    assert messages(capsys) == ["animals/pets: draft 'job-1' is animals/pets:v0"]


@loud_or_quiet
def test_logging_says_how_much_is_new_and_how_much_was_stored(capsys: Printed, quiet: bool) -> None:
    with headwater.init() as run:
        run.log_artifact(many(0)).wait()
        draft = run.log_artifact(filled({"one": "x" * 1500}, "single")).wait().new_draft()
        run.log_artifact(many(1)).wait()
        draft.remove("one")
        with draft.new_file("two") as file:
            file.write("!")
        run.log_artifact(draft).wait()
        run.log_artifact(filled({"a": "x" * (PACKED_FILE_BYTES_MAX + 1)}, "large")).wait()

    size = sum(len(str(n)) for n in range(1, 100)) + len("version 0")
    assert messages(capsys) == (
        []
        if quiet
        else [
            f"animals/pets:v0, 100 of 100 files new, {size} B stored",
            "animals/single:v0, 1 of 1 file new, 1.5 kB stored",
            "animals/pets:v1, 1 of 100 files new, 9 B stored",
            "animals/single:v1, 1 of 1 file new, 1 removed, 1 B stored",
            "animals/large:v0, 1 of 1 file new, 1.0 MB stored",
        ]
    )


def test_each_artifact_of_a_run_says_its_own_bytes_although_they_share_a_pack(capsys: Printed) -> None:
    with headwater.init() as run:
        for name in ("one", "two", "three"):
            run.log_artifact(filled({"own": name * 100, "shared": "!"}, name))

    assert messages(capsys) == [
        "animals/one:v0, 2 of 2 files new, 301 B stored",
        "animals/two:v0, 2 of 2 files new, 300 B stored",
        "animals/three:v0, 2 of 2 files new, 500 B stored",
    ]


def test_what_is_printed_is_the_name_that_show_takes(capsys: Printed) -> None:
    with headwater.init() as run:
        run.log_artifact(filled({"a": "1"}))
    with headwater.init(entity="another") as run:
        run.log_artifact(filled({"a": "1"}))

    names = [line.partition(",")[0] for line in messages(capsys)]
    assert names == ["animals/pets:v0", "another/animals/pets:v0"]
    assert [headwater.Api().artifact(name).entity for name in names] == ["team", "another"]


@loud_or_quiet
def test_logging_what_is_there_says_so(capsys: Printed, quiet: bool) -> None:
    with headwater.init() as run:
        run.log_artifact(filled({"a": "1"})).wait()
        run.log_artifact(filled({"a": "2"})).wait()
        messages(capsys)
        run.log_artifact(filled({"a": "1"})).wait()

    assert messages(capsys) == (
        [] if quiet else ["animals/pets:v0 has this content already, no new version; latest → v0"]
    )


@pytest.mark.usefixtures("no_thread")
@loud_or_quiet
def test_what_cannot_be_logged_at_the_end_of_a_process_is_said_even_to_those_who_want_quiet(
    capsys: Printed, quiet: bool, before_append: BeforeAppend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(log: EmbeddedEventLog, events: list[Event]) -> None:
        raise StoreError("the log is broken. Repair it.")

    monkeypatch.setattr(active_run, "_open", {})  # the run will not be finished
    headwater.init().log_artifact(filled({"a": "1"}))
    before_append(refuse)
    messages(capsys)
    for client in list(clients._clients.values()):
        clients.forget_client(client)

    assert messages(capsys) == ["some artifacts were not logged: the log is broken. Repair it."]
