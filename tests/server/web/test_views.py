"""What the views show, as data and as pages: the data of a page is at its address with `.json`."""

import json
import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.server.web.viewed import ANA, LINES, MANY, NAME, PROJECT, ROWS, SHOWN, USERS, WHY, png
from tests.support.serving import ServerProcess

HTML = {"Accept": "text/html"}
P, C = f"/p/{PROJECT}", f"/p/{PROJECT}/a/{NAME}"


def data(server: ServerProcess, address: str, status: int = 200) -> Any:
    """The data of a page."""
    path, mark, query = address.partition("?")
    answer = server.ask("GET", f"{path}.json{mark}{query}")
    assert answer.status == status, answer
    return answer.json


def page(server: ServerProcess, address: str, status: int = 200) -> str:
    """The page."""
    answer = server.ask("GET", address, headers=HTML)
    assert answer.status == status, (answer.status, answer.body[:2000])
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.body.decode()


def words(html: str) -> str:
    """What a reader reads of a page, with single spaces."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


# --- lists


def test_a_project_lists_its_collections_with_what_is_newest(viewed: ServerProcess) -> None:
    found = data(viewed, P)

    lines = {one["name"]: one for one in found["collections"]}
    assert list(lines) == sorted(lines)
    shown = lines[NAME]
    assert (shown["type"], shown["versions"], shown["newest"]["version"]) == ("dataset", 3, 3)
    assert {"alias": "prod", "version": 1} in shown["aliases"]
    assert shown["changed_us"] > shown["newest"]["created_us"]
    assert found["types"] == ["dataset", "model", "text"]
    assert [one["name"] for one in data(viewed, f"{P}?type=model")["collections"]] == ["model"]
    html = words(page(viewed, P))
    assert "prod v1" in html
    assert "No artifact of type none has a version" in words(page(viewed, f"{P}?type=none")).replace("  ", " ")


def test_the_collection_opens_with_a_sentence(viewed: ServerProcess) -> None:
    sentence = data(viewed, C)["sentence"]

    assert (sentence["alias"], sentence["version"], sentence["moved_by"]) == ("prod", 1, ANA)
    assert sentence["made_by"] == f"{PROJECT}/make"
    assert sentence["sources"] == {"items": [{"collection": f"{PROJECT}/images", "version": 0}], "more": 0}
    assert sentence["users"] == USERS + 1
    html = words(page(viewed, C)).replace(" ,", ",")
    assert f"prod is v1, moved by ana just now, made by run make from images:v0, used by {USERS + 1} runs" in html


def test_the_versions_of_a_collection_come_with_their_states(viewed: ServerProcess) -> None:
    found = data(viewed, C)

    assert [(one["version"], one["tags"]) for one in found["versions"]] == [(n, [f"round-{n}"]) for n in (3, 2, 1)]
    assert [one["recalled"] is not None for one in found["versions"]] == [False, True, False]
    assert found["versions_count"] == 3
    assert [(one["shared"], one["base"]) for one in found["drafts"]] == [("epoch-1", 1)]
    html = words(page(viewed, C))
    assert "recalled" in html
    assert "draft" in html


def test_versions_come_in_pages(viewed: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    found = data(viewed, f"{P}/a/pages")
    assert [one["version"] for one in found["versions"]] == [6, 5, 4, 3, 2, 1, 0]
    assert found["versions_next"] is None
    answer = viewed.ask("GET", f"{C}.json?cursor=AAAA")
    assert (answer.status, answer.json["reason"]) == (400, "invalid")


def test_the_timeline_says_what_an_alias_was_on_by_whom_and_why(viewed: ServerProcess) -> None:
    found = data(viewed, C)["timeline"]

    assert [one["alias"] for one in found["lanes"]] == ["prod", "latest"]
    assert [one["version"] for one in found["lanes"][0]["moves"]] == [0, 2, 1, None, 1]
    assert [(one["version"], one["before"], one["author"], one["message"]) for one in found["moves"]][1:] == [
        (None, 1, ANA, None),
        (1, 2, ANA, WHY),
        (2, 0, ANA, None),
        (0, None, "ben@laptop", "the first"),
    ]
    assert data(viewed, f"{C}?alias=latest")["timeline"]["alias"] == "latest"
    html = page(viewed, C)
    drawn = html[html.index('<figure class="timeline">') : html.index("</figure>")]
    assert drawn.count("<rect") >= 4
    assert "prod came to v2, moved by ana" in drawn


# --- metadata


def test_metadata_is_a_table_with_chosen_columns_and_a_plot(viewed: ServerProcess) -> None:
    found = data(viewed, f"/p/{PROJECT}/m/{NAME}")

    assert found["shown"] == ["kind", "loss", "step"]
    assert [row["version"] for row in found["rows"]] == [3, 2, 1]
    assert [one["text"] for one in found["rows"][0]["values"]] == ["t", "0.25", "3"]
    assert found["plotted"] == "loss"
    assert [(one["version"], one["value"]) for one in found["points"]] == [(1, 0.5), (2, 1 / 3), (3, 0.25)]
    chosen = data(viewed, f"/p/{PROJECT}/m/{NAME}?column=step&column=none&plot=step")
    assert (chosen["shown"], chosen["plotted"]) == (["step", "none"], "step")
    assert chosen["rows"][0]["values"][1] is None
    html = page(viewed, f"/p/{PROJECT}/m/{NAME}?column=step&plot=step")
    assert html.count("<circle") == 3
    assert "No version has metadata" in words(page(viewed, f"/p/{PROJECT}/m/model"))


# --- space


def test_a_project_says_what_takes_up_room(viewed: ServerProcess) -> None:
    found = data(viewed, f"{P}/space")

    assert (found["project"], found["collection"], found["is_complete"]) == (PROJECT, None, True)
    sizes = [one["sums"]["needed_bytes"] + one["sums"]["reclaimable_bytes"] for one in found["collections"]]
    assert sizes == sorted(sizes, reverse=True)
    assert NAME in [one["name"] for one in found["collections"]]
    total = found["sums"]["needed_bytes"] + found["sums"]["reclaimable_bytes"]
    assert max(sizes) <= total <= sum(sizes)
    assert sum(one["added_bytes"] for one in found["months"]) == total
    html = words(page(viewed, f"{P}/space"))
    assert "that only deleted versions have" in html
    assert "at least" not in html


def test_a_collection_says_what_takes_up_room(viewed: ServerProcess) -> None:
    found = data(viewed, f"/p/{PROJECT}/s/{NAME}")

    assert (found["collection"], found["collections"]) == (SHOWN, [])
    assert (found["sums"]["versions"], found["sums"]["deleted_versions"]) == (3, 1)
    assert found["sums"]["reclaimable_bytes"] > 0
    assert [one["version"] for one in found["oldest"]] == [1, 2, 3]
    assert sorted(one["version"] for one in found["largest"]) == [1, 2, 3]
    assert "The largest versions" in words(page(viewed, f"/p/{PROJECT}/s/{NAME}"))
    assert data(viewed, f"/p/{PROJECT}/s/none", 404)["reason"] == "not-found"
    assert data(viewed, "/p/team/none/space", 404)["reason"] == "not-found"


# --- a version


def test_a_version_says_where_it_came_from_and_who_uses_it(viewed: ServerProcess) -> None:
    found = data(viewed, f"{C}/v1")

    assert (found["artifact"], found["state"], found["older"], found["newer"]) == (f"{SHOWN}:v1", "live", None, 2)
    assert found["logged_by"]["items"] == [f"{PROJECT}/make"]
    assert found["sources"]["items"] == [{"collection": f"{PROJECT}/images", "version": 0}]
    assert (found["used_by"]["count"], len(found["used_by"]["items"])) == (USERS + 1, 10)
    assert found["own"] == {
        "own_bytes": 0,
        "shared_bytes": found["size_bytes"],
        "is_complete": True,
    }  # a draft is on it
    newest = data(viewed, f"{C}/v3")
    assert 0 < newest["own"]["own_bytes"] < newest["size_bytes"]
    assert newest["own"]["own_bytes"] + newest["own"]["shared_bytes"] == newest["size_bytes"]
    assert found["python"] == f'headwater.Api().artifact("{SHOWN}:v1").download()'
    assert found["command"] == f"headwater get {SHOWN}:v1 {NAME}-v1"
    by_alias = data(viewed, f"{C}/prod")
    assert by_alias == {**found, "asked_as": "prod"}


def test_files_open_level_by_level_in_pages(viewed: ServerProcess) -> None:
    top = data(viewed, f"{C}/v3")["tree"]

    kinds = {one["path"]: one["kind"] for one in top["items"]}
    assert kinds["many"] == "folder"
    assert kinds["there.csv"] == "reference"
    assert kinds["new.txt"] == "file"
    assert next(one["entries"] for one in top["items"] if one["path"] == "many") == MANY
    first = data(viewed, f"{C}/v3?path=many")["tree"]
    assert (len(first["items"]), first["folder"]) == (100, "many")
    rest = data(viewed, f"{C}/v3?path=many&cursor={first['next']}")["tree"]
    assert [one["name"] for one in first["items"] + rest["items"]] == [f"{n:03d}.txt" for n in range(MANY)]
    assert rest["next"] is None
    assert data(viewed, f"{C}/v3?path=nowhere", 404)["reason"] == "not-found"
    assert "<bdi>many</bdi>/" in page(viewed, f"{C}/v3")


def test_a_deleted_and_a_recalled_version_say_so_first(viewed: ServerProcess) -> None:
    deleted = data(viewed, f"{C}/v0", 410)
    assert (deleted["state"], deleted["tree"], deleted["ended"]["message"]) == ("deleted", None, "too old")
    assert "This version was deleted by ana" in words(page(viewed, f"{C}/v0", 410))
    recalled = data(viewed, f"{C}/v2")
    assert (recalled["state"], recalled["ended"]["author"]) == ("recalled", ANA)
    assert "Recalled by ana" in words(page(viewed, f"{C}/v2"))


def test_what_is_not_there_is_told_as_a_page(viewed: ServerProcess) -> None:
    for address in (f"{C}/v9", f"{C}/none", f"{P}/a/none", "/p/team/none", f"{P}/r/none", f"{C}/v1/file/none"):
        assert viewed.ask("GET", address, headers=HTML).status == 404, address
        assert data(viewed, address, 404)["reason"] == "not-found"


# --- differences


def test_a_difference_counts_files_and_shows_values(viewed: ServerProcess) -> None:
    found = data(viewed, f"{P}/d/{NAME}?from=v1&to=v3")

    assert found["counts"] == {
        "added": 1,
        "removed": 0,
        "changed": 1,
        "grown_bytes": 3,
        "is_complete": True,
    }
    assert [(one["path"], one["change"]) for one in found["differences"]] == [
        ("new.txt", "added"),
        ("text/lines.txt", "changed"),
    ]
    assert {one["key"] for one in found["metadata"]} == {"loss", "step"}
    newest = data(viewed, f"{P}/d/{NAME}")
    assert (newest["before"]["version"], newest["after"]["version"]) == (2, 3)
    assert "1 added, 0 removed, 1 changed" in words(page(viewed, f"{P}/d/{NAME}?from=v1&to=v3"))


def test_text_differs_line_by_line(viewed: ServerProcess) -> None:
    address = f"{P}/d/{NAME}?from=v1&to=v3&path=text/lines.txt"
    lines = data(viewed, address)["at"]["lines"]["lines"]

    assert lines[0]["sign"] == "@"
    assert [(one["sign"], one["text"]) for one in lines if one["sign"] in "+-"] == [
        ("-", "changed 1"),
        ("+", "changed 3"),
    ]
    assert len(lines) < LINES
    binary = data(viewed, f"{P}/d/{NAME}?from=v1&to=v3&path=binary.bin")["at"]["lines"]
    assert binary["why_not"] == "it is not text in both versions."
    reference = data(viewed, f"{P}/d/{NAME}?from=v1&to=v3&path=there.csv")["at"]["lines"]
    assert "reference" in reference["why_not"]
    added = data(viewed, f"{P}/d/{NAME}?from=v1&to=v3&path=new.txt")["at"]["lines"]["lines"]
    assert [(one["sign"], one["text"]) for one in added][-1] == ("+", "new")
    assert data(viewed, f"{P}/d/{NAME}?from=v1&to=v3&path=nowhere", 404)["reason"] == "not-found"


# --- runs


def test_a_run_shows_what_it_was_given_and_what_it_made(viewed: ServerProcess) -> None:
    found = data(viewed, f"{P}/r/make")

    assert (found["line"]["state"], found["line"]["job_type"]) == ("finished", "make")
    assert {one["key"]: one["text"] for one in found["config"]["values"]} == {"lr": "0.1", "deep.er": "[1, 2]"}
    assert [one["text"] for one in found["summary"]["values"]] == ["0.25"]
    assert found["inputs"] == [
        {"collection": f"{PROJECT}/images", "version": 0, "requested": ["images:v0"], "use_as": ["raw"]}
    ]
    assert [(one["collection"], one["version"]) for one in found["outputs"]] == [(SHOWN, n) for n in range(4)]
    html = words(page(viewed, f"{P}/r/make"))
    assert "finished" in html
    assert "deep.er" in html


def test_runs_are_listed_the_last_first_and_chosen_by_kind(viewed: ServerProcess) -> None:
    found = data(viewed, f"{P}/r")
    assert found["runs"][0]["id"] == "hostile"
    chosen = data(viewed, f"{P}/r?job_type=use")
    assert [one["id"] for one in chosen["runs"]] == [f"user-{n:02d}" for n in reversed(range(USERS))]
    assert "No run like this was recorded" in words(page(viewed, f"{P}/r?job_type=none"))


# --- search


def test_what_begins_with_a_text_is_suggested(viewed: ServerProcess) -> None:
    def kinds(text: str) -> list[tuple[str, str]]:
        hits = data(viewed, f"/search/begins?q={quote(text)}")["hits"]
        return [(one["kind"], one["text"]) for one in hits]

    assert ("artifact", NAME) in kinds("sho")
    assert ("run", "make") in kinds("mak")
    assert ("alias", "prod") in kinds("pro")
    assert ("tag", "round-1") in kinds("round-")
    digest = data(viewed, f"{C}/v1")["digest"]
    assert ("version", digest) in kinds(digest[:20])
    assert kinds("") == []


def test_a_search_finds_values_and_files(viewed: ServerProcess) -> None:
    found = data(viewed, "/search?q=config.js&longer=1")
    assert {(one["collection"], one["path"]) for one in found["files"]["places"]} == {(SHOWN, "data/config.json")}
    metadata = data(viewed, "/search?q=loss&longer=1")["metadata"]
    assert {one["version"] for one in metadata["places"]} == {1, 2, 3}
    names = data(viewed, "/search?q=how")["names"]
    assert [one["collection"] for one in names["places"]] == [SHOWN]
    content = next(one["digest"] for one in data(viewed, f"{C}/v3")["tree"]["items"] if one["path"] == "new.txt")
    places = data(viewed, f"/search?q={content}")["contents"]["places"]
    assert [(one["collection"], one["version"], one["path"]) for one in places] == [(SHOWN, 3, "new.txt")]
    assert "data/config.json" in words(page(viewed, "/search?q=config.js&longer=1"))
    assert "Nothing that you may read has it" in words(page(viewed, "/search?q=nowhere-at-all&longer=1"))
    assert "Type something" in words(page(viewed, "/search"))


# --- changes


def test_changes_are_told_since_a_moment_and_since_an_alias_moved(viewed: ServerProcess) -> None:
    everything = data(viewed, f"{P}/feed?since=2020-01-01T00:00:00Z")
    kinds = {one["kind"] for one in everything["changes"]}
    assert {"version-committed", "alias-moved", "artifact-used", "run-started", "version-recalled"} <= kinds
    times = [one["time_us"] for one in everything["changes"]]
    assert times == sorted(times, reverse=True)
    of_one = data(viewed, f"{P}/feed?of={NAME}&since={NAME}:prod")
    assert of_one["since_alias"] == {"name": NAME, "alias": "prod", "version": 1}
    assert {one["subject"] for one in of_one["changes"]} == {SHOWN}
    assert [one["kind"] for one in of_one["changes"]].count("artifact-used") == USERS + 1
    assert "alias-moved" not in {one["kind"] for one in of_one["changes"] if one["alias"] == "prod"}
    assert data(viewed, f"{P}/feed?since=2999-01-01T00:00:00Z")["changes"] == []
    for odd in ("yesterday", "2020-01-01", "0d", f"{NAME}:none", "none:prod"):
        assert viewed.ask("GET", f"{P}/feed.json?since={odd}").status in (400, 404), odd
    assert "moved to" in words(page(viewed, f"{P}/feed?since=52w"))


def test_changes_come_in_pages_without_gaps(viewed: ServerProcess) -> None:
    first = data(viewed, f"{P}/feed?of={NAME}&since=52w")
    whole = data(viewed, f"{P}/feed?since=52w")
    of_it = [one["id"] for one in whole["changes"] if one["subject"] == SHOWN]
    assert [one["id"] for one in first["changes"]] == of_it
    assert first["next"] is None


# --- files


def preview(server: ServerProcess, path: str) -> dict[str, Any]:
    found = data(server, f"{C}/v3/file/{path}")["preview"]
    assert isinstance(found, dict)
    return {key: value for key, value in found.items() if value not in (None, False)}


def test_text_is_shown_as_it_is_and_never_run(viewed: ServerProcess) -> None:
    assert preview(viewed, "notes.md") == {"text": "# Title\n\n<b>not bold</b>\n"}
    assert preview(viewed, "pages/page.html") == {"text": "<script>alert(1)</script>"}
    assert preview(viewed, "pictures/drawing.svg")["text"].startswith("<svg")
    assert preview(viewed, "empty.txt") == {"text": ""}
    assert "&lt;script&gt;alert(1)" in page(viewed, f"{C}/v3/file/pages/page.html")


def test_json_is_shown_with_its_structure(viewed: ServerProcess) -> None:
    shown = preview(viewed, "data/config.json")
    assert shown["is_json"]
    assert json.loads(shown["text"]) == {"b": [1, 2], "a": {"c": None}}
    assert '\n  "a"' in shown["text"]


def test_the_first_rows_of_tables_are_shown(viewed: ServerProcess) -> None:
    table = preview(viewed, "data/rows.csv")["table"]
    assert [one["name"] for one in table["columns"]] == ["id", "name"]
    assert table["rows"][:2] == [["0", "n0"], ["1", "n1"]]
    table = preview(viewed, "data/rows.parquet")["table"]
    assert [(one["name"], one["type"]) for one in table["columns"]][:2] == [("number", "int64"), ("text", "string")]
    assert (table["row_count"], len(table["rows"])) == (ROWS, 50)
    assert table["rows"][7] == ["7", "row 7", "[7]"]
    assert "row 7" in words(page(viewed, f"{C}/v3/file/data/rows.parquet"))


def test_what_cannot_be_shown_says_why_and_what_to_do(viewed: ServerProcess) -> None:
    assert "not what its name says" in preview(viewed, "data/broken.parquet")["why_not"]
    assert "Download it" in preview(viewed, "binary.bin")["why_not"]
    assert "too large to show" in preview(viewed, "pictures/huge.png")["why_not"]
    assert data(viewed, f"{C}/v3/file/there.csv")["preview"] is None
    assert "not fetched from there" in words(page(viewed, f"{C}/v3/file/there.csv"))


def test_an_image_is_served_as_an_image_and_everything_else_as_bytes(viewed: ServerProcess) -> None:
    assert preview(viewed, "pictures/red.png")["image"] == {"media_type": "image/png", "width": 3, "height": 2}
    image = viewed.ask("GET", f"{C}/v3/file/pictures/red.png?raw=1")
    assert (image.status, image.body, image.headers["content-type"]) == (200, png(3, 2), "image/png")
    for path in ("pictures/drawing.svg", "pages/page.html", "pictures/huge.png", "notes.md"):
        raw = viewed.ask("GET", f"{C}/v3/file/{path}?raw=1")
        assert (raw.status, raw.headers["content-type"]) == (200, "application/octet-stream"), path
        assert raw.headers["content-disposition"].startswith("attachment")
        assert raw.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert image.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert {image.headers["x-content-type-options"], raw.headers["x-content-type-options"]} == {"nosniff"}
    assert viewed.ask("GET", f"{C}/v3/file/there.csv?raw=1").status == 409
