"""Set and remove the retention policies of a project. Nothing is deleted by that: maintenance acts by them later."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headwater_consumer.retention.planning import policies_of, policy_infos
from headwater_schemas import metadata
from headwater_schemas.events import SettingsChanged
from headwater_schemas.limits import RETENTION_CHANGES_MAX
from headwater_schemas.retention import RetentionPolicy, check_policy_name
from headwater_schemas.settings import RETENTION

from headwater._commit.client import Client

Policies = Mapping[str, RetentionPolicy]


@dataclass(frozen=True, slots=True)
class PolicyChanges:
    """What is to be said of policies, by name."""

    changed: Mapping[str, RetentionPolicy | None]  # None: removed
    left: tuple[str, ...]  # policies that are not in a file, and stay
    after: Policies  # all that hold then


def changes_to(client: Client, project: str, wanted: Policies, *, prune: bool) -> PolicyChanges:
    """What makes the policies of a project those that are `wanted`; others stay, or with `prune` are removed."""
    present = policies_of(policy_infos(client.stores.reads, project))
    changed: dict[str, RetentionPolicy | None] = {
        check_policy_name(name): policy for name, policy in wanted.items() if present.get(name) != policy
    }
    others = tuple([name for name in present if name not in wanted])
    changed |= dict.fromkeys(others) if prune else {}
    kept = {} if prune else {name: present[name] for name in others}
    return PolicyChanges(changed, () if prune else others, {**kept, **wanted})


def change_policies(
    client: Client, project: str, changed: Mapping[str, RetentionPolicy | None], *, message: str | None = None
) -> None:
    """Set these policies, each as a whole, or remove those that are None. Returns once they hold.

    Raises: EventRejected; InvalidInput.
    """
    items = list(changed.items())
    for start in range(0, len(items), RETENTION_CHANGES_MAX):
        some = items[start : start + RETENTION_CHANGES_MAX]
        rules: dict[str, Any] = {name: None if policy is None else policy.rules for name, policy in some}
        event = SettingsChanged(project=project, settings=metadata.encode({RETENTION: rules}, "settings"))
        client.send([event], message=message).result()
    client.catch_up()
