"""The reading side: one function a query, named after it; each takes a `Database` and returns frozen records.

Nothing here writes. Each query reads one snapshot and closes it before it returns; long results are paged by key. The
modules are named after their subjects; `results` has the records. A name is imported on its first use: most processes
need a few. So no module has the name of a query.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headwater_consumer.queries.artifact_collections import artifact_types as artifact_types
    from headwater_consumer.queries.artifact_collections import collection_info as collection_info
    from headwater_consumer.queries.artifact_collections import collections as collections
    from headwater_consumer.queries.artifact_collections import count_artifact_types as count_artifact_types
    from headwater_consumer.queries.artifact_collections import count_collections as count_collections
    from headwater_consumer.queries.blob_locations import objects_of as objects_of
    from headwater_consumer.queries.blob_locations import stored_locations as stored_locations
    from headwater_consumer.queries.containing import versions_containing as versions_containing
    from headwater_consumer.queries.containing import versions_referencing as versions_referencing
    from headwater_consumer.queries.differences import EntryContent as EntryContent
    from headwater_consumer.queries.differences import EntryDifference as EntryDifference
    from headwater_consumer.queries.differences import diff_layers as diff_layers
    from headwater_consumer.queries.drafts import draft_info as draft_info
    from headwater_consumer.queries.drafts import open_drafts as open_drafts
    from headwater_consumer.queries.entries import all_entries as all_entries
    from headwater_consumer.queries.entries import entries_of as entries_of
    from headwater_consumer.queries.entries import entries_page as entries_page
    from headwater_consumer.queries.entries import entry as entry
    from headwater_consumer.queries.entries import has_folder as has_folder
    from headwater_consumer.queries.entries import listing as listing
    from headwater_consumer.queries.entries import path_conflict as path_conflict
    from headwater_consumer.queries.entries import stored_path as stored_path
    from headwater_consumer.queries.lineage import ancestry as ancestry
    from headwater_consumer.queries.lineage import descendants as descendants
    from headwater_consumer.queries.lineage import tree as tree
    from headwater_consumer.queries.namespaces import collection_names as collection_names
    from headwater_consumer.queries.namespaces import collections_named as collections_named
    from headwater_consumer.queries.namespaces import count_projects as count_projects
    from headwater_consumer.queries.namespaces import project_infos as project_infos
    from headwater_consumer.queries.namespaces import runs_named as runs_named
    from headwater_consumer.queries.outcomes import answers as answers
    from headwater_consumer.queries.outcomes import first_rejection as first_rejection
    from headwater_consumer.queries.projects import chosen_algorithm as chosen_algorithm
    from headwater_consumer.queries.projects import draft_idle_days as draft_idle_days
    from headwater_consumer.queries.projects import project_settings as project_settings
    from headwater_consumer.queries.reclaimable import dependents as dependents
    from headwater_consumer.queries.reclaimable import reclaimable_bytes as reclaimable_bytes
    from headwater_consumer.queries.recorded_runs import capture_of as capture_of
    from headwater_consumer.queries.recorded_runs import count_runs as count_runs
    from headwater_consumer.queries.recorded_runs import cursor_of as cursor_of
    from headwater_consumer.queries.recorded_runs import input_of as input_of
    from headwater_consumer.queries.recorded_runs import inputs_of as inputs_of
    from headwater_consumer.queries.recorded_runs import outputs_of as outputs_of
    from headwater_consumer.queries.recorded_runs import producers_of as producers_of
    from headwater_consumer.queries.recorded_runs import purposes_of as purposes_of
    from headwater_consumer.queries.recorded_runs import run_info as run_info
    from headwater_consumer.queries.recorded_runs import runs as runs
    from headwater_consumer.queries.recorded_runs import used_by as used_by
    from headwater_consumer.queries.results import Answers as Answers
    from headwater_consumer.queries.results import CollectionInfo as CollectionInfo
    from headwater_consumer.queries.results import DeadLetterInfo as DeadLetterInfo
    from headwater_consumer.queries.results import DraftInfo as DraftInfo
    from headwater_consumer.queries.results import Edge as Edge
    from headwater_consumer.queries.results import EntryInfo as EntryInfo
    from headwater_consumer.queries.results import Health as Health
    from headwater_consumer.queries.results import Lineage as Lineage
    from headwater_consumer.queries.results import Outcome as Outcome
    from headwater_consumer.queries.results import ProjectInfo as ProjectInfo
    from headwater_consumer.queries.results import RejectionInfo as RejectionInfo
    from headwater_consumer.queries.results import RunInfo as RunInfo
    from headwater_consumer.queries.results import RunInputInfo as RunInputInfo
    from headwater_consumer.queries.results import SentRange as SentRange
    from headwater_consumer.queries.results import TreeLine as TreeLine
    from headwater_consumer.queries.results import VersionInfo as VersionInfo
    from headwater_consumer.queries.store_health import dead_letters as dead_letters
    from headwater_consumer.queries.store_health import health as health
    from headwater_consumer.queries.versions import contested_paths as contested_paths
    from headwater_consumer.queries.versions import count_versions as count_versions
    from headwater_consumer.queries.versions import layers_with_digest as layers_with_digest
    from headwater_consumer.queries.versions import resolve_version as resolve_version
    from headwater_consumer.queries.versions import version_info as version_info
    from headwater_consumer.queries.versions import version_infos as version_infos
    from headwater_consumer.queries.versions import version_named as version_named
    from headwater_consumer.queries.versions import version_with_digest as version_with_digest

_NAMES = {  # by the module that has them
    "artifact_collections": (
        "artifact_types",
        "collection_info",
        "collections",
        "count_artifact_types",
        "count_collections",
    ),
    "blob_locations": (
        "objects_of",
        "stored_locations",
    ),
    "containing": (
        "versions_containing",
        "versions_referencing",
    ),
    "differences": (
        "EntryContent",
        "EntryDifference",
        "diff_layers",
    ),
    "drafts": (
        "draft_info",
        "open_drafts",
    ),
    "entries": (
        "all_entries",
        "entries_of",
        "entries_page",
        "entry",
        "has_folder",
        "listing",
        "path_conflict",
        "stored_path",
    ),
    "lineage": (
        "ancestry",
        "descendants",
        "tree",
    ),
    "namespaces": (
        "collection_names",
        "collections_named",
        "count_projects",
        "project_infos",
        "runs_named",
    ),
    "outcomes": (
        "answers",
        "first_rejection",
    ),
    "projects": (
        "chosen_algorithm",
        "draft_idle_days",
        "project_settings",
    ),
    "reclaimable": (
        "dependents",
        "reclaimable_bytes",
    ),
    "recorded_runs": (
        "capture_of",
        "count_runs",
        "cursor_of",
        "input_of",
        "inputs_of",
        "outputs_of",
        "producers_of",
        "purposes_of",
        "run_info",
        "runs",
        "used_by",
    ),
    "results": (
        "Answers",
        "CollectionInfo",
        "DeadLetterInfo",
        "DraftInfo",
        "Edge",
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
    ),
    "store_health": (
        "dead_letters",
        "health",
    ),
    "versions": (
        "contested_paths",
        "count_versions",
        "layers_with_digest",
        "resolve_version",
        "version_info",
        "version_infos",
        "version_named",
        "version_with_digest",
    ),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "Answers",
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
    "answers",
    "artifact_types",
    "capture_of",
    "chosen_algorithm",
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
    "draft_idle_days",
    "draft_info",
    "entries_of",
    "entries_page",
    "entry",
    "first_rejection",
    "has_folder",
    "health",
    "input_of",
    "inputs_of",
    "layers_with_digest",
    "listing",
    "objects_of",
    "open_drafts",
    "outputs_of",
    "path_conflict",
    "producers_of",
    "project_infos",
    "project_settings",
    "purposes_of",
    "reclaimable_bytes",
    "resolve_version",
    "run_info",
    "runs",
    "runs_named",
    "stored_locations",
    "stored_path",
    "tree",
    "used_by",
    "version_info",
    "version_infos",
    "version_named",
    "version_with_digest",
    "versions_containing",
    "versions_referencing",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
