"""How long attempts pause, and when they end."""

from headwater_runtime.retries import Backoff

PATIENT = Backoff(pause_s_min=1.0, pause_s_max=5.0)


class Time:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


def pauses_of(backoff: Backoff, *, deadline: float | None = None, at_most: int = 20) -> list[float]:
    time = Time()
    retries = backoff.start(deadline=deadline, clock=time.clock, sleep=time.sleep)
    while len(time.slept) < at_most and retries.pause():
        pass
    return time.slept


def test_pauses_grow_to_their_bound() -> None:
    assert pauses_of(PATIENT, at_most=5) == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_pauses_of_no_growth_are_equal() -> None:
    assert pauses_of(Backoff(pause_s_min=0.5, pause_s_max=0.5), at_most=3) == [0.5, 0.5, 0.5]


def test_attempts_are_counted_with_the_first() -> None:
    assert len(pauses_of(Backoff(pause_s_min=1.0, pause_s_max=1.0, attempts_max=4))) == 3


def test_no_pause_outlasts_the_deadline() -> None:
    assert pauses_of(PATIENT, deadline=107.0) == [1.0, 2.0, 4.0]
    assert pauses_of(PATIENT, deadline=106.9) == [1.0, 2.0]


def test_the_last_pause_can_be_shortened_to_end_at_the_deadline() -> None:
    until_the_end = Backoff(pause_s_min=1.0, pause_s_max=5.0, waits_until_deadline=True)

    assert pauses_of(until_the_end, deadline=106.0) == [1.0, 2.0, 3.0]
    assert pauses_of(until_the_end, deadline=100.0) == []


def test_a_deadline_that_is_over_allows_no_pause() -> None:
    assert pauses_of(PATIENT, deadline=100.0) == []


def test_the_total_counts_where_no_deadline_is_given() -> None:
    bounded = Backoff(pause_s_min=1.0, pause_s_max=1.0, total_s_max=3.0)

    assert len(pauses_of(bounded)) == 3
    assert len(pauses_of(bounded, deadline=101.0)) == 1


def test_after_progress_pauses_and_attempts_begin_again() -> None:
    time = Time()
    retries = Backoff(pause_s_min=1.0, pause_s_max=9.0, attempts_max=3).start(clock=time.clock, sleep=time.sleep)

    assert [retries.pause(), retries.pause()] == [True, True]
    retries.reset()

    assert [retries.pause(), retries.pause(), retries.pause()] == [True, True, False]
    assert time.slept == [1.0, 2.0, 1.0, 2.0]


def test_jitter_shortens_each_pause_by_no_more_than_its_share() -> None:
    jittered = Backoff(pause_s_min=1.0, pause_s_max=1.0, jitter=0.25)

    pauses = [jittered.pause_s(1) for _ in range(200)]

    assert all(0.75 <= pause_s <= 1.0 for pause_s in pauses)
    assert len(set(pauses)) > 100


def test_many_failures_do_not_overflow() -> None:
    assert PATIENT.pause_s(100_000) == 5.0
