"""The edges between runs and versions: which run logged or used which version."""

from headwater_consumer import queries

from headwater._commit.client import Client
from headwater._paging import read_all

Version = tuple[str, int]  # collection and number


def outputs_of(client: Client, run: str) -> list[Version]:
    """The versions that a run logged."""
    client.catch_up()
    database = client.stores.database

    def page_after(last: Version | None) -> list[Version]:
        return queries.outputs_of(database, run) if last is None else queries.outputs_of(database, run, after=last)

    return read_all(page_after)


def inputs_of(client: Client, run: str) -> list[Version]:
    """The versions that a run used."""
    client.catch_up()
    database = client.stores.database

    def page_after(last: Version | None) -> list[Version]:
        found = queries.inputs_of(database, run) if last is None else queries.inputs_of(database, run, after=last)
        return [(use.collection, use.version) for use in found]

    return read_all(page_after)


def users_of(client: Client, version: Version) -> list[str]:
    """The runs that used a version, by name."""
    client.catch_up()
    database = client.stores.database
    return read_all(lambda last: queries.used_by(database, *version, after=last or ""))


def use_of(client: Client, run: str, version: Version) -> queries.RunInputInfo:
    """How a run used a version: by which names it requested it, and for what."""
    client.catch_up()
    return queries.input_of(client.stores.database, run, *version)
