"""Who may read one project learns nothing of others, whatever it asks and whatever it knows of them already."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import headwater
import pytest
from headwater_consumer.database import Database
from headwater_consumer.queries.reads import DirectReads, Reads
from headwater_schemas import digests
from headwater_schemas.errors import HeadwaterError, StoreError
from headwater_stores.config.server_address import ServerAddress
from headwater_stores.http.connection import ServerConnection
from headwater_stores.http.reads import ServerReads

from tests.contract.reads import open_reads
from tests.contract.test_reads import QUESTIONS, alike
from tests.support import read_history
from tests.support.history import digest_of
from tests.support.read_history import AUDIO, CONTENT, OTHER, VISION
from tests.support.serving import ServerProcess, serving

FOREIGN = (AUDIO, OTHER)


@dataclass
class Attacked:
    """A server with several projects that lead to each other, and what it answers to some callers."""

    server: ServerProcess
    everything: Reads  # the operator's, of the store itself
    nothing: Reads  # of a store in which nothing was ever logged
    stranger: Reads  # has a role, in no project that is there
    eve: Reads  # reads VISION
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def attacked(module_path: Path) -> Iterator[Attacked]:
    folder: Path = module_path / "attacked"
    read_history.record(folder)
    with ExitStack() as opened:
        server = opened.enter_context(serving("--url", str(folder)))
        api = headwater.Api(url=folder)
        scopes = {"stranger": ("nobody", "admin"), "eve": (VISION, "reader"), "wil": (VISION, "maintainer")}
        tokens = {name: api.create_token(name, scope, role=role).text for name, (scope, role) in scopes.items()}

        def reads_as(name: str) -> Reads:
            address = ServerAddress(url=server.url, token=tokens[name])
            return ServerReads(opened.enter_context(closing(ServerConnection(address, outage_s=0.0))))

        everything = opened.enter_context(open_reads("sqlite", folder))
        nothing = DirectReads(opened.enter_context(closing(Database.in_memory(everything.name))))
        yield Attacked(server, everything, nothing, reads_as("stranger"), reads_as("eve"), tokens)


class Knowing:
    """Asks one query as an attacker who knows already whatever all others would tell."""

    def __init__(self, attacker: Reads, everything: Reads, query: str) -> None:
        self._attacker, self._everything, self._query = attacker, everything, query

    def __getattr__(self, name: str) -> Any:
        return getattr(self._attacker if name == self._query else self._everything, name)


def told(attacker: Reads, attacked: Attacked, name: str) -> list[Any]:
    """What an attacker gets for all questions about one query."""
    found: list[Any] = []
    for ask in QUESTIONS[name]:
        try:
            found.append(alike(ask(Knowing(attacker, attacked.everything, name))))  # type: ignore[arg-type]
        except (HeadwaterError, AttributeError, AssertionError) as error:  # of the question, where there was nothing
            is_told = isinstance(error, HeadwaterError) and not isinstance(error, StoreError)  # these name a place
            found.append((type(error).__name__, str(error) if is_told else ""))
    return found


@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_a_stranger_is_told_what_a_store_tells_in_which_nothing_was_logged(attacked: Attacked, name: str) -> None:
    assert told(attacked.stranger, attacked, name) == told(attacked.nothing, attacked, name)


@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_a_reader_of_one_project_is_told_of_no_other(attacked: Attacked, name: str) -> None:
    """But what it named itself in a question, to which the answer is that of a store without anything."""
    answers, nothings = told(attacked.eve, attacked, name), told(attacked.nothing, attacked, name)

    for answer, nothing in zip(answers, nothings, strict=True):
        names = [project for project in FOREIGN if re.search(rf"{project}\b", repr(answer))]
        assert names == [] or answer == nothing


def test_counts_count_what_may_be_read(attacked: Attacked) -> None:
    assert attacked.everything.count_projects() > 1
    assert attacked.eve.count_projects() == 1
    assert attacked.stranger.count_projects() == 0


# --- resources ----------------------------------------------------------------------------------------------------

NAMES = {
    "entity": ["team"],
    "project": ["vision"],
    "name": ["images", "model", "large", "parts"],
    "version": ["v0", "v1", "good", "latest"],
    "alias": ["good", "latest"],
    "path": ["cat.txt", "labels.csv", "dogs"],
    "run": ["collect", "train"],
    "digest": [digests.to_text(digest_of(CONTENT))],
}
QUERIES = {
    "/v1/search": [
        f"?digest={digests.to_text(digest_of(CONTENT))}",
        "?name=images",
        "?name=sounds",
        "?tag=checked",
        "?metadata=rows%3D3",
    ],
    "/v1/diff": [f"?before={VISION}/images:v0&after={VISION}/images:v1"],
}


def addresses(document: dict[str, Any]) -> Iterator[str]:
    """Everything that can be got, named by what is in VISION, with and without what else there may be to ask."""
    for path, methods in document["paths"].items():
        if "get" not in methods or not path.startswith("/v1") or path.endswith("/stream"):
            continue  # a stream has no end: `test_events` tries it
        fields = re.findall(r"\{(\w+)\}", path)
        for values in product(*[NAMES.get(field, ["unknown"]) for field in fields]):
            filled = path
            for field, value in zip(fields, values, strict=True):
                filled = filled.replace(f"{{{field}}}", value)
            yield from (filled + query for query in QUERIES.get(path, [""]))
            if path.endswith("lineage"):
                yield from (f"{filled}?direction={way}&depth=50" for way in ("up", "down"))


def test_no_resource_tells_a_reader_of_one_project_of_another(attacked: Attacked) -> None:
    found = 0
    for address in addresses(attacked.server.get("/v1/openapi.json")):
        answer = attacked.server.ask("GET", address, token=attacked.tokens["eve"])
        found += answer.status == 200
        leaks = [name for name in (b"team/audio", b"crew/", b"listen", b"abroad", b"sounds") if name in answer.body]
        assert (address, leaks if "sounds" not in address else []) == (address, [])
        assert answer.status < 500 or answer.json["reason"] == "content-lost", (
            address
        )  # nobody stored what was recorded

    assert found > 30


def test_what_is_asked_about_another_project_is_answered_as_if_it_were_not_there(attacked: Attacked) -> None:
    """Whatever the caller may do in its own."""
    document = attacked.server.get("/v1/openapi.json")
    begins = "/v1/projects/{entity}/{project}"
    project = [path for path, methods in document["paths"].items() if path.startswith(begins) and "get" in methods]
    names = {"name": "sounds", "version": "v0", "alias": "latest", "path": "cat.txt", "run": "listen"}
    names["digest"] = digests.to_text(digest_of(CONTENT))
    assert len(project) > 10

    for path in project:
        filled = re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], found[0]), path)
        for token in (attacked.tokens["eve"], attacked.tokens["wil"]):
            there, nowhere = (
                attacked.server.ask("GET", filled.replace("{entity}/{project}", where), token=token)
                for where in (AUDIO, "team/ghost")
            )
            assert there.status == nowhere.status == 404, filled
            assert there.body.replace(b"team/audio", b"team/ghost") == nowhere.body
