"""Who commits on a condition, or beside others who commit the same draft, hears what became of the own commit."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import headwater
import pytest
from headwater._commit import shared_drafts
from headwater._commit.client import client_for, forget_client
from headwater_producer import commits, producer
from headwater_producer.producer import Producer
from headwater_schemas import keys
from headwater_schemas.errors import EventRejected, InvalidInput, Reason
from headwater_schemas.events import ExpectedVersion, SessionsRetired, VersionCommitted
from headwater_stores.config.settings import read_settings

from tests.queue.artifacts import filled

Printed = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("store")


def log(text: str, **more: Any) -> headwater.Artifact:
    with headwater.init() as run:
        return run.log_artifact(filled({"a": text}), **more).wait()


def upsert(path: str) -> None:
    with headwater.init() as run:
        run.upsert_artifact(filled({path: path}), distributed_id="job-1").wait()


def finish(description: str | None = None, *, alias: str = "", **more: int) -> headwater.Artifact:
    """Returns once the commit was accepted. Raises: why it was not."""
    artifact = headwater.Artifact("pets", "dataset", description=description)
    artifact.aliases = [alias] if alias else []
    with headwater.init() as run:
        return run.finish_artifact(artifact, distributed_id="job-1", **more)


def with_more(**more: Any) -> Callable[..., VersionCommitted]:
    """`commit_event` with fields that the SDK does not set by itself."""
    commit_event = commits.commit_event
    return lambda *arguments: replace(commit_event(*arguments), **more)


# --- only if latest is as expected --------------------------------------------------------------------------------


def test_a_version_is_logged_if_latest_is_still_what_was_expected() -> None:
    assert log("1", expect_latest=None).version == "v0"
    assert log("2", expect_latest="v0").version == "v1"
    assert log("3", expect_latest="pets:v1").version == "v2"
    assert log("4").version == "v3"


@pytest.mark.parametrize(("expected", "named"), [("v0", "v0"), (None, "none")])
def test_who_came_second_is_told_who_came_first(expected: str | None, named: str) -> None:
    log("1")
    log("2")

    with pytest.raises(EventRejected, match=rf"latest version is {named}, but v1 was logged by \S+@\S+ at") as refused:
        log("3", expect_latest=expected)

    assert refused.value.reason is Reason.LATEST_MOVED
    assert headwater.Api().artifact("pets").version == "v1"


def test_a_draft_is_saved_if_latest_is_still_its_base() -> None:
    log("1")
    drafts = [headwater.Api().artifact("pets").new_draft() for _ in range(2)]
    for number, draft in enumerate(drafts):
        with draft.new_file("b") as file:
            file.write(f"{number}")

    assert drafts[0].save(expect_latest="v0").version == "v1"
    with pytest.raises(EventRejected, match="v1 was logged by"):
        drafts[1].save(expect_latest="v0")

    assert drafts[1].state == "rejected"


def test_what_is_no_version_cannot_be_expected() -> None:
    with pytest.raises(InvalidInput, match="expect_latest must be a version such as 'v3' or None, not 'best'"):
        log("1", expect_latest="best")
    with pytest.raises(InvalidInput, match="was logged, so that expect_latest has no meaning"):
        log("1").save(expect_latest="v0")


# --- several commits of one draft ---------------------------------------------------------------------------------


def test_a_second_finish_adds_its_aliases_and_is_refused_where_it_says_something_else() -> None:
    upsert("a")
    assert finish("first", alias="one").wait().version == "v0"
    assert finish("first", alias="two").wait().version == "v0"

    with pytest.raises(EventRejected, match="the description 'first', and now with 'second'") as refused:
        finish("second", alias="three")

    assert refused.value.reason is Reason.COMMIT_CONFLICT
    version = headwater.Api().artifact("pets:v0")
    assert (version.description, sorted(version.aliases)) == ("first", ["latest", "one", "two"])


def test_of_two_commits_that_wait_and_differ_the_second_is_refused_though_the_draft_becomes_a_version() -> None:
    upsert("a")
    first = finish("first", writers=2)
    run = headwater.init()
    second = headwater.Artifact("pets", "dataset", description="second")
    run.finish_artifact(second, distributed_id="job-1", writers=2)
    upsert("b")

    with pytest.raises(EventRejected, match="the description 'first', and now with 'second'"):
        second.wait()
    run.finish()
    assert first.wait().version == "v0"
    assert (first.state, second.state) == ("committed", "rejected")


def test_a_commit_that_was_refused_when_the_last_writer_was_done_is_told_so_though_another_one_sealed_the_draft(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upsert("a")
    with monkeypatch.context() as patch:
        patch.setattr(shared_drafts, "commit_event", with_more(expect_latest=ExpectedVersion(None)))
        first = finish(writers=2)
    log("1")
    upsert("b")
    second = finish()

    assert second.wait().version == "v1"
    with pytest.raises(EventRejected) as refused:
        first.wait()
    assert refused.value.reason is Reason.LATEST_MOVED


# --- without the right to change what exists ----------------------------------------------------------------------


@pytest.mark.parametrize("quiet", ["false", "true"])
def test_who_may_not_change_what_exists_is_told_that_it_stays(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed, quiet: str
) -> None:
    log("1")
    monkeypatch.setenv("HEADWATER_QUIET", quiet)
    monkeypatch.setattr(commits, "commit_event", with_more(rights=()))
    capsys.readouterr()

    version = log("1", aliases=["prod"])

    assert (version.version, list(version.aliases)) == ("v0", ["latest"])
    assert (
        "animals/pets:v0 keeps its description, tags and aliases: it has this content already"
        in capsys.readouterr().err
    )


def test_who_logs_something_new_or_gives_nothing_is_told_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.setattr(commits, "commit_event", with_more(rights=()))

    log("1", aliases=["prod"])
    log("1")

    assert "keeps its description" not in capsys.readouterr().err
    assert sorted(headwater.Api().artifact("pets").aliases) == ["latest", "prod"]


# --- sessions that are retired ------------------------------------------------------------------------------------


def test_who_writes_by_a_clock_that_is_far_behind_is_told_to_check_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log("1")
    administrator = Producer(client_for(read_settings(), create=False).stores.log, author="maintenance")
    administrator.send([SessionsRetired(broadcast="0" * 32, before_ms=1_700_000_000_000)])
    administrator.confirm()
    new_session, sessions = keys.new_session, [keys.new_session(0)]  # one by a clock that is far behind
    with monkeypatch.context() as patch:
        patch.setattr(keys, "new_session", lambda *at, **of: sessions.pop() if sessions else new_session(*at, **of))
        patch.setattr(producer, "SESSION_AGE_MAX", timedelta.max)
        forget_client(client_for(read_settings(), create=False))

        with pytest.raises(EventRejected, match="Check this machine's clock, then log it again") as refused:
            log("2")

    assert refused.value.reason is Reason.SESSION_RETIRED
    assert log("2").version == "v1", "its next session begins by a clock that is right"
