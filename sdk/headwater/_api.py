"""Ask about what was recorded, outside any run."""

from typing import TYPE_CHECKING

from headwater_schemas.errors import InvalidInput, NotFound
from headwater_schemas.names import RunName

from headwater._artifact import Artifact
from headwater._run import Run, find_artifact
from headwater._settings import read_settings

if TYPE_CHECKING:
    from headwater._client import Client


class Api:
    """Questions to a store. Settings are read when it is made."""

    def __init__(self) -> None:
        """Raises: InvalidSettings; StoreUnavailable when there is no store."""
        from headwater._client import client_for

        self._settings = read_settings()
        self._client: Client = client_for(self._settings, create=False)

    def artifact(self, name: str, type: str | None = None) -> Artifact:
        """The version that `[[entity/]project/]name[:alias or version]` names.

        Raises: NotFound; InvalidName; InvalidInput when it is of another type.
        """
        found = find_artifact(self._client, name, self._settings.entity, self._settings.project)
        if type is not None and found.type != type:
            raise InvalidInput(f"{found.name} is of type {found.type!r}, not {type!r}.")
        return found

    def run(self, path: str) -> Run:
        """The run `[[entity/]project/]id`. Raises: NotFound, InvalidName."""
        from headwater_consumer import queries

        parts = path.split("/")
        defaults = [self._settings.entity, self._settings.project]
        name = RunName.parse("/".join([*defaults[: max(0, 3 - len(parts))], *parts]))
        self._client.catch_up()
        if queries.run_info(self._client.stores.database, str(name)) is None:
            raise NotFound(f"there is no run {name}. `headwater runs` lists those that are there.")
        return Run._of_name(self._client, str(name))
