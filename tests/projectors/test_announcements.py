"""What projectors announce through PostgreSQL, and who hears of it."""

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from headwater_consumer.database import Database
from headwater_consumer.database.postgresql import announcements
from headwater_consumer.database.postgresql.schema import PostgresqlSchema
from headwater_consumer.writing.announcements import announce, announced
from headwater_schemas.positions import Cut

from tests.projectors.harness import WAIT_S, Deployment, running, until
from tests.support.modes import database_url

LOOK = [announcements.LOOK]


@pytest.fixture
def listener(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Another process's connection, which listens already, and goes on however long it is idle."""
    monkeypatch.setattr(PostgresqlSchema, "idle_s", None)
    with closing(_open(deployment)) as database:
        assert database.hear(0.0) == LOOK
        yield database


def _open(deployment: Deployment) -> Database:
    return Database.open_postgresql(database_url(), schema=deployment.schema)


def test_a_projector_announces_how_far_it_is(deployment: Deployment, listener: Database) -> None:
    generation, reached = deployment.log.generation, Cut(deployment.log.generation)
    with running(deployment, deployment.service()):
        deployment.commit_everywhere(2)
        end = Cut(generation, dict(deployment.log.ends()))
        heard: dict[int, int] = {}
        while not reached.includes(end):
            texts = listener.hear(WAIT_S)
            assert texts, "nothing more was announced"
            for text in texts:
                said = announced(text, generation)
                assert said is not None
                heard |= said.offsets
            reached = Cut(generation, heard)

    assert deployment.positions() == heard


def test_what_is_announced_while_a_listener_is_idle_is_told_later(listener: Database) -> None:
    listener.announce("one")
    listener.announce("two")
    with listener.autocommit():  # the connection is looked at, and used
        pass

    heard: list[str] = []
    until(lambda: heard.extend(listener.hear(0.1) or ()) or len(heard) >= 2)
    assert heard == ["one", "two"]


def test_nothing_is_heard_of_other_projections(deployment: Deployment, listener: Database) -> None:
    with closing(Deployment(deployment.folder)) as other:
        announce(other.database, other.log.generation, {0: 1})

        assert listener.hear(0.2) == []


def test_a_text_that_is_too_long_says_that_one_has_to_look(listener: Database) -> None:
    listener.announce("x" * 100_000)

    assert listener.hear(WAIT_S) == LOOK


def test_a_stated_number_listens_and_the_others_are_told_that_they_cannot(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcements, "LISTENERS_MAX", 2)
    with ExitStack() as opened:
        databases = [opened.enter_context(closing(_open(deployment))) for _ in range(3)]

        assert [database.hear(0.0) for database in databases] == [LOOK, LOOK, None]
        databases[0].close()
        until(lambda: _hears_anew(deployment))


def _hears_anew(deployment: Deployment) -> bool:
    with closing(_open(deployment)) as database:
        return database.hear(0.0) is not None


def test_an_announcement_that_fails_is_no_error(deployment: Deployment) -> None:
    database = _open(deployment)
    database.close()

    database.announce("one")
