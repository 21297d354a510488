"""The read side: one function a question, named after it; each takes a `Database` and gives frozen records.

Nothing here writes. Each question is asked of one snapshot and lets go of it before it returns; what may be long is
paged by key. The modules are named after what they answer about; `answers` holds the records.
"""

from headwater_consumer.queries.answers import (
    CollectionInfo,
    DeadLetterInfo,
    Edge,
    EntryInfo,
    Health,
    Lineage,
    Outcome,
    RejectionInfo,
    RunInfo,
    TreeLine,
    UseInfo,
    VersionInfo,
)
from headwater_consumer.queries.entries import all_entries, entries_page, entry, listing
from headwater_consumer.queries.holding import versions_holding
from headwater_consumer.queries.lineage import ancestry, descendants, tree
from headwater_consumer.queries.outcomes import dead_letters, first_rejection, health, outcomes, rejections_of
from headwater_consumer.queries.places import stored_places
from headwater_consumer.queries.projects import digest_algorithm
from headwater_consumer.queries.runs import inputs_of, outputs_of, producers_of, run_info, runs, used_by
from headwater_consumer.queries.versions import (
    collection_info,
    collections,
    project_has_digest,
    resolve_version,
    version_info,
    version_infos,
    version_with_digest,
)

__all__ = [
    "CollectionInfo",
    "DeadLetterInfo",
    "Edge",
    "EntryInfo",
    "Health",
    "Lineage",
    "Outcome",
    "RejectionInfo",
    "RunInfo",
    "TreeLine",
    "UseInfo",
    "VersionInfo",
    "all_entries",
    "ancestry",
    "collection_info",
    "collections",
    "dead_letters",
    "descendants",
    "digest_algorithm",
    "entries_page",
    "entry",
    "first_rejection",
    "health",
    "inputs_of",
    "listing",
    "outcomes",
    "outputs_of",
    "producers_of",
    "project_has_digest",
    "rejections_of",
    "resolve_version",
    "run_info",
    "runs",
    "stored_places",
    "tree",
    "used_by",
    "version_info",
    "version_infos",
    "version_with_digest",
    "versions_holding",
]
