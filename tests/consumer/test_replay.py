"""Building the projection anew beside the old one, and saying whether they are the same."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.database.fingerprint import fingerprint
from headwater_consumer.database.tables import TAGS
from headwater_consumer.writing.replay import replay
from headwater_consumer.writing.runner import RECORDS_PER_BATCH_MAX, Projector
from headwater_schemas.events import AliasMoved, ArtifactUsed, BlobsCondemned, VersionCommitted, VersionDeleted
from sqlalchemy import update

from tests.support.histories import BROADCAST
from tests.support.history import History, pack_of
from tests.support.modes import open_database
from tests.support.projections import project_all
from tests.support.statements import run

PROJECT = "team/vision"
DIGITS, MODEL, FIT = f"{PROJECT}/digits", f"{PROJECT}/model", f"{PROJECT}/fit"


@pytest.fixture
def anew(mode: str, tmp_path: Path) -> Iterator[Database]:
    with closing(open_database(mode, tmp_path / "anew.db")) as anew:
        yield anew


def _fingerprint(database: Database) -> str:
    with database.snapshot() as connection:
        return fingerprint(connection)


def _full_of_everything(history: History) -> None:
    """Versions on each other, a deduplicated one, a deleted one, a refusal, a run, and a collection that waits."""
    history.run(FIT)
    history.commit(DIGITS, {"a": b"1", "b": b"2", "c": b"3"}, tags=("raw",), aliases=("best",))
    history.commit(DIGITS, {"a": b"4"}, base=0, removed=["b"])
    history.commit(DIGITS, {"a": b"1", "b": b"2", "c": b"3"}, pack=1)
    history.write(
        VersionDeleted(collection=DIGITS, version=1, delete_aliases=True),
        ArtifactUsed(collection=DIGITS, version=0, run=FIT, requested="digits:best"),
        AliasMoved(collection=DIGITS, alias="best", version=99),
        BlobsCondemned(broadcast=BROADCAST, project=PROJECT, objects=(pack_of(PROJECT, 1),)),
    )
    history.append_undecodable(f"collection:{MODEL}")
    history.commit(MODEL, {"m": b"1"}, type="model", run=FIT)


def _write_unprojected(history: History, content: bytes) -> None:
    draft, events = history.draft(DIGITS, {"late": content})
    history.writer().write(*events, VersionCommitted(collection=DIGITS, draft=draft))


def test_a_replay_gives_the_same_fingerprint(history: History, anew: Database) -> None:
    _full_of_everything(history)

    replayed = replay(history.log, anew, history.database)

    assert replayed.same
    assert replayed.differing == ()
    assert replayed.records == history.log.end(0) + 1
    assert replayed.new == replayed.old == _fingerprint(history.database) == _fingerprint(anew)


def test_an_empty_log_replays_to_an_empty_projection(history: History, anew: Database) -> None:
    replayed = replay(history.log, anew, history.database)

    assert (replayed.records, replayed.same) == (0, True)


def test_what_the_old_one_has_not_seen_yet_does_not_make_them_differ(history: History, anew: Database) -> None:
    _full_of_everything(history)
    _write_unprojected(history, b"1")

    assert replay(history.log, anew, history.database).same


def test_what_others_project_meanwhile_does_not_make_them_differ(history: History, anew: Database) -> None:
    _full_of_everything(history)
    meanwhile = []

    def others_go_on(done: int, total: int) -> None:
        meanwhile.append(history.commit(DIGITS, {"a": b"%d of %d" % (done, total)}))

    replayed = replay(history.log, anew, history.database, progress=others_go_on)

    assert meanwhile
    assert replayed.same


def test_a_changed_row_is_told_by_its_table(history: History, anew: Database) -> None:
    _full_of_everything(history)
    with history.database.transaction() as connection:
        run(connection, update(TAGS).values(tag="forged"))

    replayed = replay(history.log, anew, history.database)

    assert not replayed.same
    assert replayed.differing == ("tags",)
    assert replayed.old == _fingerprint(history.database) != replayed.new


def test_a_replay_leaves_the_old_one_as_it_was(history: History, anew: Database) -> None:
    _full_of_everything(history)
    _write_unprojected(history, b"1")
    before = _fingerprint(history.database)

    replay(history.log, anew, history.database)

    assert _fingerprint(history.database) == before


def test_without_an_old_one_everything_on_the_log_is_projected(history: History, anew: Database) -> None:
    _full_of_everything(history)
    _write_unprojected(history, b"1")

    replayed = replay(history.log, anew, None)

    assert (replayed.old, replayed.same, replayed.differing) == (None, False, ())
    history.project()
    assert replayed.new == _fingerprint(history.database)


def test_a_replayed_projection_goes_on_as_the_old_one_does(history: History, anew: Database) -> None:
    _full_of_everything(history)
    replay(history.log, anew, history.database)

    history.commit(DIGITS, {"late": b"1"}, base=0)
    project_all(history.log, Projector(history.log, anew))

    answers = [queries.version_infos(database, DIGITS) for database in (history.database, anew)]
    assert answers[0] == answers[1]
    assert [info.version for info in answers[0]] == [2, 0]


def test_progress_grows_to_the_whole(history: History, anew: Database) -> None:
    for _ in range(2):
        events = [AliasMoved(collection=DIGITS, alias="a", version=1)] * RECORDS_PER_BATCH_MAX
        history.writer().write(*events)
    history.project()
    told: list[tuple[int, int]] = []

    replay(history.log, anew, history.database, progress=lambda done, total: told.append((done, total)))

    total = 2 * RECORDS_PER_BATCH_MAX
    assert told == [(RECORDS_PER_BATCH_MAX, total), (total, total)]
