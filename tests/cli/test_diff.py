"""`headwater diff`, and the question behind it."""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from headwater_consumer import queries
from headwater_consumer.queries import differences
from headwater_consumer.queries.differences import EntryContent

from tests.cli.commands import ask, headwater, refused, run
from tests.support.history import History, digest_of, open_history

PETS = "team/animals/pets"
Contents = dict[str, bytes]


def size_of(entry: dict[str, Any] | None) -> int | None:
    return None if entry is None else entry["size_bytes"]


def test_added_removed_and_changed_entries_are_shown_with_their_sizes(images: Path, tmp_path: Path) -> None:
    headwater("log", str(images), "-n", "pets")
    (tmp_path / "dog.txt").write_text("a better dog")
    (tmp_path / "horse.txt").write_text("a horse")
    headwater("log", "dog.txt", "horse.txt", "--base", "pets", "--remove", "train")

    told = ask("diff", "pets:v0", "pets:v1")

    assert (told["before"], told["after"], told["same"]) == ("team/animals/pets:v0", "team/animals/pets:v1", False)
    assert told["counts"] == {"added": 1, "removed": 1, "changed": 1}
    assert told["growth_bytes"] == {"added": 7, "removed": -5, "changed": 7}
    assert [(c["path"], c["change"], size_of(c["before"]), size_of(c["after"])) for c in told["changes"]] == [
        ("dog.txt", "changed", 5, 12),
        ("horse.txt", "added", None, 7),
        ("train/cow.txt", "removed", 5, None),
    ]
    said = headwater("diff", "pets:v0", "pets:v1")
    assert "1 added (+7 B), 1 removed (-5 B), 1 changed (+7 B)" in said
    assert "horse.txt" in said


def test_a_file_that_became_executable_is_shown_as_such(images: Path) -> None:
    headwater("log", str(images), "-n", "pets")
    (images / "cat.txt").chmod(0o755)
    headwater("log", str(images), "-n", "pets")

    (change,) = ask("diff", "pets:v0", "pets:v1")["changes"]

    assert (change["path"], change["change"], change["before"]["digest"]) == (
        "cat.txt",
        "changed",
        change["after"]["digest"],
    )
    assert (change["before"]["executable"], change["after"]["executable"]) == (False, True)
    assert re.search(r"cat.txt +3 B +3 B, executable", headwater("diff", "pets:v0", "pets:v1"))
    assert re.search(r"cat.txt +3 B, executable +3 B", headwater("diff", "pets:v1", "pets:v0"))
    assert [(e["path"], e["executable"]) for e in ask("ls", "pets:v1") if e["executable"]] == [("cat.txt", True)]


def test_description_and_metadata_are_compared_key_by_key(images: Path) -> None:
    headwater("log", str(images), "-n", "one", "-d", "All", "-m", '{"rows": 3, "by": "ada", "same": 1}')
    headwater("log", str(images), "-n", "two", "-m", '{"rows": 4, "same": 1}')

    told = ask("diff", "one", "two")

    assert told["attributes"] == [
        {"field": "description", "key": None, "before": "All", "after": None},
        {"field": "metadata", "key": "by", "before": "ada", "after": None},
        {"field": "metadata", "key": "rows", "before": 3, "after": 4},
    ]
    assert (told["changes"], told["same"]) == ([], False)


def test_differences_are_no_error_unless_the_exit_code_is_asked_for(images: Path) -> None:
    headwater("log", str(images), "-n", "pets")
    headwater("log", "--base", "pets", "--remove", "train")

    assert run("diff", "pets:v0", "pets:v1").code == 0
    assert run("diff", "pets:v0", "pets:v1", "--exit-code").code == 1
    assert run("diff", "pets:v1", "pets:latest", "--exit-code").code == 0
    assert "are the same" in headwater("diff", "pets:v1", "pets:v1")


def test_a_long_difference_is_cut_and_counted_whole(images: Path) -> None:
    headwater("log", str(images), "-n", "pets")
    headwater("log", str(images / "cat.txt"), "-n", "alone")

    done = run("diff", "alone", "pets", "-n", "1")

    assert "2 added (+10 B)" in done.out
    assert done.err == "1 more; --limit shows them.\n"
    assert "train/cow.txt" not in done.out


@pytest.mark.usefixtures("store")
def test_references_differ_by_what_they_refer_to() -> None:
    for uri in ("https://example.com/a", "https://example.com/b"):
        headwater("log", "-n", "far", "--reference", f"it={uri}", "--no-checksum")

    (change,) = ask("diff", "far:v0", "far:v1")["changes"]

    assert (change["change"], change["before"]["uri"], change["after"]["uri"]) == (
        "changed",
        "https://example.com/a",
        "https://example.com/b",
    )


def test_what_is_not_there_is_named(images: Path) -> None:
    headwater("log", str(images), "-n", "pets")

    assert "'v7'" in refused("diff", "pets:v0", "pets:v7", code=3)
    assert "team/animals/horses" in refused("diff", "horses", "pets", code=3)


# --- the question ----------------------------------------------------------------------------------------------------


def layers_of(history: History, version: int) -> tuple[int, ...]:
    info = queries.version_info(history.database, PETS, version)
    assert info is not None
    return info.layers


def asked(history: History, before: int, after: int) -> dict[str, tuple[bytes | None, bytes | None]]:
    found = differences.diff_layers(history.database, layers_of(history, before), layers_of(history, after))
    return {path: (digest(old), digest(new)) for page in found for path, old, new in page}


def digest(held: EntryContent | None) -> bytes | None:
    return None if held is None else held.digest


def expected(before: Contents, after: Contents) -> dict[str, tuple[bytes | None, bytes | None]]:
    def of(contents: Contents, path: str) -> bytes | None:
        return digest_of(contents[path]) if path in contents else None

    paths = sorted({*before, *after})
    return {path: (of(before, path), of(after, path)) for path in paths if of(before, path) != of(after, path)}


def branches(history: History) -> list[Contents]:
    """Versions on versions, any of them the base of the next."""
    rng = random.Random(7)
    all_contents: list[Contents] = [{f"d{i % 3}/f{i:02}": b"%d" % i for i in range(40)}]
    history.commit(PETS, all_contents[0])
    for version in range(1, 14):
        base = rng.randrange(version)
        changed = {f"d{rng.randrange(4)}/f{rng.randrange(60):02}": b"v%d-%d" % (version, i) for i in range(3)}
        removed = rng.sample(sorted(set(all_contents[base]) - set(changed)), 2)
        history.commit(PETS, changed, base=base, removed=removed)
        all_contents.append({path: c for path, c in (all_contents[base] | changed).items() if path not in removed})
    return all_contents


@pytest.mark.parametrize("page", [3, 5000])
def test_any_two_versions_differ_in_what_their_listings_differ_in(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(differences, "PATHS_PER_PAGE", page)
    with open_history(mode, tmp_path) as history:
        contents = branches(history)

        for before in range(len(contents)):
            for after in range(len(contents)):
                found = asked(history, before, after)
                assert found == expected(contents[before], contents[after]), (before, after)
                assert list(found) == sorted(found)


def test_versions_that_share_a_base_are_compared_by_what_they_changed(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    rows = differences._rows

    def counted(*of: Any) -> Iterator[tuple[str, int, int, Any]]:
        for row in rows(*of):
            read.append(row[0])
            yield row

    monkeypatch.setattr(differences, "_rows", counted)
    with open_history(mode, tmp_path) as history:
        history.commit(PETS, {f"f{i:04}": b"%d" % i for i in range(2000)})
        history.commit(PETS, {"f0001": b"new"}, base=0)
        history.commit(PETS, {"f0002": b"new"}, base=0, removed=("f0003",))

        assert list(asked(history, 1, 2)) == ["f0001", "f0002", "f0003"]

    assert sorted(read) == ["f0001", "f0002", "f0003"]
