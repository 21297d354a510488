"""What a person sees in a terminal of eighty columns."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import headwater as sdk
import pytest
from headwater.cli.output import print_fields, print_table

from tests.cli.commands import COMMANDS, ask, headwater, run
from tests.cli.terminals import read_all
from tests.support.forked import PIPE, ForkedProcess
from tests.support.modes import SERVICE

LONG = "a-long-folder-name/with-another-folder/and-a-third-one-below/picture-number-1.jpeg"
COLUMNS = 80


def seen(*arguments: str, **more: str) -> list[str]:
    """The lines that a command prints to a real terminal of eighty columns, without colours."""
    terminal, inside = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "dumb", **more}
    with open(inside, "wb", buffering=0) as screen:
        process = ForkedProcess(["-m", "headwater", *arguments], env=environment, stdout=screen, stderr=PIPE)
    printed = read_all(terminal)
    _, problems = process.communicate(60)
    assert process.returncode == 0, problems
    return printed.decode().splitlines()


@pytest.mark.usefixtures("store")
def test_tables_fit_and_lose_no_part_of_a_path_or_an_alias(tmp_path: Path) -> None:
    path = tmp_path / "deep" / LONG
    path.parent.mkdir(parents=True)
    path.write_text("1")
    uri = f"s3://bucket/{'prefix/' * 12}end.bin"
    aliases = ("production-candidate-2026", "best-of-the-week")
    headwater("log", "deep", "-n", "pets", *[part for a in aliases for part in ("-a", a)])
    headwater("log", "--base", "pets", "--reference", f"far={uri}", "--no-checksum", "-d", "many words " * 20)

    for arguments in (("ls",), ("ls", "pets"), ("ls", "pets:v1"), ("show", "pets"), ("diff", "pets:v0", "pets:v1")):
        lines = seen(*arguments)
        assert max(map(len, lines)) <= COLUMNS, arguments

    folded = [re.split(r"\s+", line)[0] for line in seen("ls", "pets:v0")[2:]]
    assert "".join(folded) == LONG
    versions = "\n".join(seen("ls", "pets"))
    assert all(alias in versions for alias in aliases)


@pytest.mark.usefixtures("store")
def test_a_tree_that_is_deeper_than_the_terminal_is_wide_loses_nothing() -> None:
    steps = 15
    for step in range(steps):
        with sdk.init(id=f"run-{step}") as run:
            draft = run.use_artifact("pets:latest").new_draft() if step else sdk.Artifact("pets", "dataset")
            with draft.new_file(f"{step}.txt") as file:
                file.write("1")
            run.log_artifact(draft)

    lines = seen("lineage", "pets")

    assert max(map(len, lines)) <= COLUMNS
    names = [name for step in reversed(range(steps)) for name in (f"pets:v{step} ", f"run run-{step}")]
    assert len(lines) == len(names)
    assert all(name in f"{line} " for name, line in zip(names, lines, strict=True))
    assert f"level {2 * steps - 1}: run run-0" in lines[-1]


@pytest.mark.usefixtures("store")
def test_where_only_ascii_can_be_printed_nothing_is_lost(tmp_path: Path) -> None:
    (tmp_path / "Grüße.txt").write_text("1")
    headwater("log", "Grüße.txt", "-n", "pets")
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}

    printed = []
    for more in ([], ["--json"]):
        command = [sys.executable, "-m", "headwater", "ls", "pets:v0", *more]
        printed.append(subprocess.run(command, env=ascii_only, capture_output=True, text=True, check=True).stdout)

    assert "Gr\\xfc\\xdfe.txt" in printed[0]
    assert json.loads(printed[1])[0]["path"] == "Grüße.txt"


@pytest.mark.usefixtures("store")
def test_nothing_is_folded_or_cut_where_a_program_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    uri = f"s3://bucket/{'prefix/' * 60}end.bin"
    headwater("log", "-n", "far", "--reference", f"far={uri}", "--no-checksum")

    assert uri in headwater("ls", "far:v0")


def test_what_somebody_wrote_cannot_steer_a_terminal(images: Path) -> None:
    with sdk.init(job_type="\x1b[2Jgone", name="\x9b2J"):
        sdk.Artifact("other", "dataset").save()
    headwater("log", str(images), "-n", "pets", "-d", "\x1b]0;title\x07 all", "-m", json.dumps({"a": "\x1b[2J"}))

    for arguments in (("show", "pets"), ("runs",), ("lineage", "other"), ("diff", "other", "pets")):
        printed = run(*arguments).out
        assert not {"\x1b", "\x9b", "\x07"} & set(printed), arguments
    assert "\\x1b]0;title" in headwater("show", "pets")
    assert ask("show", "pets")["description"] == "\x1b]0;title\x07 all"  # a program gets what was said


TABLES = {
    "numbers": [("a", "1"), ("bcd", "23")],
    "a narrow header": [("a-name-that-is-long", "12,345,678")],
    "empty cells": [("", ""), ("b", "")],
    "wide characters": [("猫", "1"), ("é", "2")],
    "long": [("a" * 60, "b" * 60)],
    "control characters": [("a\tb\nc", "\x1b[2J")],
}


@pytest.mark.parametrize("rows", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("columns", ["10", "80", "200"])
def test_a_table_looks_the_same_whether_rich_prints_it_or_not(
    rows: list[tuple[str, str]],
    columns: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def printed() -> str:
        print_table(("name", "n"), rows, fold=("name",), right=("n",), cut="n")
        print_fields(rows)
        return capsys.readouterr().out

    plain = printed()
    monkeypatch.setenv("FORCE_COLOR", "")  # which only rich reads

    assert plain == printed()


@pytest.mark.usefixtures("store")
def test_a_terminal_shows_the_same_whether_rich_prints_it_or_not(images: Path) -> None:
    headwater("log", str(images), "-n", "pets")

    for arguments in (("ls",), ("ls", "pets"), ("ls", "pets:v0"), ("show", "pets")):
        plain = "\n".join(seen(*arguments, TERM="xterm"))
        by_rich = "\n".join(seen(*arguments, TERM="xterm", TTY_COMPATIBLE="1"))
        assert "\x1b[1m" in plain
        assert re.sub("\x1b\\[[01]m", "", plain) == re.sub("\x1b\\[[01]m", "", by_rich)


@pytest.mark.usefixtures("store")
def test_a_plain_list_imports_only_what_it_needs(images: Path, mode: str) -> None:
    headwater("log", str(images), "-n", "pets")
    headwater("ls")  # which projects the end of that run
    script = (
        "import sys; from headwater.cli import cli; cli.main(['ls'], standalone_mode=False);"
        "print(sorted({'rich', 'sqlalchemy', 'kafka', 'minio', 'psycopg', 'fastavro', 'numpy'} & set(sys.modules)))"
    )

    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert printed.splitlines()[-1] == ("['kafka', 'psycopg']" if mode == SERVICE else "[]")


def test_the_list_of_commands_cuts_no_sentence() -> None:
    lines = seen("--help")

    commands = lines[lines.index("Commands:") + 1 :]
    assert len(commands) == len(COMMANDS)
    assert [line for line in commands if line.endswith("...")] == []
    assert headwater("--version") == headwater("version")


@pytest.mark.on_stores
@pytest.mark.usefixtures("store")
def test_a_terminal_without_colours_gets_none(images: Path) -> None:
    headwater("log", str(images), "-n", "pets")

    assert "\x1b[32m" in "".join(seen("doctor", TERM="xterm"))
    assert "\x1b" not in "".join(seen("doctor"))
    assert "\x1b[3" not in "".join(seen("doctor", TERM="xterm", NO_COLOR="1"))


@pytest.mark.usefixtures("store")
def test_a_width_that_is_no_number_is_no_width(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    headwater("log", str(images), "-n", "pets")

    for width in ("", "wide", "-3", "0"):
        monkeypatch.setenv("COLUMNS", width)
        assert "pets" in headwater("ls")


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("arguments", [("ls",), ("ls", "--json"), ("version",)], ids=" ".join)
def test_an_answer_that_cannot_be_written_is_an_error(images: Path, arguments: tuple[str, ...]) -> None:
    headwater("log", str(images), "-n", "pets")

    with open("/dev/full", "wb") as full:
        process = ForkedProcess(["-m", "headwater", *arguments], stdout=full, stderr=PIPE)
    _, problems = process.communicate(60)

    assert (process.returncode, problems) == (1, "headwater: cannot write the output: No space left on device.\n")
