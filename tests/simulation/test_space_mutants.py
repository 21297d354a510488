"""As `test_mutants`, of what frees space."""

import pytest

from tests.simulation import space_mutants
from tests.simulation.home import Home
from tests.simulation.scenes import (
    BROUGHT_BACK,
    COPIED_WHILE_COLLECTED,
    EVERYTHING,
    REGRETTED,
    REWRITTEN_BY_TWO,
    USED_WHILE_RETAINED,
)
from tests.simulation.test_mutants import Record, found
from tests.simulation.test_mutants import opened as opened

pytestmark = pytest.mark.slow  # some need hundreds of schedules

UNREADABLE = "a reachable content always verifies"


def test_without_grace_what_a_writer_is_about_to_name_is_deleted(opened: Home, record_property: Record) -> None:
    found(space_mutants.without_grace_for_unnamed_objects, UNREADABLE, opened, record_property, EVERYTHING)


def test_without_waiting_for_every_partition_what_one_of_them_names_is_deleted(
    opened: Home, record_property: Record
) -> None:
    found(space_mutants.without_waiting_for_every_partition, UNREADABLE, opened, record_property, EVERYTHING)


def test_without_a_second_look_what_was_named_before_its_condemnation_is_deleted(
    opened: Home, record_property: Record
) -> None:
    found(space_mutants.without_a_second_look, UNREADABLE, opened, record_property, EVERYTHING)


def test_without_refusing_what_is_condemned_a_version_relies_on_what_is_deleted(
    opened: Home, record_property: Record
) -> None:
    found(space_mutants.without_refusing_what_is_condemned, UNREADABLE, opened, record_property, EVERYTHING)


def test_without_holding_what_is_parked_its_objects_are_deleted(opened: Home, record_property: Record) -> None:
    found(space_mutants.without_holding_for_what_is_parked, UNREADABLE, opened, record_property, EVERYTHING)


def test_with_condemnations_of_what_was_parked_a_durable_commit_is_refused(
    opened: Home, record_property: Record
) -> None:
    found(
        space_mutants.with_condemnations_of_what_was_parked,
        "condemned from there on",
        opened,
        record_property,
        EVERYTHING,
    )


def test_with_purges_of_any_version_one_that_was_restored_is_given_up(opened: Home, record_property: Record) -> None:
    found(space_mutants.with_purges_of_any_version, "purged, and not deleted", opened, record_property, REGRETTED)


def test_without_what_was_decided_on_a_version_is_deleted_that_was_used_meanwhile(
    opened: Home, record_property: Record
) -> None:
    found(space_mutants.without_what_was_decided_on, "retention: ", opened, record_property, USED_WHILE_RETAINED)


def test_with_moves_into_condemned_objects_content_is_lost(opened: Home, record_property: Record) -> None:
    found(space_mutants.with_moves_into_condemned_objects, UNREADABLE, opened, record_property, REWRITTEN_BY_TWO)


def test_with_records_copied_before_their_objects_an_interrupted_copy_lacks_some(
    opened: Home, record_property: Record
) -> None:
    found(
        space_mutants.with_records_copied_before_their_objects,
        "a copy lacks",
        opened,
        record_property,
        COPIED_WHILE_COLLECTED,
    )


def test_without_looking_for_what_was_withdrawn_a_collected_store_cannot_be_copied(
    opened: Home, record_property: Record
) -> None:
    found(
        space_mutants.without_looking_for_what_was_withdrawn,
        "cannot be copied",
        opened,
        record_property,
        COPIED_WHILE_COLLECTED,
    )


def test_with_names_that_return_who_stores_collected_content_again_is_refused_for_ever(
    opened: Home, record_property: Record
) -> None:
    found(space_mutants.with_names_that_return, "nobody notices a collection", opened, record_property, BROUGHT_BACK)
