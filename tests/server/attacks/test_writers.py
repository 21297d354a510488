"""Writers who want more than to append: to move `prod`, to delete, to speak as others, to promote themselves."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from headwater_schemas.access import new_token, token_hash
from headwater_schemas.events import (
    EDIT_EXISTING,
    AccessGranted,
    AccessRevoked,
    AliasMoved,
    ArtifactUsed,
    DraftDiscarded,
    DraftOpened,
    EntryAdded,
    Event,
    RunStarted,
    SettingsChanged,
    SubscriptionAdded,
    TokenCreated,
    TokenRevoked,
    VersionCommitted,
    VersionDeleted,
    VersionDescribed,
    VersionRecalled,
    VersionRestored,
)

from tests.server.granted import GrantedServer, granting
from tests.server.submitting import PROJECT, Writer, claim, draft_of, files, submit
from tests.support.serving import Answer

PETS, OTHER = f"{PROJECT}/pets", "team/audio"
MARY, WIL, RITA = "headwater|mary", "headwater|wil", "headwater|rita"
CONTENT = b"a cat"
THEIRS = draft_of(MARY)


class Attacked(GrantedServer):
    """In PROJECT, Mary logged pets:v0 as `prod`, which is protected; Wil may write, and Rita read."""

    tokens: dict[str, str]

    def send(self, name: str, *events: Event, contents: tuple[bytes, ...] = (), **how: Any) -> Answer:
        """As a client of this principal sends them, in a new session."""
        encoded = Writer(f"headwater|{name}").encoded(*events)
        return submit(self.server, encoded, contents, token=self.tokens[name], **how)

    def reason(self, name: str, *events: Event) -> str:
        """Why the first of these was refused."""
        answer = self.send(name, *events)
        assert answer.status == 409, (answer.status, answer.body)
        return str(answer.json["refused"][0]["reason"])

    def version(self, number: int = 0) -> Any:
        return self.server.get(f"/v1/projects/{PROJECT}/collections/pets/versions/v{number}", token=self.tokens["rita"])


@pytest.fixture(scope="module")
def attacked(module_path: Path) -> Iterator[Attacked]:
    with granting(module_path / "attacked", recorded=False) as granted:
        attacked = Attacked(granted.server, granted.operator, granted.folder)
        roles = {"mary": "admin", "wil": "writer", "rita": "reader"}
        attacked.tokens = {name: granted.token(name, PROJECT, role) for name, role in roles.items()}
        writer = Writer(MARY)
        logged = [claim(), *writer.commit("pets", {"cat.txt": CONTENT})]
        logged.append(SettingsChanged(project=PROJECT, settings='{"protected_aliases":{"prod":true}}'))
        logged.append(AliasMoved(collection=PETS, alias="prod", version=0))
        logged.append(DraftOpened(collection=PETS, draft=THEIRS, type="dataset"))
        assert submit(granted.server, writer.encoded(*logged), [CONTENT], token=attacked.tokens["mary"]).status == 200
        granted.operator.grant("eve", "admin", OTHER)
        attacked.tokens["eve"] = granted.token("eve", OTHER)
        yield attacked


IN = {"collection": PETS}
FORBIDDEN: list[Event] = [
    AliasMoved(**IN, alias="prod", version=0),
    AliasMoved(**IN, alias="prod", version=None),
    VersionDeleted(**IN, version=0, delete_aliases=True),
    VersionRestored(**IN, version=0),
    VersionRecalled(**IN, version=0, reason="mine is better"),
    VersionDescribed(**IN, version=0, description="mine"),
    VersionDescribed(**IN, version=0, tags_added=("mine",)),
    VersionDescribed(**IN, version=0, ttl_seconds=1),
    DraftDiscarded(**IN, draft=THEIRS),
    EntryAdded(**IN, draft=THEIRS, files=files({"cat.txt": CONTENT})),
    VersionCommitted(**IN, draft=THEIRS),
    SettingsChanged(project=PROJECT, settings='{"protected_aliases":{"prod":null}}'),
    SettingsChanged(project=PROJECT, settings='{"digest_algorithm":"blake3","draft_idle_days":1}'),
    AccessGranted(scope=PROJECT, principal=WIL, role="admin"),
    AccessRevoked(scope=PROJECT, principal=MARY),
    TokenCreated(scope=PROJECT, token=token_hash(new_token()), principal=MARY),
    TokenRevoked(scope=PROJECT, token="0" * 64),
    SubscriptionAdded(scope=PROJECT, subscription="s", settings='{"url":"https://example.com"}'),
]


@pytest.mark.parametrize("event", FORBIDDEN, ids=lambda event: event.name)
def test_a_writer_only_appends(attacked: Attacked, event: Event) -> None:
    before = attacked.version()

    assert attacked.reason("wil", event) in ("not-permitted", "forbidden")

    assert attacked.version() == before
    assert attacked.send("wil", RunStarted(run=f"{PROJECT}/run")).status == 200, "and still does"


def test_a_writer_cannot_move_a_protected_alias_by_a_commit(attacked: Attacked) -> None:
    draft = draft_of(WIL)
    opened = DraftOpened(**IN, draft=draft, type="dataset")

    reason = attacked.reason("wil", opened, VersionCommitted(**IN, draft=draft, aliases=("prod",)))

    assert reason in ("not-permitted", "forbidden")
    assert attacked.version()["aliases"] == ["latest", "prod"]


def test_a_writer_cannot_rewrite_what_another_described_by_logging_the_same_content(attacked: Attacked) -> None:
    writer = Writer(WIL)
    opened, added, committed = writer.commit("pets", {"cat.txt": CONTENT})
    greedy = VersionCommitted(
        **IN,
        draft=committed.draft,  # type: ignore[attr-defined]
        description="mine",
        tags=("mine",),
        ttl_seconds=1,
        aliases=("staging",),
        rights=(EDIT_EXISTING,),
    )
    answer = submit(attacked.server, writer.encoded(opened, added, greedy), [CONTENT], token=attacked.tokens["wil"])
    assert answer.status == 200

    after = attacked.version()

    assert (after["description"], after["tags"], after["ttl_seconds"]) == (None, [], None)
    assert "staging" not in after["aliases"], "it asked for another right than to move aliases"


def test_nobody_writes_as_somebody_else(attacked: Attacked) -> None:
    """Not in another's session, and with no other name than its own."""
    stolen = Writer(MARY).encoded(RunStarted(run=f"{PROJECT}/stolen"))
    assert submit(attacked.server, stolen, token=attacked.tokens["wil"]).json["refused"][0]["reason"] == "not-permitted"

    mine = Writer(WIL)
    mine.author = MARY
    assert (
        submit(attacked.server, mine.encoded(RunStarted(run=f"{PROJECT}/mine")), token=attacked.tokens["wil"]).status
        == 200
    )
    run = attacked.server.get(f"/v1/projects/{PROJECT}/runs/mine", token=attacked.tokens["rita"])
    assert run["author"] == WIL


@pytest.mark.parametrize("event", [*FORBIDDEN, RunStarted(run=f"{PROJECT}/r")], ids=lambda event: event.name)
def test_a_reader_writes_nothing(attacked: Attacked, event: Event) -> None:
    assert attacked.reason("rita", event) in ("not-permitted", "forbidden")


@pytest.mark.parametrize("event", [*FORBIDDEN, RunStarted(run=f"{PROJECT}/r")], ids=lambda event: event.name)
def test_an_admin_of_another_project_hears_that_nothing_is_there(attacked: Attacked, event: Event) -> None:
    assert attacked.reason("eve", event) == "not-found"


def test_a_lineage_has_no_run_that_never_was(attacked: Attacked) -> None:
    opened, added, committed = Writer(WIL).commit("invented", {"cat.txt": CONTENT})
    committed = replace(committed, run=f"{PROJECT}/never")  # type: ignore[type-var]
    used = ArtifactUsed(collection=PETS, version=0, run=f"{PROJECT}/never", requested="pets:v0")

    assert attacked.reason("wil", opened, added, committed) == "not-found"
    assert attacked.reason("wil", used) == "not-found"
    lineage = attacked.server.get(
        f"/v1/projects/{PROJECT}/collections/pets/versions/v0/lineage?direction=down", token=attacked.tokens["rita"]
    )
    assert lineage["runs"] == []
    assert attacked.send("wil", RunStarted(run=f"{PROJECT}/now"), used, wait_s=0).status == 409, "of another run"
    now = ArtifactUsed(collection=PETS, version=0, run=f"{PROJECT}/now", requested="pets:v0")
    assert attacked.send("wil", RunStarted(run=f"{PROJECT}/now"), now).status == 200


def test_an_admin_of_another_project_makes_no_token_under_the_name_of_somebody_else(attacked: Attacked) -> None:
    raw = TokenCreated(scope=OTHER, token=token_hash(new_token()), principal=MARY)
    asked = json.dumps({"name": "mary", "scope": OTHER, "role": "writer"}).encode()

    assert attacked.reason("eve", raw) == "not-permitted"
    answer = attacked.server.ask("POST", "/v1/tokens", asked, token=attacked.tokens["eve"])

    assert (answer.status, answer.json["reason"]) == (403, "not-permitted")
    assert PROJECT not in answer.body.decode()
    listed = attacked.server.get(f"/v1/tokens?scope={OTHER}", token=attacked.tokens["eve"])["items"]
    assert [one["principal"] for one in listed] == ["headwater|eve"]


def test_who_writes_one_project_uses_nothing_of_another(attacked: Attacked) -> None:
    used = ArtifactUsed(collection=PETS, version=0, run=f"{OTHER}/run", requested="pets:v0")

    assert attacked.reason("eve", used) == "not-found"
    assert attacked.reason("wil", used) == "not-found", "the run's project is not wil's"


def test_content_is_neither_sent_nor_read_by_its_digest_where_one_has_no_role(attacked: Attacked) -> None:
    digest = attacked.server.ask(
        "POST", f"/v1/projects/{PROJECT}/contents", CONTENT, token=attacked.tokens["wil"]
    ).json["digest"]
    path = f"/v1/projects/{PROJECT}/contents"

    for token, status in ((attacked.tokens["eve"], 404), (None, 401)):
        assert attacked.server.ask("GET", f"{path}/{digest}", token=token).status == status
        assert attacked.server.ask("POST", path, CONTENT, token=token).status == status
    assert attacked.server.ask("POST", path, CONTENT, token=attacked.tokens["rita"]).status == 404
    assert attacked.server.ask("GET", f"{path}/{digest}", token=attacked.tokens["rita"]).body == CONTENT


def test_only_an_admin_of_an_entity_begins_a_project_there(attacked: Attacked) -> None:
    began = [RunStarted(run="team/new/run")]
    attacked.operator.grant("wes", "writer", "team")
    attacked.tokens |= {"wes": attacked.token("wes", "team"), "boss": attacked.token("boss", "team", "admin")}

    assert attacked.reason("wes", *began) == "not-permitted"
    assert attacked.reason("wil", *began) == "not-found"
    assert attacked.send("boss", claim("team/new"), *began).status == 200
    assert attacked.send("wes", *began).status == 200
