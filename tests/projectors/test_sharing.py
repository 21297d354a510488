"""Several projectors on one log: each event counts once, whoever is killed, suspended or slow."""

import signal
import time

import pytest

from tests.projectors.harness import PARTITIONS, Deployment, Process, started, until
from tests.support.sessions import SESSION_S, SHORT_SESSION_S

ALL = set(range(PARTITIONS))


def _share(*processes: Process) -> None:
    """Until each has some, and together they have each once."""

    def is_shared() -> bool:
        owned = [process.partitions() for process in processes]
        return all(owned) and sorted(number for each in owned for number in each) == sorted(ALL)

    until(is_shared)


def test_two_projectors_share_the_partitions_and_apply_each_event_once(deployment: Deployment) -> None:
    with started(deployment, "one") as one, started(deployment, "other") as other:
        _share(one, other)
        deployment.commit_everywhere(10)
        until(deployment.is_up_to_date, deployment.positions)

    assert deployment.fingerprint() == deployment.fingerprint_of_replay()


@pytest.mark.slow  # as long as a session
def test_what_a_killed_projector_had_goes_to_the_other(deployment: Deployment) -> None:
    killed_later = started(deployment, "killed", session_timeout_s=SHORT_SESSION_S)
    with killed_later as killed, started(deployment, "heir") as heir:
        _share(killed, heir)
        deployment.commit_everywhere(5)
        killed.send(signal.SIGKILL)
        deployment.commit_everywhere(5, b"later")
        until(deployment.is_up_to_date, deployment.positions)
        until(lambda: heir.partitions() == ALL)

    assert deployment.fingerprint() == deployment.fingerprint_of_replay()


@pytest.mark.slow  # longer than a session
def test_a_projector_suspended_in_a_batch_beyond_its_session_finds_its_compare_refused(deployment: Deployment) -> None:
    deployment.commit_everywhere(3)
    options = {"suspend_in_batch": True, "session_timeout_s": SHORT_SESSION_S}
    with started(deployment, "suspended", **options) as suspended:
        suspended.until_output("reached the first batch")
        with started(deployment, "heir"):
            until(deployment.is_up_to_date, deployment.positions)
            suspended.send(signal.SIGCONT)
            suspended.until_output("was projected by another process")
            deployment.commit_everywhere(3, b"later")
            until(deployment.is_up_to_date, deployment.positions)
        suspended.send(signal.SIGTERM)
        assert suspended.wait() == 0

    assert deployment.fingerprint() == deployment.fingerprint_of_replay()


@pytest.mark.slow  # longer than the time between two polls
def test_a_batch_that_outlasts_the_poll_interval_ends_well(deployment: Deployment) -> None:
    deployment.commit_everywhere(3)
    options = {"session_timeout_s": SHORT_SESSION_S, "max_poll_interval_s": SHORT_SESSION_S + 1}
    with started(deployment, "slow", first_batch_s=SHORT_SESSION_S + 3, **options) as slow:
        slow.until_output("reached the first batch")
        with started(deployment, "other") as other:
            until(deployment.is_up_to_date, deployment.positions)
            slow.until_output("was projected by another process")
            _share(slow, other)
            deployment.commit_everywhere(3, b"later")
            until(deployment.is_up_to_date, deployment.positions)
            assert slow.health()["status"] == other.health()["status"] == "ok"

    assert deployment.fingerprint() == deployment.fingerprint_of_replay()


def test_a_terminated_projector_ends_well_and_hands_over_at_once(deployment: Deployment) -> None:
    with started(deployment, "ended") as ended, started(deployment, "heir") as heir:
        _share(ended, heir)
        deployment.commit_everywhere(2)

        ended.send(signal.SIGTERM)
        asked = time.monotonic()
        assert ended.wait() == 0
        until(lambda: heir.partitions() == ALL)
        took_s = time.monotonic() - asked
        deployment.commit_everywhere(2, b"later")
        until(deployment.is_up_to_date, deployment.positions)

    assert took_s < SESSION_S
    assert deployment.fingerprint() == deployment.fingerprint_of_replay()


def test_once_projects_what_is_there_and_ends(deployment: Deployment) -> None:
    deployment.commit_everywhere(4)
    with started(deployment, "once", once=True) as once:
        assert once.wait() == 0, once.output()

    assert deployment.is_up_to_date()
    assert deployment.fingerprint() == deployment.fingerprint_of_replay()
