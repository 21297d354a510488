"""Proof that the simulation can fail: without each safeguard, a schedule is found in which users would be harmed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.simulation import mutants
from tests.simulation.home import Home, home
from tests.simulation.scenes import SHARING, WRITING, Scene
from tests.simulation.schedules import ScheduleFailed, run_schedule
from tests.simulation.summary import MUTANT

pytestmark = pytest.mark.slow  # some need hundreds of schedules

SCHEDULES_MAX = 500

Mutant = Callable[[], AbstractContextManager[None]]
Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def opened() -> Iterator[Home]:
    with home() as opened:
        yield opened


def found(mutant: Mutant, harm: str, opened: Home, record: Record, scene: Scene = WRITING) -> ScheduleFailed:
    """The first failed schedule that shows `harm`; others may fail before for other reasons.

    A `scene` without what has nothing to do with it shows it sooner.
    """
    others: list[str] = []
    for seed in range(SCHEDULES_MAX):
        with mutant():
            try:
                run_schedule(seed, opened, scene)
            except AssertionError as failed:  # of a promise, or of what the product asserts of itself
                if isinstance(failed, ScheduleFailed) and harm in str(failed):
                    record(MUTANT, f"{mutant.__name__}: found after {seed + 1} schedules")
                    print(f"{mutant.__name__}: found after {seed + 1} schedules: {failed}")
                    return failed
                others.append(str(failed))
    pytest.fail(f"{SCHEDULES_MAX} schedules did not show it; other failures: {others[:3]}")


def test_without_compare_and_set_a_stale_projector_puts_the_cursor_back(opened: Home, record_property: Record) -> None:
    found(mutants.without_compare_and_set, "went back", opened, record_property)


def test_without_the_high_water_mark_a_duplicate_counts_twice(opened: Home, record_property: Record) -> None:
    found(mutants.without_high_water_mark, "counts once", opened, record_property)


def test_without_the_gap_check_an_acknowledged_write_is_lost(opened: Home, record_property: Record) -> None:
    found(mutants.without_gap_check, "1, never lost", opened, record_property)


def test_events_where_they_were_parked_are_missed_by_subscribers(opened: Home, record_property: Record) -> None:
    found(mutants.with_events_where_they_were_parked, "version events", opened, record_property)


def test_a_subscriber_that_goes_by_time_steps_over_what_commits_late(opened: Home, record_property: Record) -> None:
    found(mutants.without_cuts, "version events", opened, record_property)


def test_without_the_seal_a_late_entry_changes_a_sealed_version(opened: Home, record_property: Record) -> None:
    found(mutants.without_seal, "2, never changes", opened, record_property, SHARING)


def test_without_refusing_retired_sessions_a_late_copy_counts_twice(opened: Home, record_property: Record) -> None:
    found(mutants.without_refusing_retired_sessions, "counts once", opened, record_property)


def test_with_broadcasts_finished_anew_maintenance_comes_to_no_end(opened: Home, record_property: Record) -> None:
    found(mutants.with_broadcasts_finished_anew, "these still wait", opened, record_property)


def test_without_executable_rows_a_version_lists_other_files_than_were_committed(
    opened: Home, record_property: Record
) -> None:
    found(mutants.without_executable_rows, "1, never half visible", opened, record_property)


def test_without_epochs_a_restored_log_meets_its_own_past(opened: Home, record_property: Record) -> None:
    found(mutants.without_epochs, "after a restore", opened, record_property)


def test_without_the_hash_of_the_last_record_an_older_copy_is_not_noticed(
    opened: Home, record_property: Record
) -> None:
    found(mutants.without_hash_of_the_last_record, "was put back", opened, record_property)


def test_without_commit_conflicts_one_commit_of_a_draft_overwrites_another(
    opened: Home, record_property: Record
) -> None:
    found(mutants.without_commit_conflicts, "nobody overwrites", opened, record_property, SHARING)


def test_without_claimed_algorithms_the_first_versions_of_a_project_have_several(
    opened: Home, record_property: Record
) -> None:
    found(mutants.without_claimed_algorithms, "one algorithm", opened, record_property)


def test_with_algorithms_chosen_again_a_project_has_several(opened: Home, record_property: Record) -> None:
    found(mutants.with_algorithms_chosen_again, "one algorithm", opened, record_property)


def test_with_rejections_of_one_page_a_refusal_is_told_as_success(opened: Home, record_property: Record) -> None:
    found(mutants.with_rejections_of_one_page, "said to count", opened, record_property)


def test_with_waits_for_everything_a_writer_waits_for_partitions_of_others(
    opened: Home, record_property: Record
) -> None:
    found(mutants.with_waits_for_everything, "own positions", opened, record_property)


def test_without_verified_reads_damaged_bytes_are_handed_out(opened: Home, record_property: Record) -> None:
    found(mutants.without_verified_reads, "verified reads", opened, record_property)


def test_with_events_before_blobs_an_event_names_what_is_not_stored(opened: Home, record_property: Record) -> None:
    found(mutants.with_events_before_blobs, "blobs first", opened, record_property)


def test_without_confirmed_objects_a_commit_relies_on_one_that_is_gone(opened: Home, record_property: Record) -> None:
    found(mutants.without_confirmed_objects, "bytes are confirmed", opened, record_property)


def test_without_verified_content_a_commit_relies_on_rotten_bytes(opened: Home, record_property: Record) -> None:
    found(mutants.without_verified_content, "bytes are verified", opened, record_property)


def test_with_moves_to_the_wrong_place_healed_content_cannot_be_read(opened: Home, record_property: Record) -> None:
    found(mutants.with_moves_to_the_wrong_place, "is whole but cannot be read", opened, record_property)
