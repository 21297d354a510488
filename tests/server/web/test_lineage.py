"""Pictures of lineage over HTTP: their data, what one may not read, and as Mermaid and DOT."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.page.lineages import ODD, OTHER, P, record_odd_names, record_special
from tests.server.granted import GrantedServer, granting
from tests.support.serving import ServerProcess, serving_recorded

MODEL = f"/p/{P}/a/model"


@pytest.fixture(scope="module")
def special(module_path: Path) -> Iterator[ServerProcess]:
    with serving_recorded(module_path / "special", record_special) as server:
        yield server


@pytest.fixture(scope="module")
def granted(module_path: Path) -> Iterator[GrantedServer]:
    folder = module_path / "granted"
    record_special(folder)
    with granting(folder, recorded=False) as server:
        yield server


def nodes(data: Any) -> dict[str, Any]:
    return {node["id"]: node for node in data["picture"]["nodes"]}


def edges(data: Any) -> set[tuple[str, str]]:
    return {(edge["source"], edge["target"]) for edge in data["picture"]["edges"]}


def test_a_small_lineage_is_every_execution_of_it(special: ServerProcess) -> None:
    data = special.get(f"{MODEL}/v0/lineage.json")

    assert (data["level"], data["subject"], data["picture"]["complete"]) == ("executions", f"{P}/model:v0", True)
    found = nodes(data)
    assert found[f"version:{P}/model:v0"]["is_subject"]
    assert found[f"run:{P}/serve"]["marks"] == ["running"]
    assert found[f"version:{P}/scores:v0"]["marks"] == ["deleted"]
    assert found[f"version:{P}/model:v1"]["marks"] == ["recalled"]
    assert found[f"version:{OTHER}/photos:v0"]["marks"] == ["other project"]
    # What was made of it was made of what it comes from, too.
    assert (f"version:{P}/images:v0", f"run:{P}/measure") in edges(data)
    assert {(f"run:{P}/again", f"version:{P}/model:v0"), (f"version:{P}/model:v0", f"run:{P}/again")} <= edges(data)
    assert data["picture"]["versions"] + data["picture"]["runs"] == data["picture"]["drawn"]


def test_runs_and_drafts_say_what_became_of_them(special: ServerProcess) -> None:
    found = nodes(special.get(f"/p/{P}/a/images/v0/lineage.json"))

    marks = {node["id"].rpartition("/")[2]: node["marks"] for node in found.values() if node["kind"] == "run"}
    assert marks["broken"] == ["failed"]
    assert marks["stopped"] == ["killed"]
    assert marks["lost"] == ["crashed"]
    assert marks["good"] == []
    assert [node["marks"] for node in found.values() if node["kind"] == "draft"] == [["draft"]]


def test_a_pipeline_counts_what_it_groups(special: ServerProcess) -> None:
    data = special.get(f"/p/{P}/a/images/v0/lineage.json?level=pipeline")

    found = nodes(data)
    trained = found[f"runs:{P}/train"]
    assert (trained["members"], trained["counts"]) == (4, {"crashed": 1, "failed": 1, "killed": 1})
    assert found[f"versions:{P}/model"]["members"] == 3
    assert found[f"version:{P}/images:v0"]["is_subject"]  # alone: a group of one says less
    opened = nodes(
        special.get(quote(trained["opens"].partition("?")[0]) + ".json?" + trained["opens"].partition("?")[2])
    )
    assert {f"run:{P}/{name}" for name in ("broken", "stopped", "lost", "good")} <= opened.keys()


def test_one_side_alone_can_be_asked_for(special: ServerProcess) -> None:
    up = nodes(special.get(f"{MODEL}/v0/lineage.json?direction=up"))
    down = nodes(special.get(f"{MODEL}/v0/lineage.json?direction=down"))

    assert f"version:{OTHER}/photos:v0" in up
    assert f"version:{OTHER}/photos:v0" not in down
    assert f"run:{P}/serve" in down
    assert f"run:{P}/serve" not in up


def test_around_a_version_says_how_many_are_beyond(special: ServerProcess) -> None:
    found = nodes(special.get(f"{MODEL}/v1/lineage.json?level=around&depth=1"))

    assert f"version:{P}/model:v0" in found
    assert f"run:{P}/good" not in found
    assert found[f"version:{P}/model:v0"]["before"] == 2  # `good` and `again`, which are two runs away


def test_a_run_has_a_lineage_too_and_an_alias_names_a_version(special: ServerProcess) -> None:
    run = nodes(special.get(f"/p/{P}/r/tune/lineage.json"))
    assert run[f"run:{P}/tune"]["is_subject"]
    assert special.get(f"{MODEL}/latest/lineage.json")["subject"] == f"{P}/model:v0"  # logged again


def test_a_deleted_version_keeps_its_lineage(special: ServerProcess) -> None:
    assert f"run:{P}/measure" in nodes(special.get(f"/p/{P}/a/scores/v0/lineage.json"))


def test_a_path_of_interest_is_asked_for_by_two_ids_in_either_order(special: ServerProcess) -> None:
    ends = [f"version:{P}/images:v0", f"version:{P}/model:v1"]
    for first, last in (ends, ends[::-1]):
        found = nodes(special.get(f"{MODEL}/v2/lineage.json?from={quote(first)}&to={quote(last)}"))
        assert set(ends) < found.keys()
        assert f"run:{P}/serve" not in found
    groups = f"?level=pipeline&from=versions:{P}/images&to=versions:{P}/scores"
    assert f"run:{P}/measure" in nodes(special.get(f"/p/{P}/a/images/v0/lineage.json{groups}"))


def test_two_nodes_that_nothing_connects_are_alone(special: ServerProcess) -> None:
    query = f"?from=run:{P}/broken&to=run:{P}/stopped"
    data = special.get(f"/p/{P}/a/images/v0/lineage.json{query}")
    assert (nodes(data).keys(), edges(data)) == ({f"run:{P}/broken", f"run:{P}/stopped"}, set())


@pytest.mark.parametrize(
    "query",
    ["level=all", "direction=x", "depth=0", "depth=51", "from=run:a/b/c", "from=a&to=a", "open=" + ",".join("a" * 65)],
)
def test_what_cannot_be_asked_is_refused(special: ServerProcess, query: str) -> None:
    assert special.ask("GET", f"{MODEL}/v0/lineage.json?{query}").status == 400


@pytest.mark.parametrize(
    "query", ["open=nonsense", "open=version:a:vx,run:,%00", "from=a&to=b", "from=version:a/b/c:v1&to=x"]
)
def test_ids_of_what_is_not_there_change_nothing(special: ServerProcess, query: str) -> None:
    assert special.ask("GET", f"{MODEL}/v0/lineage.json?{query}").status == 200


@pytest.mark.parametrize("path", [f"{MODEL}/v9", f"{MODEL}/nothing", f"/p/{P}/a/nothing/v0", f"/p/{P}/r/nobody"])
def test_what_is_not_there_has_no_lineage(special: ServerProcess, path: str) -> None:
    for ending in (".json", "", ".mmd", ".dot"):
        assert special.ask("GET", f"{path}/lineage{ending}").status == 404


# --- rights ---------------------------------------------------------------------------------------------------------


def test_a_picture_has_and_counts_what_one_may_read_alone(granted: GrantedServer) -> None:
    insider, outsider = granted.token("ana", P, "reader"), granted.token("bob", OTHER, "reader")
    both = granted.token("eve", "team", "reader")
    path = f"/p/{OTHER}/a/photos/v0/lineage.json?level="

    for level in ("executions", "around", "pipeline"):
        alone = granted.server.get(path + level, token=outsider)
        assert P not in json.dumps(alone)
        assert (alone["picture"]["versions"], alone["picture"]["runs"]) == (1, 1)
        assert all(node["before"] == node["after"] == 0 for node in alone["picture"]["nodes"])
        assert granted.server.get(path + level, token=both)["picture"]["versions"] > 1
    up = granted.server.get(f"{MODEL}/v0/lineage.json", token=insider)
    assert OTHER not in json.dumps(up)


def test_a_lineage_of_others_is_answered_as_what_does_not_exist(granted: GrantedServer) -> None:
    outsider = granted.token("bob", OTHER, "reader")
    for ending in (".json", ".mmd", ".dot"):
        there, nowhere = (
            granted.server.ask("GET", f"/p/{project}/a/model/v0/lineage{ending}", token=outsider)
            for project in (P, "team/nowhere")
        )
        assert there.status == nowhere.status == 404
        assert there.body.replace(b"vision", b"nowhere") == nowhere.body


def test_a_path_through_what_one_may_not_read_is_none(granted: GrantedServer) -> None:
    outsider = granted.token("bob", OTHER, "reader")
    query = f"?from=version:{OTHER}/photos:v0&to=version:{P}/images:v0"
    data = granted.server.get(f"/p/{OTHER}/a/photos/v0/lineage.json{query}", token=outsider)
    nothing = granted.server.get(
        f"/p/{OTHER}/a/photos/v0/lineage.json{query.replace('vision', 'nowhere')}", token=outsider
    )
    assert edges(data) == set()
    assert f"version:{P}/images:v0" not in nodes(data)
    assert data["picture"] == nothing["picture"]


# --- other forms ----------------------------------------------------------------------------------------------------


def test_mermaid_and_dot_have_every_node_and_edge(special: ServerProcess) -> None:
    data = special.get(f"{MODEL}/v0/lineage.json")
    mermaid = special.ask("GET", f"{MODEL}/v0/lineage.mmd")
    dot = special.ask("GET", f"{MODEL}/v0/lineage.dot")

    assert mermaid.body.startswith(b"flowchart LR\n")
    assert mermaid.body.count(b"-->") == len(data["picture"]["edges"])
    assert dot.body.count(b" -> ") == len(data["picture"]["edges"])
    assert dot.body.count(b"[label=") == len(data["picture"]["nodes"])
    assert b"model:v0" in dot.body
    for answer in (mermaid, dot):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-type"].startswith("text/")


def test_free_text_cannot_leave_its_place_in_any_form(tmp_path: Path) -> None:
    with serving_recorded(tmp_path / "store", record_odd_names) as server:
        base = f"/p/{ODD}/a/hebrew/v0/lineage"
        html = server.ask("GET", base).body.decode()
        mermaid = server.ask("GET", f"{base}.mmd").body.decode()
        dot = server.ask("GET", f"{base}.dot").body.decode()

    assert "<img" not in html
    embedded = re.search(r'<script type="application/json" id="lineage-data">(.*?)</script>', html, re.DOTALL)
    assert embedded is not None
    assert "<" not in embedded[1]
    assert any("onerror" in node["detail"] for node in json.loads(embedded[1])["nodes"])
    for line in mermaid.splitlines()[1:]:
        assert re.fullmatch(
            r'  (n\d+[\[(/]+"[\w .:,·…#;&<>-]*"[\])/]+|n\d+ -->(\|\d+\|)? n\d+|class(Def)? [\w ,:.-]+)', line
        ), line
        assert not re.search(r"<(?!br>)", line)
    for line in dot.splitlines()[2:-1]:
        assert re.fullmatch(r'  "[^"\\]*"( -> "[^"\\]*")?( \[label="(\\.|[^"\\])*".*\])?;', line), line
