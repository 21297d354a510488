"""The queries that are answered, each with its rule: what its caller must be allowed to read, and what of the answer.

A query that has no rule is not answered.
"""

from collections.abc import Callable, Mapping
from typing import Any

from headwater_consumer.maintenance.usage_sums import kept_usage
from headwater_consumer.queries import TokenInfo
from headwater_schemas import keys
from headwater_schemas.access import ADMIN, READER, check_scope

from headwater_server.access.last_uses import with_uses
from headwater_server.access.rules import require
from headwater_server.reading import crossing, places
from headwater_server.reading.asked import Asked

Rule = Callable[[Asked], Any]


def of(*named: str, then: Rule = Asked.answer) -> Rule:
    """For who may read what these arguments name: "entity/project", or "entity/project/…"."""

    def rule(asked: Asked) -> Any:
        return then(asked) if asked.may_read_all(asked.arguments[one] for one in named) else asked.nothing()

    return rule


def of_layers(*named: str, then: Rule = Asked.answer) -> Rule:
    """For who may read the versions that have these layers."""

    def rule(asked: Asked) -> Any:
        wanted = {layer for one in named for layer in asked.arguments[one]}
        projects = asked.owners.projects_of(wanted)
        is_readable = len(projects) == len(wanted) and asked.may_read_all(projects.values())
        return then(asked) if is_readable else asked.nothing()

    return rule


def of_project_or_all(then_of_all: Rule) -> Rule:
    """One project, or what may be read of all where none is named."""
    of_project = of("project")
    return lambda asked: then_of_all(asked) if asked.arguments["project"] is None else of_project(asked)


def of_key(asked: Asked) -> Any:
    """For who may read what a key of the log is about."""
    kind, _, name = asked.arguments["key"].partition(":")
    is_readable = kind in (keys.COLLECTION, keys.RUN, keys.PROJECT, keys.ENTITY) and asked.may_read(name)
    return asked.answer() if is_readable else asked.nothing()


def of_admin(asked: Asked) -> Any:
    """For who administers the scope. Who may only read there hears so: an empty list would say that nobody has any."""
    scope = check_scope(asked.arguments["scope"])
    if asked.caller.may(READER, scope):
        require(asked.caller, ADMIN, scope, "reading who may do what")
        return asked.answer()
    return asked.nothing()


def tokens(asked: Asked) -> list[TokenInfo]:
    """As `of_admin`, each with when it was last used."""
    return with_uses(asked.service, of_admin(asked))


def usage_as_kept(asked: Asked) -> Any:
    """What the operational tables have, where the collection that is named is one of the project."""
    project, collection = asked.arguments["project"], asked.arguments["collection"]
    if collection is not None and not collection.startswith(f"{project}/"):
        return asked.nothing()
    return kept_usage(asked.service.operational, **asked.arguments)


def found_of_admin(asked: Asked) -> Any:
    """For who administers the scope of what is found."""
    found = asked.answer()
    return found if found is not None and asked.administers(found.scope) else None


def _itself(name: str) -> list[str]:
    return [name]


def _collection_of(item: Any) -> list[str]:
    return [item.collection]


def _first_of(item: Any) -> list[str]:
    return [item[0]]


RULES: Mapping[str, Rule] = {
    # collections and their versions
    "artifact_types": of("project"),
    "collection_info": of("collection"),
    "collection_names": of("project"),
    "collections": of_project_or_all(crossing.paged(_collection_of)),
    "collections_named": crossing.whole(_itself),
    "count_artifact_types": of("project"),
    "count_collections": of("project"),
    "count_versions": of("collection"),
    "contested_paths": of("collection"),
    "resolve_version": of("collection"),
    "version_info": of("collection", then=crossing.version),
    "version_infos": of("collection", then=crossing.versions),
    "version_named": of("collection", then=crossing.version),
    "version_with_digest": of("collection"),
    # entries
    "all_entries": of_layers("layers", then=places.of_pages),
    "diff_layers": of_layers("before", "now"),
    "entries_of": of_layers("layers", then=places.of_paths),
    "entries_page": of_layers("layers", then=places.of_entries),
    "entry": of_layers("layers", then=places.of_entry),
    "has_folder": of_layers("layers"),
    "listing": of_layers("layers"),
    "path_conflict": of_layers("layers"),
    "stored_path": of_layers("layers"),
    # content
    "condemned_objects": of("project"),
    "current_places": places.of_labels,
    "layers_with_digest": of("project"),
    "next_attempts": of("project"),
    "objects_of": of_layers("layers", then=places.of_objects),
    "reclaimable_bytes": of("collection"),
    "numbered_collections": of("project"),
    "kept_usage": of("project", then=usage_as_kept),
    "version_usages": of("collection"),
    "stored_locations": of("project", then=places.of_contents),
    "versions_referencing": crossing.whole(_first_of),
    # projects and drafts
    "chosen_algorithm": of("project"),
    "count_projects": crossing.count_projects,
    "draft_info": of("collection"),
    "first_rejection": of_key,
    "open_drafts": of_project_or_all(crossing.paged(_collection_of)),
    "project_infos": crossing.projects,
    "project_settings": of("project"),
    # retention
    "collections_with_ttl": of("project"),
    "restorations": of("collection"),
    "retention_changes": of("project"),
    "retention_policies": of("project"),
    # runs and lineage
    "ancestry": of("collection", then=crossing.lineage),
    "capture_of": of("run"),
    "count_runs": of("project"),
    "dependents": of("collection", then=crossing.dependents),
    "descendants": of("collection", then=crossing.lineage),
    "input_of": of("run", "collection"),
    "inputs_of": of("run", then=crossing.paged(_collection_of)),
    "outputs_of": of("run", then=crossing.paged(_first_of)),
    "purposes_of": crossing.purposes,
    "run_info": of("run"),
    "runs": of("project"),
    "runs_named": crossing.whole(_itself),
    "used_by": of("collection", then=crossing.paged(_itself)),
    # version events
    "ending_of": of("collection"),
    "history_of": of("subject", then=crossing.history),
    # access
    "grants": of_admin,
    "has_role_within": of_admin,
    "role_granted": of_admin,
    "subscription_with_id": found_of_admin,
    "subscriptions": of_admin,
    "token_with_id": found_of_admin,
    "tokens": tokens,
}
READING_BYTES = frozenset({"objects_of", "stored_locations"})  # queries that ask the store of bytes, too
