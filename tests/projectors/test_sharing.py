"""Several projectors on one log: each event counts once, whoever is killed, suspended or slow."""

import signal
import time

import pytest

from tests.projectors.harness import PARTITIONS, SESSION_S, Place, Process, started, until

ALL = set(range(PARTITIONS))


def _share(*processes: Process) -> None:
    """Until each has some, and together they have each once."""

    def is_shared() -> bool:
        owned = [process.partitions() for process in processes]
        return all(owned) and sorted(number for each in owned for number in each) == sorted(ALL)

    until(is_shared)


def test_two_projectors_share_the_partitions_and_apply_each_event_once(place: Place) -> None:
    with started(place, "one") as one, started(place, "other") as other:
        _share(one, other)
        place.commit_everywhere(10)
        until(place.is_up_to_date, place.positions)

    assert place.fingerprint() == place.fingerprint_of_replay()


@pytest.mark.slow  # as long as a session
def test_what_a_killed_projector_had_goes_to_the_other(place: Place) -> None:
    with started(place, "killed") as killed, started(place, "heir") as heir:
        _share(killed, heir)
        place.commit_everywhere(5)
        killed.send(signal.SIGKILL)
        place.commit_everywhere(5, b"later")
        until(place.is_up_to_date, place.positions)
        until(lambda: heir.partitions() == ALL)

    assert place.fingerprint() == place.fingerprint_of_replay()


@pytest.mark.slow  # longer than a session
def test_a_projector_suspended_in_a_batch_beyond_its_session_finds_its_compare_refused(place: Place) -> None:
    place.commit_everywhere(3)
    with started(place, "suspended", suspend_in_batch=True) as suspended:
        suspended.until_said("reached the first batch")
        with started(place, "heir"):
            until(place.is_up_to_date, place.positions)
            suspended.send(signal.SIGCONT)
            suspended.until_said("was projected by another process")
            place.commit_everywhere(3, b"later")
            until(place.is_up_to_date, place.positions)
        suspended.send(signal.SIGTERM)
        assert suspended.wait() == 0

    assert place.fingerprint() == place.fingerprint_of_replay()


@pytest.mark.slow  # longer than the time between two polls
def test_a_batch_that_outlasts_the_poll_interval_ends_well(place: Place) -> None:
    place.commit_everywhere(3)
    with started(place, "slow", first_batch_s=SESSION_S + 3, max_poll_interval_s=SESSION_S + 1) as slow:
        slow.until_said("reached the first batch")
        with started(place, "other") as other:
            until(place.is_up_to_date, place.positions)
            slow.until_said("was projected by another process")
            _share(slow, other)
            place.commit_everywhere(3, b"later")
            until(place.is_up_to_date, place.positions)
            assert slow.health()["status"] == other.health()["status"] == "ok"

    assert place.fingerprint() == place.fingerprint_of_replay()


def test_a_terminated_projector_ends_well_and_hands_over_at_once(place: Place) -> None:
    with started(place, "ended") as ended, started(place, "heir") as heir:
        _share(ended, heir)
        place.commit_everywhere(2)

        ended.send(signal.SIGTERM)
        asked = time.monotonic()
        assert ended.wait() == 0
        until(lambda: heir.partitions() == ALL)
        took_s = time.monotonic() - asked
        place.commit_everywhere(2, b"later")
        until(place.is_up_to_date, place.positions)

    assert took_s < SESSION_S
    assert place.fingerprint() == place.fingerprint_of_replay()


def test_once_projects_what_is_there_and_ends(place: Place) -> None:
    place.commit_everywhere(4)
    with started(place, "once", once=True) as once:
        assert once.wait() == 0, once.said()

    assert place.is_up_to_date()
    assert place.fingerprint() == place.fingerprint_of_replay()
