"""Each command does through a server what it does on the store itself."""

import json
import zipfile
from pathlib import Path

import pytest
from headwater_schemas.access import ANYBODY

from tests.cli.commands import run
from tests.server.operations.operated import Operated

VERSIONS = 4
LARGE = 2_000_000  # an object of its own


@pytest.fixture
def pets(operated: Operated) -> Operated:
    """With versions v0 to v3, of one small and one large file each, and no time in which they can be restored."""
    folder = operated.folder / "pets"
    folder.mkdir()
    for n in range(VERSIONS):
        (folder / "cat.txt").write_text(f"cat {n}")
        (folder / "film.bin").write_bytes(bytes([n]) * LARGE)
        operated.there("log", "pets", "--name", "pets")
    operated.there("project", "--restore-days", "0")
    return operated


def members(file: Path) -> list[tuple[str, bytes]]:
    """In their order: only how their sizes are told differs in a file that was written to a pipe."""
    with zipfile.ZipFile(file) as opened:
        return [(name, opened.read(name)) for name in opened.namelist()]


def versions(pets: Operated) -> list[str]:
    return [str(one["artifact"]) for one in pets.ask_there("ls", "pets")]


def test_gc_frees_what_its_preview_and_that_of_the_store_itself_say(pets: Operated) -> None:
    pets.there("rm", "pets:v0", "pets:v1")
    preview = pets.ask_there("gc", "--dry-run", "--grace", "0s")
    assert preview == pets.ask_here("gc", "--dry-run", "--grace", "0s")
    assert preview["bytes_freed"] >= 2 * LARGE
    before = sum(pets.objects().values())

    freed = pets.ask_there("gc", "--grace", "0s")

    assert freed == preview | {"dry_run": False}
    assert sum(pets.objects().values()) == before - freed["bytes_freed"]
    assert pets.ask_here("gc", "--dry-run", "--grace", "0s")["deleted"] == 0
    pets.there("get", "pets:v3", "out")
    assert (pets.folder / "out" / "cat.txt").read_text() == "cat 3"


def test_gc_says_to_people_what_it_says_on_the_store_itself(pets: Operated) -> None:
    pets.there("rm", "pets:v0")

    said = pets.there("gc", "--dry-run", "--grace", "0s", "--wait", "5m")

    assert said == pets.here("gc", "--dry-run", "--grace", "0s")
    assert "of content of deleted versions" in said


def test_maintain_deletes_what_a_policy_does_not_keep(pets: Operated) -> None:
    pets.there("retention", "set", "--keep-last", "3")
    assert pets.ask_there("maintain", "--dry-run") == pets.ask_here("maintain", "--dry-run")

    report = pets.ask_there("maintain", "--project", "animals")

    assert [one["version"] for one in report["versions_deleted"]] == ["team/animals/pets:v0"]
    assert report["bytes_freed"] == len("cat 0") + LARGE
    assert sorted(versions(pets)) == [f"team/animals/pets:v{n}" for n in (1, 2, 3)]
    deletions = [one for one in pets.ask_there("history", "pets") if one["event"] == "version-deleted"]
    assert [one["author"] for one in deletions] == [ANYBODY]
    everything = pets.ask_there("maintain", "--retire-sessions-days", "30", "--heal", "--verify")
    assert (everything["versions_deleted"], everything["contents_lost"]) == ([], 0)


def test_maintain_leaves_alone_what_somebody_must_confirm(pets: Operated) -> None:
    for n in range(VERSIONS, VERSIONS + 6):
        (pets.folder / "pets" / "cat.txt").write_text(f"cat {n}")
        pets.there("log", "pets", "--name", "pets")
    pets.there("retention", "set", "--keep-last", "1")

    asking = pets.run("maintain")
    assert asking.code == 1
    assert "--yes" in asking.out
    assert len(versions(pets)) == VERSIONS + 6

    assert len(pets.ask_there("maintain", "--yes")["versions_deleted"]) == VERSIONS + 5


def test_archive_keeps_the_log_beside_the_content_and_a_check_reads_it(pets: Operated) -> None:
    archived = pets.ask_there("archive")
    assert archived["records"] == pets.events()

    assert pets.ask_here("archive")["records"] == 0
    checked = pets.ask_there("archive", "--check")
    assert checked == pets.ask_here("archive", "--check")
    assert (checked["records"], checked["problems"]) == (archived["records"], [])


def test_an_export_is_the_same_file_and_is_imported_with_the_same_digest(pets: Operated) -> None:
    told = pets.ask_there("export", "pets", "-o", "there.zip")
    assert told == pets.ask_here("export", "pets", "-o", "here.zip")
    assert members(pets.folder / "there.zip") == members(pets.folder / "here.zip")

    elsewhere = {"HEADWATER_URL": str(pets.folder / "elsewhere"), "HEADWATER_PROJECT": "animals"}
    with pets.monkeypatch.context() as patch:
        for name, value in elsewhere.items():
            patch.setenv(name, value)
        patch.setenv("HEADWATER_ENTITY", "team")
        assert run("import", str(pets.folder / "there.zip")).code == 0
        imported = json.loads(run("show", "pets", "--json").out)

    assert imported["digest"] == pets.ask_here("show", "pets")["digest"]
    assert imported["artifact"] == "team/animals/pets:v0"


def test_everything_in_a_project_is_exported(pets: Operated) -> None:
    (pets.folder / "tree.txt").write_text("oak")
    pets.there("log", "tree.txt", "--name", "trees")

    told = pets.ask_there("export", "--all", "-o", "all.zip")

    assert told == pets.ask_here("export", "--all", "-o", "here.zip")
    assert told["versions"] == VERSIONS + 1
    assert "Give the NAME" in pets.refused("export", code=2)


def test_an_import_adds_versions_that_say_where_they_come_from_once(pets: Operated) -> None:
    pets.here("export", "pets:v1", "pets:v2", "-o", "pets.zip")

    first = pets.ask_there("import", "pets.zip", "--project", "moved")
    again = pets.ask_there("import", "pets.zip", "--project", "team/moved", "--aliases", "none")

    assert first["imported"] == ["team/moved/pets:v0", "team/moved/pets:v1"]
    assert (again["imported"], again["present"]) == ([], 2)
    shown = pets.ask_there("show", "moved/pets:v1")
    assert shown["digest"] == pets.ask_there("show", "pets:v2")["digest"]
    assert shown["author"] == ANYBODY
    assert [one["artifact"] for one in shown["imported"]] == ["team/animals/pets:v2"]
    assert "imported 0 versions" in pets.there("import", "pets.zip", "--project", "moved")


def test_a_project_is_copied_from_a_server_and_to_one(pets: Operated) -> None:
    folder = pets.folder / "copy"
    out = pets.ask_there("copy", "--from", pets.url, "--to", str(folder), "--project", "team/animals")
    assert len(out["imported"]) == VERSIONS

    back = pets.ask_there(
        "copy", "--from", str(folder), "--to", pets.url, "--project", "team/animals", "--into", "team/back"
    )
    again = pets.ask_there("copy", "--from", pets.url, "--to", pets.url, "--project", "animals", "--into", "again")

    assert back["imported"] == [f"team/back/pets:v{n}" for n in range(VERSIONS)]
    assert again["imported"] == [f"team/again/pets:v{n}" for n in range(VERSIONS)]
    digests = {pets.ask_there("show", f"{project}/pets")["digest"] for project in ("back", "again")}
    assert digests == {pets.ask_here("show", "pets")["digest"]}


def test_exit_codes_are_those_of_the_command_and_nothing_is_left_of_a_failed_export(pets: Operated) -> None:
    here = sorted(pets.folder.iterdir())

    assert "team/animals/nothing:latest is not in" in pets.refused("export", "nothing", "-o", "x.zip", code=3)
    (pets.folder / "text").write_text("no zip")
    assert "standard input is no export" in pets.refused("import", "text")
    assert "has no artifacts" in pets.refused("export", "--all", "--project", "empty", "-o", "x.zip", code=3)
    assert "no artifacts" in pets.refused(
        "copy", "--from", pets.url, "--to", str(pets.folder / "copy"), "--project", "team/empty", code=3
    )

    assert sorted(pets.folder.iterdir()) == sorted([*here, pets.folder / "text"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("maintain", "--verify"), "--verify requires --heal"),
        (("maintain", "--entity", "team"), "--entity requires --project"),
        (("maintain", "--heal", "--dry-run"), "exclude each other"),
        (("archive", "--check", "--trim"), "exclude each other"),
        (("archive", "--keep", "7d"), "--keep requires --trim"),
        (("gc", "--grace", "soon"), "'soon' is not a duration"),
    ],
)
def test_wrong_options_are_wrong_usage_and_change_nothing(
    arguments: tuple[str, ...], says: str, on_folder: Operated
) -> None:
    (on_folder.folder / "a.txt").write_text("a")
    on_folder.there("log", "a.txt", "--name", "a")
    before = on_folder.events()

    assert says in on_folder.refused(*arguments, code=2)

    assert on_folder.events() == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("archive", "backup"), "archiving to a folder ('backup')"),
        (("archive", "--follow"), "archiving without end (--follow)"),
        (("copy", "--from", "URL", "--to", "copy"), "--from names a server"),
        (("copy", "--from", "other", "--to", "URL"), "--to names a server"),
    ],
)
def test_what_no_server_does_says_where_to_do_it(
    arguments: tuple[str, ...], says: str, on_folder: Operated, tmp_path: Path
) -> None:
    said = on_folder.refused(*[on_folder.url if word == "URL" else word for word in arguments])

    assert says in said
    assert "server runs" in said.replace("\n", " ")
    assert not (on_folder.folder / "backup").exists()


@pytest.mark.parametrize("mode", ["service"], indirect=True, ids=["servers"])
def test_the_log_of_servers_is_trimmed(mode: str, pets: Operated) -> None:
    trimmed = pets.ask_there("archive", "--trim", "--keep", "0s")

    assert trimmed["trimmed"] > 0
    assert pets.ask_there("archive", "--check")["problems"] == []
    pets.there("log", "pets", "--name", "pets")
