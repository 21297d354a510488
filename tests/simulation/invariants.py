"""What must be true once a schedule is over, whatever went wrong in it: the promises of the design, one function each.

The order is that of the harm: what a user would notice comes first, what only the books show comes last.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Callable

from headwater_consumer.queries.event_pages import version_events
from headwater_consumer.queries.projects import chosen_algorithm
from headwater_schemas import digests
from headwater_schemas.errors import Reason
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.events import BlobsCondemned, BroadcastEvent, EntryAdded, VersionCommitted, VersionDeleted
from headwater_schemas.keys import event_id
from headwater_schemas.names import CollectionName
from headwater_schemas.positions import position_of

from tests.simulation import views
from tests.simulation.checks import check_read, check_seen
from tests.simulation.collecting import GarbageCollector
from tests.simulation.copies import check_copies
from tests.simulation.end import End
from tests.simulation.faults import Violation
from tests.simulation.home import Home
from tests.simulation.ledger import Entry, EventKey, Upsert
from tests.simulation.replaying import check_replay
from tests.simulation.simulated_blobs import ProcessBlobs
from tests.simulation.views import Shown
from tests.simulation.world import Bystander, World

# A writer may be refused these for an own draft: somebody deleted its base before it arrived.
_BASE_IS_GONE = {Reason.BASE_UNKNOWN.value, Reason.DRAFT_UNKNOWN.value}


def check_all(world: World, home: Home) -> None:
    """Raises: Violation for the first promise that does not hold."""
    end = End.of(world)
    for promise in _PROMISES:
        promise(end)
    check_replay(end, home)
    check_copies(end, home)


# --- 1: an acknowledged commit is never lost, and never half visible ----------------------------------------------


def _own_commits_are_what_was_meant(end: End) -> None:
    for commit in end.world.ledger.own:
        name = f"the commit of {commit.draft} to {commit.collection}"
        version, _ = end.drafts.get((commit.collection, commit.draft), (None, None))
        is_retired = commit.events[-1].session < end.first_session
        if version is None and is_retired:
            version = commit.told  # what became of it is kept no longer
        if version is not None:
            shown = end.content[commit.collection, version]
            if shown != commit.meant:
                raise Violation(f"1, never half visible: {name} meant {commit.meant} but v{version} has {shown}")
        elif end.world.ledger.is_confirmed(commit.events[-1]) and not is_retired:
            reasons = {r for e in commit.events for r in end.rejections.get((e.session, e.key, e.sequence), ())}
            if Reason.BLOB_CONDEMNED in reasons:
                continue  # its writer sends it again; whether that was right is looked at below
            if not reasons or commit.base is None or not reasons <= _BASE_IS_GONE:
                raise Violation(f"1, never lost: {name} is durable, but was refused for {reasons or 'no reason'}")
        if commit.told != version and commit.told is not None:
            raise Violation(f"1, never lost: {name} was told to be v{commit.told}, now it is {version}")


def _shared_drafts_are_what_was_brought(end: End) -> None:
    by_draft: dict[tuple[str, str], list[Upsert]] = defaultdict(list)
    for upsert in end.world.ledger.upserts:
        by_draft[upsert.collection, upsert.draft].append(upsert)
    for (collection, draft), upserts in by_draft.items():
        version, closed = end.drafts.get((collection, draft), (None, None))
        if version is None or closed is None or any(upsert.event.session < end.first_session for upsert in upserts):
            continue  # which of them were refused is kept no longer
        meant = dict(_base_of(end, collection, draft))
        for upsert in sorted(filter(_counts_in(end, closed), upserts), key=lambda u: _offset_of(end, u)):
            meant.update(upsert.added)
            for path in upsert.removed:
                meant.pop(path, None)
        shown = end.content[collection, version]
        if shown != meant:
            raise Violation(f"1, never lost: {draft} of {collection} was given {meant} but v{version} has {shown}")
        if views.digest_of(meant) != end.versions[collection, version].digest:
            raise Violation(f"4, order changes no digest: {collection}:v{version} has another than its set of entries")


def _base_of(end: End, collection: str, draft: str) -> dict[str, Entry]:
    ((base,),) = end.rows("SELECT base FROM drafts WHERE collection = ? AND draft = ?", collection, draft)
    return {} if base is None else end.content[collection, base]


def _offset_of(end: End, upsert: Upsert) -> int:
    event = upsert.event
    return end.effective[event.session, event.key, event.sequence][0].position.offset


def _counts_in(end: End, closed: int) -> Callable[[Upsert], bool]:
    """Whether an upsert is part of a draft that was sealed at the position `closed`."""

    def counts(upsert: Upsert) -> bool:
        event = upsert.event
        key = (event.session, event.key, event.sequence)
        there = end.effective.get(key)
        if there is None:
            if end.world.ledger.is_confirmed(event):
                raise Violation(f"1, never lost: {key} was confirmed but is not on the log")
            return False
        reasons = end.rejections.get(key, [])
        in_time = there[0].position.number < closed
        if in_time and Reason.DRAFT_SEALED in reasons and not end.parked:  # what waited for an operator counts later
            raise Violation(f"1, never lost: {key} was refused as too late, but its draft was sealed at {closed}")
        return not reasons

    return counts


def _told_refusals_stand(end: End) -> None:
    for key, reason in end.world.ledger.refused.items():
        if key[0] >= end.first_session and end.rejections.get(key) != [reason]:
            raise Violation(f"6, what was said stands: {key} was refused for {reason}, now: {end.rejections.get(key)}")


def _told_successes_stand(end: End) -> None:
    for key in end.world.ledger.accepted:
        _, event = end.effective.get(key, (None, None))
        if isinstance(event, VersionCommitted) and event.writers is not None:
            continue  # it waited for others, and may have been refused after them
        if end.rejections.get(key):
            raise Violation(f"6, what was said stands: {key} was said to count, now: {end.rejections[key]}")


def _no_commit_of_a_draft_overwrites_another(end: End) -> None:
    """What a commit says that was not refused, its version says, or said until somebody described it anew."""
    said = set(end.rows("SELECT collection, version, value FROM version_attributes WHERE field = 'description'"))
    for key, (_, event) in end.effective.items():
        if not isinstance(event, VersionCommitted) or event.description is None or key[0] < end.first_session:
            continue
        version, _ = end.drafts.get((event.collection, event.draft), (None, None))
        if version is None or end.rejections.get(key) or (event.collection, version, event.description) in said:
            continue
        raise Violation(f"nobody overwrites: {key} was not refused, but v{version} never was {event.description!r}")


def _contents_can_be_read(end: End) -> None:
    blobs = ProcessBlobs(Bystander(end.world, "auditor"))
    places = end.reachable
    if gone := sorted({place.object_name for place, _ in places} & end.world.blobs.deleted):
        raise Violation(f"a reachable content always verifies: {gone} were collected, and are needed")
    for place, digest in sorted(places):
        check_read(end.world, blobs, place, digest)
    end.world.blobs.restore()
    for place, digest in sorted(places):
        check_read(end.world, blobs, place, digest)


def _only_what_is_needed_is_stored(end: End) -> None:
    """Once a last collection has run."""
    needed = {place.object_name for place, _ in end.reachable}
    collectors = [one for one in end.world.processes if isinstance(one, GarbageCollector)]
    if any(one.has_ended for one in collectors) and (left := sorted(end.world.blobs.objects.keys() - needed)):
        raise Violation(f"only what is needed is stored: {left} are there, and nothing needs them")


def _purged_versions_were_deleted(end: End) -> None:
    """By the deletion that holds: one that somebody has restored stays."""
    for name, version in end.versions.items():
        if version.purged and not version.deleted:
            raise Violation(f"purged, and not deleted: {name}")


def _decided_deletions_found_what_they_were_decided_on(end: End) -> None:
    """Whatever came before such a deletion and keeps the version has refused it."""
    for key, (record, event) in end.effective.items():
        decided_on = event.decided_on if isinstance(event, VersionDeleted) else None
        if decided_on is None or key[0] < end.first_session or end.rejections.get(key) or record.position in end.parked:
            continue
        assert isinstance(event, VersionDeleted)
        name, at = (event.collection, event.version), record.position.number
        of_version = "WHERE collection = ? AND version = ?"
        aliases = end.rows(f"SELECT alias, from_position, to_position FROM aliases {of_version}", *name)
        kept = {alias for alias, since, until in aliases if since < at and (until is None or until >= at)}
        kept -= set(decided_on.aliases)
        if decided_on.unused:
            runs = end.rows(f"SELECT run, from_position FROM run_inputs {of_version}", *name)
            kept |= {run for run, since in runs if since < at}
        if kept:
            raise Violation(f"retention: {key} deletes {name} at {record.position}, though it has {kept}")


def _condemnations_count_from_where_they_are(end: End) -> None:
    """What was written before one in its partition may rely on its objects, and what was written after it may not."""
    condemned: dict[tuple[int, str], int] = {}
    for stamped, record in end.counted:
        if isinstance(stamped.event, BlobsCondemned):
            for name in stamped.event.objects:
                condemned.setdefault((record.position.partition, name), record.position.offset)
    for key, (record, event) in end.effective.items():
        if isinstance(event, EntryAdded) and key[0] >= end.first_session:
            at = record.position
            is_late = any(condemned.get((at.partition, name), at.offset) < at.offset for name in event.files.objects)
            reasons = end.rejections.get(key, [])
            if (is_late and not reasons) or (not is_late and Reason.BLOB_CONDEMNED in reasons):
                raise Violation(
                    f"condemned from there on: {key} at {at}, after that: {is_late}, was refused for {reasons}"
                )


# --- 2: a sealed version never changes --------------------------------------------------------------------------


def _versions_are_as_first_seen(end: End) -> None:
    for name, version in end.versions.items():
        check_seen(end.world, name, Shown(version.digest, end.content[name]))
    for name in end.world.seen:
        if name not in end.versions:
            raise Violation(f"2, never changes: {name} was seen and is not there any more")


def _facts_of_the_past_stand(end: End) -> None:
    for cursor, before in end.world.snapshots:
        with end.database.snapshot() as connection:
            now = views.facts_at(connection, cursor)
        if now != before:
            gone, new = sorted(before - now, key=str), sorted(now - before, key=str)
            raise Violation(f"2, the past stands: at {cursor} it was {gone}, now {new}")


def _numbers_are_dense(end: End) -> None:
    known = dict(end.rows("SELECT collection, next_version FROM collections"))
    ((total,),) = end.rows("SELECT count(*) FROM versions")
    counted = Counter(collection for collection, _ in end.versions)
    if counted != known or total != len(end.versions):
        raise Violation(f"version numbers have a gap: {sorted(end.versions)}, but {known} and {total} in all")


def _equal_content_is_one_version(end: End) -> None:
    """A script that runs again logs the same content, which is the same version, unless that was deleted meanwhile."""
    ever_deleted = set(end.rows("SELECT collection, version FROM version_attributes WHERE field = 'deleted'"))
    live = Counter((name[0], v.digest) for name, v in end.versions.items() if name not in ever_deleted)
    if twice := [name for name, count in live.items() if count > 1]:
        raise Violation(f"equal content became two versions: {twice}")


def _projects_have_one_algorithm(end: End) -> None:
    """Whoever was the first to log or to choose: two digests of one content would be two versions."""
    found: dict[str, set[str]] = defaultdict(set)
    for (collection, _), content in end.content.items():
        project = CollectionName.parse(collection).namespace
        found[project].update(digests.algorithm_of(entry.digest) for entry in content.values() if entry.digest)
    for project, algorithms in found.items():
        if algorithms - {chosen_algorithm(end.database, project) or end.world.algorithm}:
            raise Violation(f"one algorithm: {project} has digests of {sorted(algorithms)}")


# --- 3: nothing counts twice --------------------------------------------------------------------------------------


def _every_event_counts_once(end: End) -> None:
    if twice := {key: reasons for key, reasons in end.rejections.items() if len(reasons) > 1}:
        raise Violation(f"3, counts once: refused several times: {twice}")
    for key, count in _announcements(end).items():
        if count > 1 or end.rejections.get(key):
            raise Violation(f"3, counts once: {key} was announced {count} times and refused for {end.rejections[key]}")


def _announcements(end: End) -> Counter[EventKey]:
    """How often each event told subscribers something."""
    origins = ((stamped.origin.session, stamped.event.key, stamped.origin.sequence) for stamped, _ in end.decoded())
    sent = {event_id(*origin): origin for origin in origins}
    found: Counter[EventKey] = Counter()
    for (event,) in end.rows("SELECT event FROM version_events WHERE event_index = 0"):
        found[sent[event]] += 1
    return found


def _marks_are_where_the_log_is(end: End) -> None:
    """Every event is judged once, and the last one judged is the last that can be."""
    marks = {
        (record.position.partition, stamped.origin.session, record.key): stamped.origin.sequence
        for stamped, record in end.counted
        if stamped.origin.session >= end.first_session
    }
    rows = end.rows("SELECT partition, session, key, sequence FROM sessions")
    if marks != {(partition, session, key): sequence for partition, session, key, sequence in rows}:
        raise Violation(f"3, counts once: the log has {marks} but the projection {rows}")


def _broadcasts_are_everywhere(end: End) -> None:
    """Whatever became of its writer, every partition has such an event once, unless its session was retired before."""
    having: dict[str, list[int]] = defaultdict(list)
    for stamped, record in end.counted:
        if isinstance(stamped.event, BroadcastEvent) and stamped.origin.session >= end.first_session:
            having[stamped.event.broadcast].append(record.position.partition)
    everywhere = list(range(len(end.world.log.partitions)))
    for broadcast, partitions in having.items():
        if sorted(partitions) != everywhere:
            raise Violation(f"3, everywhere once: broadcast {broadcast} counts in the partitions {sorted(partitions)}")


def _aliases_are_what_was_told(end: End) -> None:
    """Subscribers know where every alias is, and where it was before each move."""
    heard: dict[tuple[str, str], int] = {}
    columns, order = "subject, detail, before, version", "position, record_index"
    moves = end.rows(f"SELECT {columns} FROM version_events WHERE kind = 'alias-moved' ORDER BY {order}")
    for collection, alias, before, version in moves:
        if heard.pop((collection, alias), None) != before:
            raise Violation(f"3, counts once: {alias} of {collection} was told to be on {before} before {version}")
        if version is not None:
            heard[collection, alias] = version
    rows = end.rows("SELECT collection, alias, version FROM aliases WHERE to_position IS NULL")
    now = {(collection, alias): version for collection, alias, version in rows}
    if heard != now:
        raise Violation(f"3, counts once: aliases by what was told are {heard}, in the projection {now}")


def _subscribers_miss_nothing(end: End) -> None:
    """Who reads while projectors commit, and whatever becomes of the database, reads every event once and in order."""
    told = end.world.told
    cursor = end.world.told_until or EventCursor("")
    rest = version_events(end.database, cursor, limit=sys.maxsize)
    if rest.more:
        raise Violation("version events: a page of any size leaves some out")
    found = [(event.position, event.index, event.id, event.kind) for event in [*told, *rest.events]]
    columns, order = "position, record_index, event || '.' || event_index, kind", "position, record_index"
    expected = end.rows(f"SELECT {columns} FROM version_events ORDER BY {order}")
    if sorted(found) != expected:
        odd = sorted(set(found) ^ set(expected)) or "some twice"
        raise Violation(f"version events: read, and not there, or the reverse: {odd}")
    for partition in range(len(end.world.log.partitions)):
        of_partition = [one for one in found if position_of(one[0]).partition == partition]
        if of_partition != sorted(of_partition):
            raise Violation(f"version events: those of partition {partition} were read in the order {of_partition}")


_PROMISES: tuple[Callable[[End], None], ...] = (
    _own_commits_are_what_was_meant,
    _shared_drafts_are_what_was_brought,
    _versions_are_as_first_seen,
    _facts_of_the_past_stand,
    _only_what_is_needed_is_stored,  # before damage is undone
    _contents_can_be_read,
    _condemnations_count_from_where_they_are,
    _purged_versions_were_deleted,
    _decided_deletions_found_what_they_were_decided_on,
    _numbers_are_dense,
    _equal_content_is_one_version,
    _projects_have_one_algorithm,
    _aliases_are_what_was_told,
    _subscribers_miss_nothing,
    _told_refusals_stand,
    _told_successes_stand,
    _no_commit_of_a_draft_overwrites_another,
    _every_event_counts_once,
    _marks_are_where_the_log_is,
    _broadcasts_are_everywhere,
)
