"""What a client makes of a server's answer: only its last frame says that a command has ended, and how."""

from collections.abc import Callable
from pathlib import Path

import pytest
from headwater_schemas.operations import BEAT, CONTENT, END, ERRORS, MEDIA_TYPE, OUTPUT, End, frame

from tests.cli.commands import Done, run
from tests.server.test_connection import Scripted

HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: {MEDIA_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
LAST = b"0\r\n\r\n"
DONE = frame(END, End(0).encode())


def chunks(*pieces: bytes) -> bytes:
    return HEAD + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Done]:
    """Runs a command at a server that gives this answer, and ends the connection."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADWATER_OUTAGE_SECONDS", "0")

    def run_at(answer: bytes, *arguments: str) -> Done:
        monkeypatch.setenv("HEADWATER_URL", Scripted(answer).url)
        return run(*(arguments or ("gc",)))

    return run_at


def test_what_a_command_writes_appears_where_it_wrote_it_and_its_code_is_the_clients(
    answered: Callable[..., Done],
) -> None:
    pieces = (frame(BEAT), frame(OUTPUT, "frée".encode()[:3]), frame(OUTPUT, "frée\n".encode()[3:]))

    done = answered(chunks(*pieces, frame(ERRORS, b"headwater: slow\n"), frame(END, End(3).encode())) + LAST)

    assert done == Done(3, "frée\n", "headwater: slow\n")


def test_it_cannot_control_the_terminal(answered: Callable[..., Done]) -> None:
    done = answered(chunks(frame(OUTPUT, b"\x1b[2Jgone\n"), frame(ERRORS, b"\x07\n"), DONE) + LAST)

    assert done == Done(0, "\\x1b[2Jgone\n", "\\x07\n")


@pytest.mark.parametrize(
    "answer",
    [
        chunks(),
        chunks(frame(OUTPUT, b"freed\n")) + LAST,
        chunks(frame(OUTPUT, b"freed\n"), DONE[:-1]) + LAST,
        chunks(frame(OUTPUT, b"freed\n")) + b"5000\r\nab",
    ],
    ids=["at once", "without an end", "within the end", "within a piece"],
)
def test_an_answer_that_breaks_off_is_no_success_and_says_to_run_it_again(
    answer: bytes, answered: Callable[..., Done]
) -> None:
    done = answered(answer)

    assert done.code == 1
    assert "before `headwater gc` had ended there" in done.err
    assert "Run the command again." in done.err


def test_an_answer_of_another_kind_is_no_success(answered: Callable[..., Done]) -> None:
    done = answered(chunks(b"<html>Sign in to the network</html>") + LAST)

    assert (done.code, done.out) == (1, "")
    assert "not understood" in done.err


def test_a_command_that_the_server_interrupted_is_no_success(answered: Callable[..., Done]) -> None:
    done = answered(chunks(frame(END, End(130, "the server stops").encode())) + LAST)

    assert done.code == 1
    assert "interrupted `headwater gc`: the server stops. Completed work is kept" in done.err


@pytest.mark.parametrize("end", [b"", frame(END, End(1).encode())], ids=["broken off", "failed"])
def test_of_an_export_that_is_not_whole_there_is_no_file(end: bytes, answered: Callable[..., Done]) -> None:
    done = answered(chunks(frame(CONTENT, b"PK"), end) + LAST, "export", "pets", "-o", "pets.zip")

    assert done.code == 1
    assert not list(Path().glob("pets*"))


def test_an_export_is_the_content_alone(answered: Callable[..., Done]) -> None:
    report = frame(OUTPUT, b"exported 1 version\n")

    done = answered(
        chunks(frame(CONTENT, b"PK"), report, frame(CONTENT, b"\x00"), DONE) + LAST, "export", "p", "-o", "p"
    )

    assert done == Done(0, "exported 1 version\n", "")
    assert Path("p").read_bytes() == b"PK\x00"


def test_an_older_server_that_has_no_such_route_is_said(answered: Callable[..., Done]) -> None:
    body = b'{"reason": "not-found", "detail": "POST /v1/operations/gc: not found. See /v1/openapi.json."}'
    done = answered(b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    assert done.code == 3
    assert "/v1/operations/gc: not found" in done.err
