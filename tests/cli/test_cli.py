"""The command line, as a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from headwater._commit.client import client_for
from headwater_eventlog.port import NewRecord
from headwater_schemas.keys import collection_key
from headwater_stores.config import settings
from headwater_stores.config.profile import profile_keys
from headwater_stores.config.settings import read_settings

from tests.cli.commands import COMMANDS, Done
from tests.support.forked import PIPE, ForkedProcess
from tests.support.history import UNDECODABLE
from tests.support.stores import StoreUnderTest

pytestmark = pytest.mark.usefixtures("store")

README = Path(__file__).parents[2] / "README.md"


def run(*arguments: str, **environment: str) -> Done:
    """Run `headwater ARGUMENTS`, with more in its environment."""
    command = ["-m", "headwater", *arguments]
    process = ForkedProcess(command, env={**os.environ, **environment}, stdout=PIPE, stderr=PIPE)
    out, err = process.communicate(timeout=120)
    return Done(process.wait(), out, err)


def headwater(*arguments: str, expect: int = 0) -> str:
    """What the command printed. Its exit code must be `expect`."""
    done = run(*arguments)
    assert done.code == expect, done
    return done.out if expect == 0 else done.out + done.err


def ask(*arguments: str) -> Any:
    return json.loads(headwater(*arguments, "--json"))


@pytest.fixture
def images(tmp_path: Path) -> Path:  # three files of one byte
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.txt").write_text(str(i))
    return folder


def test_a_folder_is_logged_listed_shown_and_fetched(images: Path, tmp_path: Path) -> None:
    logged = ask("log", str(images), "--name", "pets", "--alias", "raw", "-m", '{"n": 3}')
    assert (logged["artifact"], logged["files"], logged["size_bytes"]) == ("team/animals/pets:v0", 3, 3)

    assert [found["artifact"] for found in ask("ls")] == ["team/animals/pets"]
    assert [found["aliases"] for found in ask("ls", "pets")] == [["latest", "raw"]]
    assert [entry["path"] for entry in ask("ls", "pets:v0")] == ["0.txt", "1.txt", "2.txt"]
    assert ask("show", "pets:raw")["metadata"] == {"n": 3}
    assert [run["job_type"] for run in ask("runs")] == ["headwater log"]

    assert headwater("get", "pets", str(tmp_path / "out")).strip() == str(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.txt", "1.txt", "2.txt"]


def test_people_get_tables_and_trees(images: Path) -> None:
    headwater("log", str(images), "--name", "pets", "--type", "photos")

    assert "photos" in headwater("ls")
    assert "v0" in headwater("ls", "pets")
    assert "1.txt" in headwater("ls", "pets:v0")
    assert "pets:v0 (photos) [latest]" in headwater("lineage", "pets")
    assert "headwater log" in headwater("runs")
    assert "team/animals/pets:v0" in headwater("show", "pets")


def test_lineage_goes_up_and_down(images: Path) -> None:
    headwater("log", str(images), "--name", "pets")

    assert ask("lineage", "pets")["edges"][0]["relation"] == "logged"
    assert ask("lineage", "pets", "--down")["edges"] == []


def test_a_long_listing_says_that_it_was_cut(images: Path) -> None:
    headwater("log", str(images), "--name", "pets")

    done = run("ls", "pets:v0", "-n", "1")

    assert done.code == 0
    assert "2 more" in done.err


@pytest.mark.on_stores
def test_doctor_finds_a_sound_store_sound(images: Path) -> None:
    headwater("log", str(images), "--name", "pets")

    findings = {finding["check"]: finding["state"] for finding in ask("doctor")}

    assert set(findings.values()) == {"ok"}
    assert {"store", "log", "projection", "objects", "dead letters"} <= findings.keys()


@pytest.mark.on_stores
def test_doctor_names_what_is_missing_and_what_is_damaged(images: Path, store: StoreUnderTest) -> None:
    headwater("log", str(images), "--name", "pets")
    (pack,) = store.objects()
    store.write(pack, b"0x2")

    headwater("doctor")
    said = headwater("doctor", "--verify", expect=1)
    assert f"{pack} (damaged, needed by team/animals/pets:v0)" in said
    assert "headwater log --verify" in said
    assert store.objects() == [pack], "it only looks"

    store.write(pack, b"0")
    assert f"{pack} (cut short, needed by team/animals/pets:v0)" in headwater("doctor", expect=1)
    store.remove(pack)
    assert f"{pack} (missing, needed by team/animals/pets:v0)" in headwater("doctor", expect=1)


@pytest.mark.on_stores
def test_doctor_names_what_rotted_on_the_disk_and_goes_on(images: Path, store: StoreUnderTest) -> None:
    headwater("log", str(images), "--name", "pets")
    (first,) = store.objects()
    (images / "0.txt").write_bytes(os.urandom(300_000))
    headwater("log", str(images / "0.txt"), "--name", "others")
    (second,) = set(store.objects()) - {first}
    store.rot(first)
    store.rot(second)

    said = headwater("doctor", "--verify", expect=1)

    assert f"{first} (damaged, needed by team/animals/pets:v0)" in said
    assert f"{second} (damaged, needed by team/animals/others:v0)" in said
    assert "headwater log --verify" in said


@pytest.mark.on_stores
@pytest.mark.parametrize("damage", ["other bytes", "rot"])
def test_what_doctor_found_damaged_is_sound_once_it_was_logged_again(
    images: Path, store: StoreUnderTest, damage: str
) -> None:
    headwater("log", str(images), "--name", "pets")
    (pack,) = store.objects()
    if damage == "rot":
        store.rot(pack)
    else:
        store.write(pack, b"0x2")

    headwater("log", str(images), "--name", "pets", "--verify")

    headwater("doctor", "--verify")
    assert headwater("log", str(images), "--name", "pets", "--verify", "--immutable", expect=2)


@pytest.mark.on_stores
def test_doctor_asks_for_content_where_it_was_stored_again(images: Path, store: StoreUnderTest) -> None:
    headwater("log", str(images), "--name", "pets")
    (first,) = store.objects()
    store.remove(first)
    headwater("log", str(images), "--name", "pets")
    headwater("doctor", "--verify")
    (second,) = store.objects()
    store.remove(second)

    assert f"{second} (missing, needed by team/animals/pets:v0)" in headwater("doctor", expect=1)


@pytest.mark.on_stores
def test_doctor_compares_the_record_that_was_projected_last_with_the_log(images: Path, store: StoreUnderTest) -> None:
    headwater("log", str(images), "--name", "pets")
    headwater("doctor")

    store.change_last_records()

    said = headwater("doctor", expect=1)
    assert "has another record at offset" in said
    assert "an older copy of the log was put in its place" in said


@pytest.mark.on_stores
def test_doctor_says_where_there_is_no_store(store: StoreUnderTest) -> None:
    lacking = "no headwater store" if store.is_embedded else "no bucket"

    assert f"there is {lacking}" in headwater("doctor", expect=1)


def test_a_projector_of_a_folder_is_refused() -> None:
    done = run("projector", HEADWATER_URL="./folder")

    assert done.code == 1
    assert "HEADWATER_URL=profile:NAME" in done.err


def spoil_events_of(collection: str) -> None:
    """Bytes that no release can decode, under a collection's key."""
    client = client_for(read_settings(), create=True)
    client.stores.log.append([NewRecord(collection_key(collection), UNDECODABLE)], timeout_s=30)


@pytest.mark.on_stores
@pytest.mark.parametrize("decision", ["--skip", "--retry"])
def test_a_dead_letter_is_listed_and_what_waits_behind_it_let_go_on(images: Path, decision: str) -> None:
    headwater("log", str(images), "--name", "pets")
    spoil_events_of("team/animals/pets")
    headwater("log", str(images / "1.txt"), "--name", "other")  # all others go on
    (letter,) = ask("dead-letters")
    place = letter["position"]
    assert letter["key"] == collection_key("team/animals/pets")
    assert "dead letters" in headwater("doctor", expect=1)

    assert place in headwater("dead-letters", decision, place)

    still_there = ask("dead-letters")
    assert len(still_there) == (1 if decision == "--retry" else 0)  # what is damaged does not get better
    assert "dead letter" in headwater("dead-letters", decision, "0/987654", expect=3)


@pytest.mark.on_stores
def test_replay_gives_the_same_fingerprint(images: Path) -> None:
    headwater("log", str(images), "--name", "pets")

    assert ask("replay")["same"] is True
    assert ask("replay", "--replace")["same"] is True
    assert [found["artifact"] for found in ask("ls")] == ["team/animals/pets"]


@pytest.mark.on_stores
def test_replay_replaces_a_damaged_projection(images: Path, store: StoreUnderTest) -> None:
    headwater("log", str(images), "--name", "pets")
    store.spoil_projection()

    assert "replay" in headwater("ls", expect=1)
    headwater("replay", "--replace")

    assert [found["artifact"] for found in ask("ls")] == ["team/animals/pets"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("show", "nothing"), 3, "no artifact team/animals/nothing"),
        (("show", "pets:v9"), 3, "the latest is v0"),
        (("get", "pets:gone"), 3, "'gone'"),
        (("show", "a b"), 1, "contains ' '"),
        (("log", "missing", "--name", "x"), 1, "missing"),
        (("log", ".", "--name", "x", "-m", "[1]"), 1, "not an object"),
        (("log", ".", "--name", "x", "-m", "{"), 1, "not JSON"),
        (("ls", "--nonsense"), 2, "No such option"),
        (("nonsense",), 2, "No such command"),
    ],
)
def test_an_error_names_the_thing_and_sets_the_exit_code(
    images: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    headwater("log", str(images), "--name", "pets")

    assert says in headwater(*arguments, expect=code)


def test_every_command_has_help_and_stands_in_the_readme() -> None:
    help_text = headwater("--help")

    readme = README.read_text("utf-8")
    for command in COMMANDS:
        assert command in help_text
        assert f"$ headwater {command}" in readme
        assert "Usage" in headwater(command, "--help")


def test_the_readme_has_the_table_of_settings() -> None:
    text = README.read_text("utf-8")
    for row in settings.all_settings():
        key = f"`{row.file_key}`" if row.file_key else ""
        default = f"`{row.default}`" if "<" in row.default else row.default
        assert f"| `{row.variable}` | {key} | {default} | {row.meaning} |" in text


def test_operations_has_the_table_of_a_profile() -> None:
    text = (README.parent / "docs" / "operations.md").read_text("utf-8")
    for row in profile_keys():
        default = f"`{row.default}`" if row.default else ""
        assert f"| `{row.key}` | `{row.variable}` | {default} | {row.meaning} |" in text


def test_the_readmes_first_example_runs(tmp_path: Path) -> None:
    block = README.read_text("utf-8").split("```python\n")[1].split("```")[0]
    environment = {name: value for name, value in os.environ.items() if name not in ("HEADWATER_PROJECT",)}

    done = subprocess.run(
        [sys.executable, "-c", block], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "images-as-they-were" / "dog.txt").read_text() == "a dog"
    assert "v1, 1 of 2 files new, 12 B stored" in done.stderr


def test_the_command_line_is_known_before_anything_heavy_is_loaded() -> None:
    program = (
        "import sys; from headwater.cli import cli; cli.list_commands(None); "
        "print(sorted({'rich', 'sqlalchemy', 'kafka', 'headwater_consumer', 'fastavro'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_a_closed_pipe_ends_a_command_quietly(images: Path) -> None:
    headwater("log", str(images), "--name", "pets")

    done = subprocess.run(
        f"{sys.executable} -m headwater ls pets:v0 | head -c 1", shell=True, capture_output=True, text=True, check=False
    )

    assert "Traceback" not in done.stderr
