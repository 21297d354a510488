"""Registers how artifacts find the runs that logged and used them. Importing it loads no run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headwater._artifact.run_resolver import register_run_resolver

if TYPE_CHECKING:
    from headwater._commit.client import Client
    from headwater._run.run import Run


def _find_runs(client: "Client", names: Sequence[str]) -> "list[Run]":
    from headwater._run.listing import run_named  # deferred: database

    return [run_named(client, name) for name in names]


register_run_resolver(_find_runs)
