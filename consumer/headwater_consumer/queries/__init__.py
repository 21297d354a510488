"""The reading side: one function a query, named after it; each takes a `Database` and returns frozen records.

Nothing here writes. Each query reads one snapshot and closes it before it returns; long results are paged by key. The
modules are named after their subjects; `results` has the records.
"""

from headwater_consumer.queries.blob_locations import objects_of, stored_locations
from headwater_consumer.queries.collections import (
    artifact_types,
    collection_info,
    collections,
    count_artifact_types,
    count_collections,
)
from headwater_consumer.queries.containing import versions_containing, versions_referencing
from headwater_consumer.queries.differences import EntryContent, EntryDifference, diff_layers
from headwater_consumer.queries.drafts import draft_info, open_drafts
from headwater_consumer.queries.entries import (
    all_entries,
    entries_of,
    entries_page,
    entry,
    has_folder,
    listing,
    path_conflict,
)
from headwater_consumer.queries.lineage import ancestry, descendants, tree
from headwater_consumer.queries.namespaces import (
    collection_names,
    collections_named,
    count_projects,
    project_infos,
    runs_named,
)
from headwater_consumer.queries.outcomes import dead_letters, first_rejection, health, outcomes, rejections
from headwater_consumer.queries.projects import digest_algorithm, draft_idle_days, project_settings
from headwater_consumer.queries.reclaimable import dependents, reclaimable_bytes
from headwater_consumer.queries.results import (
    CollectionInfo,
    DeadLetterInfo,
    DraftInfo,
    Edge,
    EntryInfo,
    Health,
    Lineage,
    Outcome,
    ProjectInfo,
    RejectionInfo,
    RunInfo,
    RunInputInfo,
    SentRange,
    TreeLine,
    VersionInfo,
)
from headwater_consumer.queries.runs import (
    capture_of,
    count_runs,
    cursor_of,
    inputs_of,
    outputs_of,
    producers_of,
    requested_names,
    run_info,
    runs,
    used_by,
)
from headwater_consumer.queries.versions import (
    contested_paths,
    count_versions,
    layers_with_digest,
    resolve_version,
    version_info,
    version_infos,
    version_with_digest,
)

__all__ = [
    "CollectionInfo",
    "DeadLetterInfo",
    "DraftInfo",
    "Edge",
    "EntryContent",
    "EntryDifference",
    "EntryInfo",
    "Health",
    "Lineage",
    "Outcome",
    "ProjectInfo",
    "RejectionInfo",
    "RunInfo",
    "RunInputInfo",
    "SentRange",
    "TreeLine",
    "VersionInfo",
    "all_entries",
    "ancestry",
    "artifact_types",
    "capture_of",
    "collection_info",
    "collection_names",
    "collections",
    "collections_named",
    "contested_paths",
    "count_artifact_types",
    "count_collections",
    "count_projects",
    "count_runs",
    "count_versions",
    "cursor_of",
    "dead_letters",
    "dependents",
    "descendants",
    "diff_layers",
    "digest_algorithm",
    "draft_idle_days",
    "draft_info",
    "entries_of",
    "entries_page",
    "entry",
    "first_rejection",
    "has_folder",
    "health",
    "inputs_of",
    "layers_with_digest",
    "listing",
    "objects_of",
    "open_drafts",
    "outcomes",
    "outputs_of",
    "path_conflict",
    "producers_of",
    "project_infos",
    "project_settings",
    "reclaimable_bytes",
    "rejections",
    "requested_names",
    "resolve_version",
    "run_info",
    "runs",
    "runs_named",
    "stored_locations",
    "tree",
    "used_by",
    "version_info",
    "version_infos",
    "version_with_digest",
    "versions_containing",
    "versions_referencing",
]
