"""Every table of the projection, with its indexes."""

from headwater_consumer import rows
from headwater_consumer.database.row_mapping import TABLES, map_row

# --- the log
LOG_POSITIONS = map_row(rows.LogPositionRow, "log_positions")
SESSIONS = map_row(rows.SessionMarkRow, "sessions")
RETIRED_SESSIONS = map_row(rows.RetiredSessionsRow, "retired_sessions")
BROADCASTS = map_row(rows.BroadcastRow, "broadcasts", wide=True)
REJECTIONS = map_row(rows.RejectionRow, "rejections", indexes=(("session", "key", "sequence"),))
DEAD_LETTERS = map_row(rows.DeadLetterRow, "dead_letters", wide=True)
PARKED_KEYS = map_row(rows.ParkedKeyRow, "parked_keys")
PARKED_RECORDS = map_row(rows.ParkedRecordRow, "parked_records", indexes=(("partition", "key", "position"),), wide=True)

# --- content
ENTRIES = map_row(
    rows.EntryRow,
    "entries",
    indexes=(("digest", "object_name", "layer"),),
    prefix_indexes=(("uri", "layer"),),
)
OBJECT_LAYERS = map_row(rows.ObjectLayerRow, "object_layers", indexes=(("layer",),))
LAYERS = map_row(rows.LayerRow, "layers")
DRAFTS = map_row(rows.DraftRow, "drafts", indexes=(("closed_position", "collection", "draft"),), wide=True)
DRAFT_WRITERS = map_row(rows.DraftWriterRow, "draft_writers")

# --- versions
COLLECTIONS = map_row(rows.CollectionRow, "collections", indexes=(("project", "type"),))
VERSIONS = map_row(rows.VersionRow, "versions", indexes=(("digest", "collection"), ("run",)), wide=True)
VERSION_LAYERS = map_row(rows.VersionLayerRow, "version_layers")
CONTESTED_PATHS = map_row(rows.ContestedPathRow, "contested_paths")
VERSION_DIGESTS = map_row(rows.VersionDigestRow, "version_digests")
ALIASES = map_row(
    rows.AliasRow,
    "aliases",
    indexes=(("collection", "version"),),
    partial_indexes=(("open_by_alias", ("alias", "collection"), "to_position IS NULL"),),
)
TAGS = map_row(rows.TagRow, "tags", indexes=(("tag", "collection", "version"),))
VERSION_ATTRIBUTES = map_row(
    rows.VersionAttributeRow,
    "version_attributes",
    # Few versions are deleted, and those are counted wherever versions are. The columns beyond the first say nothing
    # more: with them SQLite prefers it to the key, which has all versions of a collection.
    # What was purged is asked for by position: what is new of it.
    partial_indexes=(
        ("deleted", ("collection", "field", "to_position"), "to_position IS NULL AND field = 'deleted'"),
        ("purged", ("from_position", "collection", "version"), "to_position IS NULL AND field = 'purged'"),
    ),
)
VERSION_UPDATES = map_row(rows.VersionUpdateRow, "version_updates")
VERSION_EVENTS = map_row(rows.VersionEventRow, "version_events", indexes=(("subject", "position", "record_index"),))

# --- runs and edges
RUNS = map_row(rows.RunRow, "runs", indexes=(("project", "started_us", "from_position"),), wide=True)
RUN_STATES = map_row(rows.RunStateRow, "run_states")
RUN_VALUES = map_row(rows.RunValuesRow, "run_values", wide=True)
RUN_HEARTBEATS = map_row(rows.RunHeartbeatRow, "run_heartbeats")
RUN_CAPTURES = map_row(rows.RunCaptureRow, "run_captures", indexes=(("project", "commit", "run"),), wide=True)
RUN_INPUTS = map_row(rows.RunInputRow, "run_inputs", indexes=(("run",),))
RUN_OUTPUTS = map_row(rows.RunOutputRow, "run_outputs", indexes=(("run",),))

# --- administration
CONDEMNED_OBJECTS = map_row(rows.CondemnedObjectRow, "condemned_objects")
RELOCATED_RANGES = map_row(rows.RelocatedRangeRow, "relocated_ranges", indexes=(("to_object_name",),))
PROJECT_FACTS = map_row(rows.ProjectFactRow, "project_facts")
GRANTS = map_row(rows.GrantRow, "grants", indexes=(("principal", "entity"),), wide=True)
TOKENS = map_row(rows.TokenRow, "tokens", indexes=(("token",), ("principal", "scope")), wide=True)
SUBSCRIPTIONS = map_row(rows.SubscriptionRow, "subscriptions", indexes=(("subscription",),), wide=True)
PROJECTION_META = map_row(rows.MetaRow, "projection_meta")
PROJECTORS = map_row(rows.ProjectorRow, "projectors")

# All that depends on the log alone.
ROW_TYPES = tuple(row_type for row_type in TABLES if row_type not in (rows.MetaRow, rows.ProjectorRow))
# All that depends on the events alone: not where this log has them.
FINGERPRINTED = tuple(row_type for row_type in ROW_TYPES if row_type is not rows.LogPositionRow)
