"""Lists whose rows have much text: they come in parts that the server can hold, and all of them come."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from headwater_consumer.queries.query_forms import form_of
from headwater_consumer.queries.reads import Reads, all_queries
from headwater_schemas.limits import METADATA_BYTES_MAX
from headwater_server.lists import CHARACTERS_MAX, ROWS_AT_ONCE
from headwater_stores.config.server_address import ServerAddress
from headwater_stores.folder import open_folder
from headwater_stores.http.connection import ServerConnection
from headwater_stores.http.reads import ServerReads

from tests.server.granted import GrantedServer, granting
from tests.support.history import History

PROJECT = "team/vision"
WORDY, COUNT = f"{PROJECT}/wordy", ROWS_AT_ONCE + 6
METADATA = json.dumps({"text": "x" * (METADATA_BYTES_MAX // 2)}, separators=(",", ":"))
READ = METADATA_BYTES_MAX // 2 * ROWS_AT_ONCE  # characters of the first rows


@pytest.fixture(scope="module")
def granted(module_path: Path) -> Iterator[GrantedServer]:
    """A server of a store with COUNT versions and runs that have much text each."""
    folder = module_path / "wordy"
    with closing(open_folder(folder, create=True)) as stores:
        history = History(stores.log, stores.database)
        for number in range(COUNT):
            history.run(f"{PROJECT}/run-{number}", config=METADATA)
            history.commit(WORDY, {f"{number}.txt": b"1"}, metadata=METADATA)
    with granting(folder, recorded=False) as granted:
        yield granted


@pytest.fixture(params=["of all projects", "of one"])
def reads(request: pytest.FixtureRequest, granted: GrantedServer) -> Iterator[Reads]:
    """As the SDK reads over HTTP."""
    token = granted.token(f"ana-{request.param_index}", "team" if request.param_index else PROJECT, "reader")
    address = ServerAddress(url=granted.server.url, token=token)
    with closing(ServerConnection(address, outage_s=5.0)) as connection:
        yield ServerReads(connection)


def test_the_first_rows_are_more_than_one_answer_has() -> None:
    assert READ > CHARACTERS_MAX


def test_all_versions_and_runs_are_listed_in_order(reads: Reads) -> None:
    versions = reads.version_infos(WORDY, limit=COUNT + 1)
    runs = reads.runs(PROJECT, limit=COUNT - 1)

    assert [info.version for info in versions] == [*reversed(range(COUNT))]
    assert {info.metadata for info in versions} == {METADATA}
    assert [info.run for info in runs] == [f"{PROJECT}/run-{number}" for number in reversed(range(1, COUNT))]


@pytest.mark.parametrize(
    ("query", "arguments"),
    [("version_infos", {"collection": WORDY}), ("runs", {"project": PROJECT}), ("history_of", {"subject": WORDY})],
)
def test_one_answer_has_a_part_that_the_server_can_hold(
    granted: GrantedServer, query: str, arguments: dict[str, Any]
) -> None:
    token = granted.token("ben", PROJECT, "reader")
    body = json.dumps({**arguments, "limit": 100_000}).encode()

    answer = granted.server.ask("POST", f"/v1/queries/{query}", body, token=token).json

    found = form_of(all_queries()[query]).result.decode(answer["result"], query)
    is_wordy = query != "history_of"
    assert (len(found) == ROWS_AT_ONCE, answer["more"]) == (is_wordy, is_wordy)


@pytest.mark.parametrize("path", ["collections/wordy/versions", "runs"])
def test_a_page_for_people_ends_early_and_the_next_ones_have_the_rest(granted: GrantedServer, path: str) -> None:
    token = granted.token("cleo", PROJECT, "reader")
    at, pages = f"/v1/projects/{PROJECT}/{path}?limit=1000", list[list[Any]]()
    cursor = ""
    while len(pages) < COUNT:
        page = granted.server.get(f"{at}{cursor}", token=token)
        pages.append(page["items"])
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert [len(page) for page in pages] == [ROWS_AT_ONCE, COUNT - ROWS_AT_ONCE]
    names = [one.get("version", one.get("run")) for page in pages for one in page]
    assert len(set(names)) == COUNT


def test_a_list_without_pages_is_asked_for_in_fewer_rows(granted: GrantedServer) -> None:
    token = granted.token("dora", PROJECT, "reader")

    body = json.dumps({"name": "wordy", "limit": 10_001}).encode()
    answer = granted.server.ask("POST", "/v1/queries/collections_named", body, token=token)

    assert (answer.status, answer.json["reason"]) == (400, "invalid")
