"""Lineage, differences and search over HTTP."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.server.recorded import AUDIO, IMAGES, MODEL, PAGES, VISION
from tests.support.serving import ServerProcess

P = f"/v1/projects/{VISION}"


def lineage(server: ServerProcess, artifact: str, query: str = "") -> Any:
    name, _, version = artifact.rpartition("/")[2].partition(":")
    return server.get(f"{P}/collections/{name}/versions/{version}/lineage{query}")


def edges_of(found: Any) -> set[tuple[str, str, str]]:
    return {(edge["artifact"], edge["run"].rpartition("/")[2], edge["kind"]) for edge in found["edges"]}


def test_an_ancestry_leads_back_to_the_first_run(recorded_server: ServerProcess) -> None:
    found = lineage(recorded_server, f"{MODEL}:v0")
    assert edges_of(found) == {
        (f"{MODEL}:v0", "train", "logged"),
        (f"{IMAGES}:v1", "train", "used"),
        (f"{IMAGES}:v1", "correct", "logged"),
        (f"{IMAGES}:v0", "correct", "used"),
        (f"{IMAGES}:v0", "collect", "logged"),
    }
    depths = {one["artifact"]: one["depth"] for one in found["versions"]}
    assert depths == {f"{MODEL}:v0": 0, f"{IMAGES}:v1": 1, f"{IMAGES}:v0": 2}
    assert found["hidden"] == {"beyond_depth": 0, "beyond_nodes": 0}
    assert found["complete"]


def test_descendants_lead_to_what_was_made_of_it(recorded_server: ServerProcess) -> None:
    found = lineage(recorded_server, f"{IMAGES}:good", "?direction=down")
    assert [one["artifact"] for one in found["versions"]] == [f"{IMAGES}:v0", f"{IMAGES}:v1", f"{MODEL}:v0"]
    assert [one["run"] for one in found["runs"]] == [f"{VISION}/correct", f"{VISION}/train"]


def test_a_bound_on_depth_tells_how_many_runs_are_beyond(recorded_server: ServerProcess) -> None:
    found = lineage(recorded_server, f"{MODEL}:v0", "?depth=1")
    assert [one["artifact"] for one in found["versions"]] == [f"{MODEL}:v0", f"{IMAGES}:v1"]
    assert found["hidden"] == {"beyond_depth": 1, "beyond_nodes": 0}


def test_a_bound_on_nodes_tells_how_many_were_left_out(recorded_server: ServerProcess) -> None:
    found = lineage(recorded_server, f"{MODEL}:v0", "?nodes=2")
    assert (len(found["versions"]), len(found["runs"])) == (1, 1)
    assert found["hidden"]["beyond_nodes"] == 1


def test_a_lineage_as_of_a_time_has_only_what_was_recorded_by_then(recorded_server: ServerProcess) -> None:
    created = recorded_server.get(f"{P}/collections/images/versions/v1")["created"]
    then = lineage(recorded_server, f"{IMAGES}:v0", f"?direction=down&as_of={quote(created)}")
    assert [one["artifact"] for one in then["versions"]] == [f"{IMAGES}:v0", f"{IMAGES}:v1"]
    before = lineage(recorded_server, f"{IMAGES}:v0", "?direction=down&as_of=2001-01-01T00:00:00Z")
    assert (len(before["versions"]), before["edges"]) == (1, [])


@pytest.mark.parametrize("query", ["?depth=0", "?depth=101", "?nodes=0", "?nodes=10001", "?direction=x", "?as_of=x"])
def test_bounds_of_a_lineage_are_bounded(recorded_server: ServerProcess, query: str) -> None:
    answer = recorded_server.ask("GET", f"{P}/collections/images/versions/v0/lineage{query}")
    assert answer.status == 400


# --- differences --------------------------------------------------------------------------------------------------


def test_a_diff_tells_what_was_added_removed_and_modified(recorded_server: ServerProcess) -> None:
    found = recorded_server.get(f"/v1/diff?before={IMAGES}:good&after={IMAGES}:latest")
    assert {one["path"]: one["change"] for one in found["items"]} == {
        "<b>.html": "added",
        "cat.txt": "modified",
        "dogs/b/c.txt": "removed",
        "labels.csv": "added",
        "large.bin": "added",
    }
    first = recorded_server.get(f"/v1/diff?before={IMAGES}:good&after={IMAGES}:latest&limit=2")
    assert [one["path"] for one in first["items"]] == ["<b>.html", "cat.txt"]
    rest = recorded_server.get(f"/v1/diff?before={IMAGES}:good&after={IMAGES}:latest&cursor={first['next']}")
    assert first["items"] + rest["items"] == found["items"]


def test_versions_of_different_projects_can_be_compared(recorded_server: ServerProcess) -> None:
    found = recorded_server.get(f"/v1/diff?before={IMAGES}:v0&after={AUDIO}/sounds:v0")
    assert "cat.txt" not in {one["path"] for one in found["items"]}


def test_a_diff_needs_whole_names(recorded_server: ServerProcess) -> None:
    assert recorded_server.ask("GET", "/v1/diff?before=images:v0&after=images:v1").status == 400


# --- search -------------------------------------------------------------------------------------------------------


def found_by(server: ServerProcess, query: str) -> list[str]:
    answer = server.get(f"/v1/search?{query}")
    assert answer["complete"]
    assert answer["count"] == len(answer["items"])
    return [
        one["collection"]
        + (f":{one['version']}" if one["version"] else "")
        + (f" {one['path']}" if one["path"] else "")
        for one in answer["items"]
    ]


def test_artifacts_are_found_by_a_part_of_their_name(recorded_server: ServerProcess) -> None:
    assert found_by(recorded_server, "name=AGE") == [IMAGES, f"{VISION}/pages"]
    assert found_by(recorded_server, f"name=s&within={AUDIO}") == [f"{AUDIO}/sounds"]
    assert found_by(recorded_server, "name=team") == []  # the name of the entity is none of an artifact


def test_versions_are_found_by_tag_and_metadata(recorded_server: ServerProcess) -> None:
    assert found_by(recorded_server, "tag=checked") == [f"{IMAGES}:v0"]
    assert found_by(recorded_server, "tag=unknown") == []
    assert found_by(recorded_server, "metadata=rows=2") == [f"{IMAGES}:v1"]
    assert found_by(recorded_server, 'metadata=nested={"a":[1,2]}') == [f"{IMAGES}:v1"]
    assert found_by(recorded_server, "metadata=a=1") == []  # it is not at the top


def test_versions_are_found_by_digest_of_a_file_and_of_a_version(recorded_server: ServerProcess) -> None:
    version = recorded_server.get(f"{P}/collections/images/versions/v0")
    assert found_by(recorded_server, f"digest={version['digest']}") == [f"{IMAGES}:v0"]
    cat = recorded_server.get(f"{P}/collections/images/versions/v0/entries/cat.txt")["digest"]
    assert sorted(found_by(recorded_server, f"digest={cat}")) == [f"{AUDIO}/sounds:v0 cat.txt", f"{IMAGES}:v0 cat.txt"]
    assert found_by(recorded_server, f"digest={cat}&within={VISION}") == [f"{IMAGES}:v0 cat.txt"]


def test_a_search_counts_more_than_it_answers(recorded_server: ServerProcess) -> None:
    answer = recorded_server.get(f"/v1/search?name=&within={VISION}&limit=1")
    assert (len(answer["items"]), answer["count"]) == (1, 3)
    assert PAGES > 1


@pytest.mark.parametrize(
    "query",
    ["", "name=a&tag=b", "digest=xxh3:12", "digest=md5:1234", "tag=a:b", "name=%00", "name=a&within=a/b/c"],
)
def test_a_search_that_cannot_be_is_refused(recorded_server: ServerProcess, query: str) -> None:
    answer = recorded_server.ask("GET", f"/v1/search?{query}")
    assert answer.status == 400
    assert answer.json["reason"].startswith("invalid")
