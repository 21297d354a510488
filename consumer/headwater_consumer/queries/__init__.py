"""The reading side: one function a query, named after it; each takes a `Database` and returns frozen records.

Nothing here writes. Each query reads one snapshot and closes it before it returns; long results are paged by key. The
modules are named after their subjects; `results` has the records. A name is imported on its first use: most processes
need a few. So no module has the name of a query.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headwater_consumer.queries.access import count_tokens as count_tokens
    from headwater_consumer.queries.access import grants as grants
    from headwater_consumer.queries.access import has_role_within as has_role_within
    from headwater_consumer.queries.access import role_granted as role_granted
    from headwater_consumer.queries.access import roles_of as roles_of
    from headwater_consumer.queries.access import scopes_of_token as scopes_of_token
    from headwater_consumer.queries.access import scopes_with_tokens_of as scopes_with_tokens_of
    from headwater_consumer.queries.access import token_access as token_access
    from headwater_consumer.queries.access import token_with_id as token_with_id
    from headwater_consumer.queries.access import tokens as tokens
    from headwater_consumer.queries.aliases import aliases_of as aliases_of
    from headwater_consumer.queries.artifact_collections import artifact_types as artifact_types
    from headwater_consumer.queries.artifact_collections import collection_info as collection_info
    from headwater_consumer.queries.artifact_collections import collections as collections
    from headwater_consumer.queries.artifact_collections import count_artifact_types as count_artifact_types
    from headwater_consumer.queries.artifact_collections import count_collections as count_collections
    from headwater_consumer.queries.blob_locations import condemned_objects as condemned_objects
    from headwater_consumer.queries.blob_locations import current_places as current_places
    from headwater_consumer.queries.blob_locations import next_attempts as next_attempts
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
    from headwater_consumer.queries.event_history import ending_of as ending_of
    from headwater_consumer.queries.event_history import history_of as history_of
    from headwater_consumer.queries.levels import LevelItem as LevelItem
    from headwater_consumer.queries.levels import level as level
    from headwater_consumer.queries.levels import level_key as level_key
    from headwater_consumer.queries.lineage import ancestry as ancestry
    from headwater_consumer.queries.lineage import descendants as descendants
    from headwater_consumer.queries.lineage import tree as tree
    from headwater_consumer.queries.lineage_graphs import LineageGraph as LineageGraph
    from headwater_consumer.queries.lineage_graphs import lineage_graph as lineage_graph
    from headwater_consumer.queries.lineage_labels import drafts_beside as drafts_beside
    from headwater_consumer.queries.lineage_labels import run_labels as run_labels
    from headwater_consumer.queries.lineage_labels import version_labels as version_labels
    from headwater_consumer.queries.lineage_steps import runs_of_versions as runs_of_versions
    from headwater_consumer.queries.lineage_steps import versions_of_runs as versions_of_runs
    from headwater_consumer.queries.namespaces import collection_names as collection_names
    from headwater_consumer.queries.namespaces import collections_named as collections_named
    from headwater_consumer.queries.namespaces import count_projects as count_projects
    from headwater_consumer.queries.namespaces import entities as entities
    from headwater_consumer.queries.namespaces import project_info as project_info
    from headwater_consumer.queries.namespaces import project_infos as project_infos
    from headwater_consumer.queries.namespaces import runs_named as runs_named
    from headwater_consumer.queries.outcomes import answers as answers
    from headwater_consumer.queries.outcomes import first_rejection as first_rejection
    from headwater_consumer.queries.projects import chosen_algorithm as chosen_algorithm
    from headwater_consumer.queries.projects import draft_idle_days as draft_idle_days
    from headwater_consumer.queries.projects import has_begun as has_begun
    from headwater_consumer.queries.projects import project_settings as project_settings
    from headwater_consumer.queries.projects import protected_aliases as protected_aliases
    from headwater_consumer.queries.projects import restore_days as restore_days
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
    from headwater_consumer.queries.results import Grant as Grant
    from headwater_consumer.queries.results import GrantInfo as GrantInfo
    from headwater_consumer.queries.results import Health as Health
    from headwater_consumer.queries.results import KeptUsage as KeptUsage
    from headwater_consumer.queries.results import Lineage as Lineage
    from headwater_consumer.queries.results import Outcome as Outcome
    from headwater_consumer.queries.results import PolicyInfo as PolicyInfo
    from headwater_consumer.queries.results import ProjectInfo as ProjectInfo
    from headwater_consumer.queries.results import RejectionInfo as RejectionInfo
    from headwater_consumer.queries.results import Restoration as Restoration
    from headwater_consumer.queries.results import RunInfo as RunInfo
    from headwater_consumer.queries.results import RunInputInfo as RunInputInfo
    from headwater_consumer.queries.results import SentRange as SentRange
    from headwater_consumer.queries.results import SubscriptionInfo as SubscriptionInfo
    from headwater_consumer.queries.results import TokenAccess as TokenAccess
    from headwater_consumer.queries.results import TokenInfo as TokenInfo
    from headwater_consumer.queries.results import TreeLine as TreeLine
    from headwater_consumer.queries.results import VersionInfo as VersionInfo
    from headwater_consumer.queries.retention import collections_with_ttl as collections_with_ttl
    from headwater_consumer.queries.retention import restorations as restorations
    from headwater_consumer.queries.retention import retention_changes as retention_changes
    from headwater_consumer.queries.retention import retention_policies as retention_policies
    from headwater_consumer.queries.searching import Finding as Finding
    from headwater_consumer.queries.searching import Findings as Findings
    from headwater_consumer.queries.searching import search_content as search_content
    from headwater_consumer.queries.searching import search_metadata as search_metadata
    from headwater_consumer.queries.searching import search_names as search_names
    from headwater_consumer.queries.searching import search_tags as search_tags
    from headwater_consumer.queries.searching import search_version_digest as search_version_digest
    from headwater_consumer.queries.sessions import is_session_known as is_session_known
    from headwater_consumer.queries.store_health import dead_letters as dead_letters
    from headwater_consumer.queries.store_health import health as health
    from headwater_consumer.queries.subscribers import all_subscriptions as all_subscriptions
    from headwater_consumer.queries.subscribers import scopes_of_subscription as scopes_of_subscription
    from headwater_consumer.queries.subscribers import subscription_with_id as subscription_with_id
    from headwater_consumer.queries.subscribers import subscriptions as subscriptions
    from headwater_consumer.queries.usage import VersionUsage as VersionUsage
    from headwater_consumer.queries.usage import kept_usage as kept_usage
    from headwater_consumer.queries.usage import numbered_collections as numbered_collections
    from headwater_consumer.queries.usage import version_usages as version_usages
    from headwater_consumer.queries.versions import contested_paths as contested_paths
    from headwater_consumer.queries.versions import count_versions as count_versions
    from headwater_consumer.queries.versions import layers_with_digest as layers_with_digest
    from headwater_consumer.queries.versions import resolve_version as resolve_version
    from headwater_consumer.queries.versions import version_info as version_info
    from headwater_consumer.queries.versions import version_infos as version_infos
    from headwater_consumer.queries.versions import version_named as version_named
    from headwater_consumer.queries.versions import version_with_digest as version_with_digest

_NAMES = {  # by the module that has them
    "access": (
        "count_tokens",
        "grants",
        "has_role_within",
        "role_granted",
        "roles_of",
        "scopes_of_token",
        "scopes_with_tokens_of",
        "token_access",
        "token_with_id",
        "tokens",
    ),
    "aliases": ("aliases_of",),
    "artifact_collections": (
        "artifact_types",
        "collection_info",
        "collections",
        "count_artifact_types",
        "count_collections",
    ),
    "blob_locations": (
        "condemned_objects",
        "current_places",
        "next_attempts",
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
    "event_history": (
        "ending_of",
        "history_of",
    ),
    "levels": (
        "LevelItem",
        "level",
        "level_key",
    ),
    "lineage": (
        "ancestry",
        "descendants",
        "tree",
    ),
    "lineage_graphs": (
        "LineageGraph",
        "lineage_graph",
    ),
    "lineage_labels": (
        "drafts_beside",
        "run_labels",
        "version_labels",
    ),
    "lineage_steps": (
        "runs_of_versions",
        "versions_of_runs",
    ),
    "namespaces": (
        "collection_names",
        "collections_named",
        "count_projects",
        "entities",
        "project_info",
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
        "has_begun",
        "project_settings",
        "protected_aliases",
        "restore_days",
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
        "Grant",
        "GrantInfo",
        "Health",
        "Lineage",
        "Outcome",
        "KeptUsage",
        "PolicyInfo",
        "ProjectInfo",
        "RejectionInfo",
        "Restoration",
        "RunInfo",
        "RunInputInfo",
        "SentRange",
        "SubscriptionInfo",
        "TokenAccess",
        "TokenInfo",
        "TreeLine",
        "VersionInfo",
    ),
    "retention": (
        "collections_with_ttl",
        "restorations",
        "retention_changes",
        "retention_policies",
    ),
    "searching": (
        "Finding",
        "Findings",
        "search_content",
        "search_metadata",
        "search_names",
        "search_tags",
        "search_version_digest",
    ),
    "sessions": ("is_session_known",),
    "store_health": (
        "dead_letters",
        "health",
    ),
    "subscribers": (
        "all_subscriptions",
        "scopes_of_subscription",
        "subscription_with_id",
        "subscriptions",
    ),
    "usage": (
        "VersionUsage",
        "kept_usage",
        "numbered_collections",
        "version_usages",
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

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
