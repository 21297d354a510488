"""As `mutants`, of what frees space, and of copies beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from headwater_consumer.copying.named import Withdrawn
from headwater_consumer.database import Database
from headwater_consumer.maintenance import collection
from headwater_consumer.maintenance.collection import Collector
from headwater_consumer.projector import administration, draft_rules, versions
from headwater_consumer.queries import blob_locations
from headwater_consumer.writing.log_copy import LogCopy
from headwater_schemas.positions import Cut

from tests.simulation.collecting import GarbageCollector
from tests.simulation.mutants import changed


@contextmanager
def without_grace_for_unnamed_objects() -> Iterator[None]:
    """What nothing names yet is deleted at once, though its writer may be about to."""
    with changed(
        Collector._sweep,
        "unnamed += found[: UNNAMED_MAX - len(unnamed)]",
        "self._blobs.delete([one.name for one in found])",
    ):
        yield


@contextmanager
def without_waiting_for_every_partition() -> Iterator[None]:
    """What one partition has condemned is deleted."""

    def catch_up(collector: GarbageCollector, cut: Cut | None) -> None:
        del collector, cut

    with (
        patch.object(GarbageCollector, "_catch_up", catch_up),
        changed(Collector._delete_condemned, ">= self._log.partitions", ">= 1"),
    ):
        yield


@contextmanager
def without_a_second_look() -> Iterator[None]:
    """What every partition has condemned is deleted, whatever was written before that."""
    with changed(Collector._delete_condemned, "self._not_needed(everywhere, frozenset())", "everywhere"):
        yield


@contextmanager
def without_holding_for_what_is_parked() -> Iterator[None]:
    """Objects are deleted though events that may name them wait behind a dead letter."""

    def parked_projects(database: Database) -> set[str]:
        del database
        return set()

    with patch.object(collection, "parked_projects", parked_projects):
        yield


@contextmanager
def with_condemnations_of_what_was_parked() -> Iterator[None]:
    """What waited behind a dead letter may not rely on what was condemned meanwhile."""
    with changed(draft_rules.is_condemned, " and condemned.position < context.position_number", ""):
        yield


@contextmanager
def without_refusing_what_is_condemned() -> Iterator[None]:
    """A writer relies on an object that is about to be deleted."""
    with changed(draft_rules.check_objects, "if is_condemned(", "if False and is_condemned("):
        yield


@contextmanager
def with_purges_of_any_version() -> Iterator[None]:
    """A version is purged that was restored meanwhile."""
    with changed(versions.purged, "if deletion is None or deletion.from_position !=", "if False and None !="):
        yield


@contextmanager
def without_what_was_decided_on() -> Iterator[None]:
    """Retention deletes a version whatever has come about since it decided to."""
    with changed(versions.deleted, "if event.decided_on is not None:", "if False:"):
        yield


@contextmanager
def with_moves_into_condemned_objects() -> Iterator[None]:
    """Content is read from where it was moved to, though that is about to be deleted."""
    with changed(administration.blobs_moved, "if is_condemned(", "if False and is_condemned("):
        yield


@contextmanager
def with_names_that_return() -> Iterator[None]:
    """A large content that was collected is stored again under the name that was condemned."""
    with changed(blob_locations._next_attempt, "max((attempt_of(name) or 0 for name in names), default=-1) + 1", "0"):
        yield


@contextmanager
def with_records_copied_before_their_objects() -> Iterator[None]:
    """A copy that is interrupted has events that name what it lacks, and goes on after them."""
    before = """\
        before_append(records)
        restored, reached_now = as_restored(self._source, records, reached)
        for batch in in_batches(restored):
            self._append(partition, batch, timeout_s)
"""
    first, *others = before.splitlines(keepends=True)
    with changed(LogCopy._run_partition, before, "".join((*others, first))):
        yield


@contextmanager
def without_looking_for_what_was_withdrawn() -> Iterator[None]:
    """What the source has collected counts as lost."""
    with changed(Withdrawn.covers, "(self._read_on() and self._knows(name, ranges))", "False"):
        yield
