"""Waiting for a projection that others keep up: when it is worth looking again, whatever becomes of announcements."""

import pytest
from headwater_consumer.projection.news import LISTENING, LOOKING, News, WaitTimer
from headwater_consumer.writing.announcements import announce
from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.positions import Cut

from tests.producer.logs import Time

LOG = "0123456789abcdef"
CUT = Cut(LOG, {1: 10, 2: 20})
PATIENCE_S = 60.0


class Announcer:
    """A database of which only announcements are used: what is heard, and after how long."""

    def __init__(self, *arriving: tuple[float, str] | Exception, listens: bool = True) -> None:
        self.time = Time()
        self.announced: list[str] = []
        self._arriving, self._listens = list(arriving), listens

    def announce(self, text: str) -> None:
        self.announced.append(text)

    def hear(self, timeout_s: float) -> list[str] | None:
        if not self._listens:
            return None
        following = self._arriving[0] if self._arriving else (float("inf"), "")
        if isinstance(following, Exception):
            self._arriving.pop(0)
            raise following
        at_s, text = following
        if at_s > self.time.now_s + timeout_s:
            self.time.sleep(timeout_s)
            return []
        self.time.now_s = max(self.time.now_s, at_s)
        self._arriving.pop(0)
        return [text]

    def news(self, patience_s: float = PATIENCE_S) -> News:
        timer = WaitTimer(lambda: self.time.now_s, self.time.sleep)
        return News(self, CUT, patience_s, timer)  # type: ignore[arg-type]


def said(offsets: dict[int, int], log: str = LOG) -> str:
    """What a projector announces."""
    announcer = Announcer()
    announce(announcer, log, offsets)  # type: ignore[arg-type]
    (text,) = announcer.announced
    return text


def test_who_hears_that_the_cut_is_covered_looks_at_once() -> None:
    database = Announcer((0.010, said({1: 10})), (0.015, said({2: 21, 3: 5})))

    assert database.news().pause()

    assert database.time.now_s == 0.015


@pytest.mark.parametrize(
    "text",
    [said({1: 9, 2: 20}), said({1: 10}), said({}), said({1: 10, 2: 20}, "another"), "no such", "1:1 x", f"{LOG} 1:x"],
)
def test_what_says_nothing_about_the_cut_is_no_reason_to_look(text: str) -> None:
    database = Announcer((0.010, text), (0.020, text))  # doubled, too

    assert database.news().pause()

    assert database.time.now_s == pytest.approx(LISTENING.pause_s_min)


def test_an_announcement_that_says_no_place_is_a_reason_to_look() -> None:
    database = Announcer((0.010, ""))

    assert database.news().pause()

    assert database.time.now_s == 0.010


def test_where_announcements_are_lost_who_listens_looks_seldom() -> None:
    database, looks = Announcer(), []
    news = database.news()

    while news.pause():
        looks.append(database.time.now_s)

    assert looks[:4] == pytest.approx([0.25, 0.75, 1.75, 2.75])
    assert looks[-1] == pytest.approx(PATIENCE_S), "the last look is at the end"
    assert len(looks) <= PATIENCE_S / LISTENING.pause_s_max + 3


def test_who_cannot_listen_looks_soon_and_then_seldom() -> None:
    database, looks = Announcer(listens=False), []
    news = database.news()

    while news.pause():
        looks.append(database.time.now_s)

    assert looks[0] == pytest.approx(LOOKING.pause_s_min)
    assert len(looks) <= PATIENCE_S / LOOKING.pause_s_max + 10


def test_a_database_that_is_away_is_looked_for_as_by_those_who_cannot_listen() -> None:
    database = Announcer(StoreUnavailable("gone"), (0.100, said({1: 10, 2: 20})))
    news = database.news()

    assert news.pause()
    assert database.time.now_s == pytest.approx(LOOKING.pause_s_min)
    assert news.pause()
    assert database.time.now_s == pytest.approx(0.100)


def test_nobody_waits_beyond_the_deadline() -> None:
    database = Announcer()
    news = database.news(patience_s=0.1)

    assert news.pause()
    assert database.time.now_s == pytest.approx(0.1)
    assert not news.pause()
    assert database.time.now_s == pytest.approx(0.1)
