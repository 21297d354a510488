"""What is recorded, as JSON: its shape, its pages, and conditional and compressed answers."""

import gzip
from typing import Any

import pytest

from tests.server.recorded import AUDIO, PAGES, VISION
from tests.support.serving import Answer, ServerProcess

P = f"/v1/projects/{VISION}"
IMAGES = f"{P}/collections/images"


def names(page: Any, field: str) -> list[str]:
    return [item[field] for item in page["items"]]


def all_of(server: ServerProcess, path: str, limits: list[int]) -> list[Any]:
    """Every item of a list, read by pages of these sizes in turn."""
    found: list[Any] = []
    query, turn = "", 0
    while True:
        sign = "&" if "?" in path else "?"
        page = server.get(f"{path}{sign}limit={limits[turn % len(limits)]}{query}")
        found += page["items"]
        if page["next"] is None:
            return found
        query, turn = f"&cursor={page['next']}", turn + 1


def test_entities_projects_and_types_are_listed_by_name(recorded_server: ServerProcess) -> None:
    assert names(recorded_server.get("/v1/entities"), "entity") == ["team"]
    assert names(recorded_server.get("/v1/projects"), "project") == [AUDIO, VISION]
    assert names(recorded_server.get("/v1/projects?entity=nobody"), "project") == []
    assert names(recorded_server.get(f"{P}/types"), "type") == ["dataset", "model", "text"]


def test_a_project_tells_its_counts_and_settings(recorded_server: ServerProcess) -> None:
    project = recorded_server.get(P)
    assert (project["artifacts"], project["runs"]) == (3, 4)
    assert project["settings"]["draft_idle_days"] == 7


def test_collections_are_chosen_by_type(recorded_server: ServerProcess) -> None:
    found = recorded_server.get(f"{P}/collections?type=dataset")
    assert names(found, "collection") == [f"{VISION}/images"]


def test_a_version_is_found_by_number_and_by_alias(recorded_server: ServerProcess) -> None:
    version = recorded_server.get(f"{IMAGES}/versions/good")
    assert version == recorded_server.get(f"{IMAGES}/versions/v0")
    assert version["artifact"] == f"{VISION}/images:v0"
    assert (version["aliases"], version["tags"]) == (["good"], ["checked"])
    assert (version["metadata"], version["description"]) == ({"rows": 3}, "Three animals")
    assert (version["files"], version["size_bytes"]) == (3, 15)
    assert version["logged_by"] == f"{VISION}/collect"
    assert recorded_server.get(f"{IMAGES}/aliases/good") == {"alias": "good", "version": "v0"}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/projects/team/nothing",
        f"{P}/collections/nothing",
        f"{IMAGES}/versions/v9",
        f"{IMAGES}/versions/nothing",
        f"{IMAGES}/aliases/nothing",
        f"{IMAGES}/versions/v0/entries/nothing.txt",
        f"{IMAGES}/versions/v0/files/dogs",
        f"{P}/runs/nothing",
    ],
)
def test_what_is_not_recorded_is_not_found(recorded_server: ServerProcess, path: str) -> None:
    answer = recorded_server.ask("GET", path)
    assert (answer.status, answer.json["reason"]) == (404, "not-found")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/projects/team/.%2e",
        f"{P}/collections/b%20d",
        f"{IMAGES}/versions/v0%00",
        f"{IMAGES}/versions/v0/entries/..%2f..%2fetc%2fpasswd",
        f"{IMAGES}/versions/v0/entries?prefix=/etc",
        f"{P}/runs?job_type=a%00b",
        f"{P}/runs?commit=xyz",
        f"{P}/runs?limit=0",
        f"{P}/runs?limit=1001",
        f"{P}/runs?cursor=nonsense",
        f"{P}/runs?not_before=nonsense",
        f"{P}/collections?type=%00",
    ],
)
def test_what_cannot_be_is_refused(recorded_server: ServerProcess, path: str) -> None:
    answer = recorded_server.ask("GET", path)
    assert answer.status == 400, answer.body
    assert answer.json["reason"].startswith("invalid")


def test_a_list_read_in_pages_of_changing_sizes_has_each_item_once(recorded_server: ServerProcess) -> None:
    versions = all_of(recorded_server, f"{P}/collections/pages/versions", [2, 1, 3])
    assert [one["version"] for one in versions] == [f"v{number}" for number in reversed(range(PAGES))]
    for path, count in ((f"{P}/runs", 4), (f"{P}/collections", 3), ("/v1/projects", 2), (f"{IMAGES}/aliases", 2)):
        found = all_of(recorded_server, path, [1, 2])
        assert len(found) == count
        assert all(one not in found[number + 1 :] for number, one in enumerate(found))


def test_a_page_links_to_the_next_one_and_a_cursor_is_of_one_list(recorded_server: ServerProcess) -> None:
    answer = recorded_server.ask("GET", f"{P}/runs?limit=1&job_type=train")
    assert "link" not in answer.headers  # there is one
    answer = recorded_server.ask("GET", f"{P}/runs?limit=1")
    link = answer.headers["link"]
    assert link.endswith('>; rel="next"')
    following = recorded_server.get(f"{P}/runs{link.removeprefix('<').partition('>')[0]}")
    assert names(following, "run") == [f"{VISION}/train"]
    other = recorded_server.ask("GET", f"{P}/collections?cursor={answer.json['next']}")
    assert (other.status, other.json["reason"]) == (400, "invalid")


def test_entries_are_listed_below_a_folder_and_level_by_level(recorded_server: ServerProcess) -> None:
    first = f"{IMAGES}/versions/v0/entries"
    assert names(recorded_server.get(first), "path") == ["cat.txt", "dogs/a.txt", "dogs/b/c.txt"]
    assert names(recorded_server.get(f"{first}?prefix=dogs"), "path") == ["dogs/a.txt", "dogs/b/c.txt"]
    level = recorded_server.get(f"{first}?depth=level")
    assert [(one["path"], one["kind"]) for one in level["items"]] == [("cat.txt", "file"), ("dogs", "folder")]
    below = all_of(recorded_server, f"{first}?depth=level&prefix=dogs", [1])
    assert [(one["path"], one["kind"]) for one in below] == [("dogs/a.txt", "file"), ("dogs/b", "folder")]


def test_a_reference_tells_where_its_content_is(recorded_server: ServerProcess) -> None:
    entry = recorded_server.get(f"{IMAGES}/versions/v1/entries/labels.csv")
    assert (entry["kind"], entry["uri"]) == ("reference", "https://example.com/labels.csv")
    answer = recorded_server.ask("GET", f"{IMAGES}/versions/v1/files/labels.csv")
    assert (answer.status, answer.json["reason"]) == (409, "is-reference")
    assert "location" not in answer.headers


def test_a_run_tells_what_it_used_and_logged(recorded_server: ServerProcess) -> None:
    run = recorded_server.get(f"{P}/runs/train")
    assert (run["state"], run["config"], run["summary"]) == ("finished", {"lr": 0.1}, {"loss": 0.5})
    inputs = recorded_server.get(f"{P}/runs/correct/inputs")["items"]
    assert inputs == [{"artifact": f"{VISION}/images:v0", "requested": ["images:v0"], "use_as": ["raw"]}]
    assert names(recorded_server.get(f"{P}/runs/correct/outputs"), "artifact") == [f"{VISION}/images:v1"]


def test_runs_are_chosen_by_job_type_and_group(recorded_server: ServerProcess) -> None:
    assert names(recorded_server.get(f"{P}/runs?job_type=train"), "run") == [f"{VISION}/train"]
    assert names(recorded_server.get(f"{P}/runs?group=night"), "run") == [f"{VISION}/collect"]


# --- conditions and compression -----------------------------------------------------------------------------------


def asked(server: ServerProcess, path: str, **headers: str) -> Answer:
    return server.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_who_has_an_answer_is_not_sent_it_again(recorded_server: ServerProcess) -> None:
    first = asked(recorded_server, f"{IMAGES}/versions/v0")
    again = asked(recorded_server, f"{IMAGES}/versions/v0", If_None_Match=f'"other", W/{first.headers["etag"]}')
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert asked(recorded_server, f"{IMAGES}/versions/v0", If_None_Match='"other"').status == 200


def test_a_compressed_answer_has_another_etag_than_the_plain_one(recorded_server: ServerProcess) -> None:
    path = f"{P}/collections/pages/versions"
    plain, packed = asked(recorded_server, path), asked(recorded_server, path, Accept_Encoding="br, gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert plain.headers["etag"] != packed.headers["etag"]
    assert "Accept-Encoding" in plain.headers["vary"]
    assert asked(recorded_server, path, Accept_Encoding="gzip", If_None_Match=plain.headers["etag"]).status == 200
    assert asked(recorded_server, path, Accept_Encoding="gzip", If_None_Match=packed.headers["etag"]).status == 304


@pytest.mark.parametrize("coding", ["gzip;q=0", "identity", "br", "gzip; q=0.000"])
def test_who_takes_no_gzip_gets_none(recorded_server: ServerProcess, coding: str) -> None:
    answer = asked(recorded_server, f"{P}/collections/pages/versions", Accept_Encoding=coding)
    assert "content-encoding" not in answer.headers
