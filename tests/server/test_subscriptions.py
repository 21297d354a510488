"""Webhooks over HTTP: who may see and change them, and that they have the rights of who made them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import ask as command
from tests.cli.commands import refused
from tests.server.granted import GrantedServer, granting
from tests.server.vouching import TestIssuer, trusting
from tests.support.receivers import Receiver, kind_of, receiving
from tests.support.serving import Answer, until

VISION, AUDIO = "team/vision", "team/audio"
COMMITS = ["version-committed"]


@pytest.fixture
def granted(tmp_path: Path) -> Iterator[GrantedServer]:
    with granting(tmp_path / "store", "--webhook-allow", "127.0.0.1") as server:
        yield server


def ask(granted: GrantedServer, method: str, path: str, token: str, given: Any = None, **headers: str) -> Answer:
    body = None if given is None else json.dumps(given).encode()
    named = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return granted.server.ask(method, f"/v1/subscriptions{path}", body, token=token, headers=named)


def added(granted: GrantedServer, token: str, scope: str, receiver: Receiver, **headers: str) -> dict[str, Any]:
    answer = ask(granted, "POST", "", token, {"scope": scope, "url": receiver.url, "kinds": COMMITS}, **headers)
    assert answer.status == 201, answer.json
    receiver.secrets = [answer.json["secret"]]
    return dict(answer.json)


def log(granted: GrantedServer, monkeypatch: pytest.MonkeyPatch, text: str, project: str = "vision") -> None:
    import headwater

    monkeypatch.setenv("HEADWATER_URL", str(granted.folder))
    monkeypatch.setenv("HEADWATER_ENTITY", "team")
    with headwater.init(project=project, job_type="test") as run:
        artifact = headwater.Artifact("told", type="dataset")
        with artifact.new_file("a.txt") as file:
            file.write(text)
        run.log_artifact(artifact).wait()


def test_an_admin_does_everything_by_http(granted: GrantedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = granted.token("ana", VISION, "admin")
    with receiving() as receiver:
        made = added(granted, admin, VISION, receiver)
        assert made["made_by"] == "headwater|ana"
        hook = f"/{made['id']}"
        since = ask(granted, "POST", f"{hook}/test", admin).json["since"]
        until(lambda: ask(granted, "GET", f"{hook}/attempts", admin).json["items"])
        (tested,) = ask(granted, "GET", f"{hook}/attempts", admin).json["items"]
        assert (tested["kind"], tested["outcome"], tested["number"] > since) == ("webhook-test", "taken", True)

        rotated = ask(granted, "POST", f"{hook}/rotate", admin, {"rotations": 0})
        assert rotated.status == 200
        again = ask(granted, "POST", f"{hook}/rotate", admin, {"rotations": 0})
        assert again.json["secret"] == rotated.json["secret"] != made["secret"], "a lost answer does not rotate twice"
        assert ask(granted, "POST", f"{hook}/rotate", admin, {"rotations": 5}).status == 400
        receiver.secrets.append(rotated.json["secret"])

        log(granted, monkeypatch, "a")
        until(lambda: [kind_of(event) for event in receiver.taken] == ["webhook-test", *COMMITS])
        assert ask(granted, "POST", f"{hook}/disable", admin).json["status"] == "disabled"
        assert ask(granted, "POST", f"{hook}/enable", admin).json["status"] == "active"
        assert ask(granted, "POST", f"{hook}/replay", admin, {"after": "start"}).status == 200
        until(lambda: len(receiver.taken) > 4)
        (listed,) = ask(granted, "GET", f"?scope={VISION}", admin).json["items"]
        assert listed["id"] == ask(granted, "GET", hook, admin).json["id"] == made["id"]
        assert "secret" not in listed
        assert ask(granted, "DELETE", hook, admin).status == 200
        assert ask(granted, "GET", hook, admin).status == 404
    assert not receiver.unsigned


def test_a_request_that_is_sent_again_with_its_key_adds_one_webhook(granted: GrantedServer) -> None:
    admin = granted.token("ana", VISION, "admin")
    with receiving() as receiver:
        first = added(granted, admin, VISION, receiver, Idempotency_Key="one")
        assert added(granted, admin, VISION, receiver, Idempotency_Key="one")["id"] == first["id"]
        assert added(granted, admin, VISION, receiver, Idempotency_Key="two")["id"] != first["id"]
    assert len(ask(granted, "GET", f"?scope={VISION}", admin).json["items"]) == 2


def test_only_an_admin_of_its_scope_sees_a_webhook_or_does_anything_with_it(granted: GrantedServer) -> None:
    admin, chief = granted.token("ana", VISION, "admin"), granted.token("olga", "team", "admin")
    reader, stranger = granted.token("rob", VISION, "maintainer"), granted.token("eve", AUDIO, "admin")
    with receiving() as receiver:
        hook = added(granted, admin, VISION, receiver)["id"]
        of_entity = added(granted, chief, "team", receiver)["id"]
        nowhere = ask(granted, "GET", "/hook_0000000000000000", stranger)
        calls = [
            ("GET", ""),
            ("DELETE", ""),
            ("GET", "/attempts"),
            *[("POST", f"/{name}") for name in ("test", "replay", "rotate", "disable", "enable")],
        ]
        for method, path in calls:
            assert ask(granted, method, f"/{hook}{path}", reader).status == 403, path
            hidden = ask(granted, method, f"/{hook}{path}", stranger)
            assert hidden.status == 404
            assert hidden.json["detail"] == nowhere.json["detail"].replace("hook_0000000000000000", hook)
            assert ask(granted, method, f"/{of_entity}{path}", admin).status in (403, 404), path
        given = {"scope": VISION, "url": receiver.url}
        assert ask(granted, "POST", "", reader, given).status == 403
        assert ask(granted, "POST", "", stranger, given).status == 404
        assert ask(granted, "GET", f"?scope={VISION}", stranger).status == 404
        assert [one["id"] for one in ask(granted, "GET", f"?scope={VISION}", admin).json["items"]] == [hook]
        seen = {one["id"] for one in ask(granted, "GET", "?scope=team", chief).json["items"]}
        assert seen == {hook, of_entity}
    assert not receiver.asked


def test_a_webhook_stops_when_who_made_it_loses_the_right_to_read_and_says_so(
    granted: GrantedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, chief = granted.token("ana", VISION, "admin"), granted.token("olga", "team", "admin")
    with receiving() as receiver, receiving() as other:
        hook = added(granted, admin, VISION, receiver)["id"]
        added(granted, chief, VISION, other)
        log(granted, monkeypatch, "a")
        until(lambda: receiver.taken)
        until(lambda: other.taken)
        granted.operator.revoke("ana", VISION)
        log(granted, monkeypatch, "b")
        until(lambda: len(other.taken) == 2)
        until(lambda: ask(granted, "GET", f"/{hook}", chief).json["status"] == "no-rights")
        assert "may not read team/vision any more" in ask(granted, "GET", f"/{hook}", chief).json["reason"]
        assert len(receiver.asked) == 1

        assert ask(granted, "POST", f"/{hook}/enable", chief).json["made_by"] == "headwater|olga"
        until(lambda: len(receiver.taken) == 2)
    assert not receiver.unsigned


@pytest.mark.parametrize(
    "given",
    [
        {"scope": VISION, "url": "http://user:pass@127.0.0.1/"},
        {"scope": VISION, "url": "file:///etc/passwd"},
        {"scope": VISION, "url": "https://example.org/", "kinds": ["no-such-kind"]},
        {"scope": VISION, "url": "https://example.org/", "collection": "team/audio/sounds"},
        {"scope": VISION, "url": "https://example.org/", "secret": "mine"},
        {"scope": VISION, "url": "https://example.org/", "made_by": "headwater|olga"},
        {"scope": VISION},
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(granted: GrantedServer, given: dict[str, Any]) -> None:
    admin = granted.token("ana", VISION, "admin")
    assert ask(granted, "POST", "", admin, given).status == 400
    assert ask(granted, "GET", f"?scope={VISION}", admin).json["items"] == []


def test_the_command_line_does_the_same_through_a_server(
    granted: GrantedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, reader = granted.token("ana", VISION, "admin"), granted.token("rob", VISION, "reader")
    monkeypatch.setenv("HEADWATER_URL", granted.server.url)
    monkeypatch.setenv("HEADWATER_TOKEN", admin)
    with receiving() as receiver:
        made = command("webhooks", "add", VISION, receiver.url, "--kind", "version-committed")
        assert made["made_by"] == "headwater|ana"
        receiver.secrets = [made["secret"]]
        assert command("webhooks", "test", made["id"])["outcome"] == "taken"
        receiver.secrets.append(command("webhooks", "rotate", made["id"])["secret"])
        assert command("webhooks", "test", made["id"])["outcome"] == "taken"
        assert command("webhooks", "disable", made["id"])["status"] == "disabled"
        assert command("webhooks", "enable", made["id"])["status"] == "active"
        command("webhooks", "replay", made["id"], "--after", "7d")
        until(lambda: COMMITS[0] in receiver.kinds())
        assert [one["id"] for one in command("webhooks", "list", VISION)] == [made["id"]]
        assert len(command("webhooks", "log", made["id"])) > 2
        monkeypatch.setenv("HEADWATER_TOKEN", reader)
        assert "needs the role admin" in refused("webhooks", "remove", made["id"])
        monkeypatch.setenv("HEADWATER_TOKEN", admin)
        command("webhooks", "remove", made["id"])
        assert command("webhooks", "list", VISION) == []
        assert "there is no webhook" in refused("webhooks", "log", made["id"], code=3)
    assert not receiver.unsigned


def test_a_role_that_a_jwt_claims_is_none_that_a_webhook_could_have(tmp_path: Path) -> None:
    ci = TestIssuer("https://ci.example.com")
    roles = f"""
        [[issuers.roles]]
        scope = "{VISION}"
        role = "admin"
        claims = {{ job = "deploy" }}
    """
    with granting(tmp_path / "store", *trusting(tmp_path, ci, roles)) as granted:
        token = ci.signed(job="deploy")
        given = {"scope": VISION, "url": "https://example.org/"}
        refusal = ask(granted, "POST", "", token, given)
        assert (refusal.status, "comes from your JWT alone" in refusal.json["detail"]) == (403, True)
        assert ask(granted, "GET", f"?scope={VISION}", token).json["items"] == []
        granted.operator.grant("ci|sam", "admin", VISION)
        until(lambda: ask(granted, "POST", "", token, given).status == 201)
