"""How an artifact finds the runs that logged and used it, although runs import artifacts and never the reverse."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from headwater._commit.client import Client
    from headwater._run.run import Run


class RunResolver(Protocol):
    """Finds runs by their names, "entity/project/id" each."""

    def __call__(self, client: "Client", names: Sequence[str]) -> "list[Run]": ...


_registered: list[RunResolver] = []


def register_run_resolver(resolver: RunResolver) -> None:
    """Use `resolver` from now on."""
    _registered[:] = [resolver]


def resolve_runs(client: "Client", names: Sequence[str]) -> "list[Run]":
    """The runs with these names, in this order."""
    assert _registered, "importing a name from `headwater` registers a resolver"
    return _registered[0](client, names)
