"""What runs and versions are to each other: one logged or used the other."""

from typing import TYPE_CHECKING

from headwater_consumer import queries

from headwater._paging import every

if TYPE_CHECKING:
    from headwater._artifact.artifact import Artifact
    from headwater._commit.client import Client

Version = tuple[str, int]  # collection and number


def outputs_of(client: "Client", run: str) -> list[Version]:
    """What a run logged."""
    client.catch_up()
    database = client.stores.database

    def page_after(last: Version | None) -> list[Version]:
        return queries.outputs_of(database, run) if last is None else queries.outputs_of(database, run, after=last)

    return every(page_after)


def inputs_of(client: "Client", run: str) -> list[Version]:
    """What a run used."""
    client.catch_up()
    database = client.stores.database

    def page_after(last: Version | None) -> list[Version]:
        found = queries.inputs_of(database, run) if last is None else queries.inputs_of(database, run, after=last)
        return [(use.collection, use.version) for use in found]

    return every(page_after)


def users_of(client: "Client", version: Version) -> list[str]:
    """The runs that used a version, by name."""
    client.catch_up()
    database = client.stores.database
    return every(lambda last: queries.used_by(database, *version, after=last or ""))


def names_used(client: "Client", run: str, artifact: "Artifact") -> list[str]:
    """The names under which a run asked for a version."""
    info = artifact._known()
    client.catch_up()
    return queries.names_asked_for(client.stores.database, run, info.collection, info.version)
