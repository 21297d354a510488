"""The edges between runs and versions: which run logged or used which version."""

from headwater_consumer import queries

from headwater._commit.client import Client
from headwater._paging import read_all

Version = tuple[str, int]  # collection and number


def outputs_of(client: Client, run: str) -> list[Version]:
    """The versions that a run logged."""
    client.catch_up()
    reads = client.stores.reads

    def page_after(last: Version | None) -> list[Version]:
        return reads.outputs_of(run) if last is None else reads.outputs_of(run, after=last)

    return read_all(page_after)


def inputs_of(client: Client, run: str) -> list[Version]:
    """The versions that a run used."""
    client.catch_up()
    reads = client.stores.reads

    def page_after(last: Version | None) -> list[Version]:
        found = reads.inputs_of(run) if last is None else reads.inputs_of(run, after=last)
        return [(use.collection, use.version) for use in found]

    return read_all(page_after)


def users_of(client: Client, version: Version) -> list[str]:
    """The runs that used a version, by name."""
    client.catch_up()
    reads = client.stores.reads
    return read_all(lambda last: reads.used_by(*version, after=last or ""))


def use_of(client: Client, run: str, version: Version) -> queries.RunInputInfo:
    """How a run used a version: by which names it requested it, and for what."""
    client.catch_up()
    return client.stores.reads.input_of(run, *version)
