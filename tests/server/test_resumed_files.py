"""Large files that a client logs: they go on where they were, whoever was killed, cut off or full meanwhile."""

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import headwater
import pytest
from headwater_blobs.port import UPLOADING
from headwater_schemas import digests
from headwater_schemas.errors import StoreUnavailable
from headwater_stores.config.server_address import ServerAddress
from headwater_stores.http.blobs import HttpBlobStore
from headwater_stores.http.connection import ServerConnection

from tests.contract.blob_stores import digest_of, unbuffered
from tests.server import small_ranges
from tests.server.small_ranges import PROGRAM, RANGE_BYTES
from tests.server.uploads import PROJECT, Store, bytes_arrived, store_of, text_of
from tests.support.disks import can_mount, filled, small_disk
from tests.support.forked import PIPE, ForkedProcess
from tests.support.modes import EMBEDDED
from tests.support.serving import ServerProcess, until

RANGES = 48
CONTENT = random.Random(4).randbytes(RANGES * RANGE_BYTES + 123)
SOME = 3 * RANGE_BYTES  # arrived before something happens
END_S = 120.0


@pytest.fixture(autouse=True)
def _small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    small_ranges.make_small(monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with store_of(EMBEDDED, tmp_path) as store:
        yield store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "large.bin"
    path.write_bytes(CONTENT)
    return path


def logging(url: str, file: Path) -> ForkedProcess:
    """A process that logs the file as an artifact."""
    environment = {**os.environ, "HEADWATER_URL": url, "HEADWATER_OUTAGE_SECONDS": "60"}
    words = ["log", str(file), "-n", "large", "--entity", "team", "--project", "vision"]
    return ForkedProcess(["-m", PROGRAM, *words], env=environment, stdout=PIPE)


def assert_logged(server: ServerProcess) -> None:
    (entry,) = server.get(f"/v1/projects/{PROJECT}/collections/large/versions/v0/entries")["items"]
    assert (entry["size_bytes"], entry["digest"]) == (len(CONTENT), text_of(CONTENT))
    assert server.ask("GET", f"/v1/projects/{PROJECT}/contents/{entry['digest']}").body == CONTENT


@contextmanager
def connected(url: str, outage_s: float = 30.0) -> Iterator[HttpBlobStore]:
    with closing(ServerConnection(ServerAddress(url=url), outage_s=outage_s)) as connection:
        yield HttpBlobStore(connection)


def test_a_server_that_is_killed_in_the_middle_gets_only_what_it_does_not_have(store: Store, file: Path) -> None:
    with store.serving(program=PROGRAM) as first:
        port = first.url.rpartition(":")[2]
        client = logging(first.url, file)
        until(lambda: bytes_arrived(first) >= SOME)
        arrived = bytes_arrived(first)
        first.kill()
    with store.serving("--port", port, program=PROGRAM) as second:
        assert client.wait(END_S) == 0

        assert 0 < bytes_arrived(second) <= len(CONTENT) - arrived
        assert_logged(second)
    assert len(store.left()[0]) == 1
    assert store.left()[1] == []


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_a_client_that_ends_in_the_middle_goes_on_when_it_runs_again(
    store: Store, file: Path, end: signal.Signals
) -> None:
    with store.serving(program=PROGRAM) as server:
        first = logging(server.url, file)
        until(lambda: bytes_arrived(server) >= SOME)
        first.send_signal(end)
        assert first.wait(END_S) != 0
        assert bytes_arrived(server) < len(CONTENT)

        assert logging(server.url, file).wait(END_S) == 0

        assert bytes_arrived(server) <= len(CONTENT) + RANGE_BYTES
        assert_logged(server)


def test_several_who_log_the_same_file_at_once_send_it_once(store: Store, file: Path) -> None:
    with store.serving(program=PROGRAM) as first, store.serving(program=PROGRAM) as second:
        clients = [logging(server.url, file) for server in (first, second) * 2]
        assert [client.wait(END_S) for client in clients] == [0] * 4

        assert bytes_arrived(first) + bytes_arrived(second) <= len(CONTENT) + 4 * RANGE_BYTES
        assert_logged(first)
    assert len(store.left()[0]) == 1


class Balancer:
    """Gives each connection to the next of some servers, and cuts it after `cut_bytes` of what a client sends."""

    def __init__(self, servers: list[ServerProcess], cut_bytes: int) -> None:
        self._servers, self._cut_bytes = servers, cut_bytes
        self.connections = self.passed_bytes = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            at = urlsplit(self._servers[self.connections % len(self._servers)].url)
            self.connections += 1
            far = socket.create_connection((at.hostname, at.port))
            threading.Thread(target=self._pass, args=[near, far, self._cut_bytes], daemon=True).start()
            threading.Thread(target=self._pass, args=[far, near, 1 << 60], daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, most: int) -> None:
        passed = 0
        with suppress(OSError):
            while passed < most and (piece := source.recv(65_536)):
                passed += len(piece)
                if most == self._cut_bytes:
                    self.passed_bytes += len(piece)
                target.sendall(piece)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def test_connections_that_break_again_and_again_to_servers_in_turn_cost_little(store: Store, file: Path) -> None:
    told: list[int] = []
    with store.serving(program=PROGRAM) as first, store.serving(program=PROGRAM) as second:
        with (
            closing(Balancer([first, second], 7 * RANGE_BYTES + 12_345)) as balancer,
            connected(balancer.url) as blobs,
            unbuffered(file) as source,
        ):

            def watch(activity: str, amount: int) -> None:
                if activity == UPLOADING:
                    told.append(amount)

            staged = blobs.stage_file(source, digests.BLAKE3, project=PROJECT, watch=watch)
        assert balancer.connections > 6
        assert balancer.passed_bytes < 1.25 * len(CONTENT)
        assert min(bytes_arrived(first), bytes_arrived(second)) > 0

    assert staged.digest == digest_of(CONTENT, digests.BLAKE3)
    assert sum(told) == len(CONTENT), "what is sent again is no progress"
    assert len(store.left()[0]) == 1


@pytest.mark.parametrize("way", ["other bytes", "shorter"])
def test_a_file_that_changes_while_it_is_sent_is_sent_as_it_is_then(store: Store, file: Path, way: str) -> None:
    changed = CONTENT[: 20 * RANGE_BYTES] + (b"changed" * RANGE_BYTES if way == "other bytes" else b"")
    changes = iter([changed])

    def watch(activity: str, amount: int) -> None:
        if activity == UPLOADING and (content := next(changes, None)) is not None:
            time.sleep(0.02)  # so that the clock of the file system sees it
            file.write_bytes(content)

    with store.serving(program=PROGRAM) as server, connected(server.url) as blobs, unbuffered(file) as source:
        staged = blobs.stage_file(source, digests.BLAKE3, project=PROJECT, watch=watch)

    assert (staged.size, staged.digest) == (len(changed), digest_of(changed, digests.BLAKE3))


@pytest.mark.skipif(not can_mount(), reason="only root can make a disk that is full")
def test_a_full_disk_is_an_error_and_with_room_again_it_goes_on(file: Path) -> None:
    with (
        small_disk(2 * len(CONTENT)) as disk,
        Store(disk / "store", None).serving(program=PROGRAM) as server,
    ):
        with connected(server.url, outage_s=1.0) as blobs, unbuffered(file) as source:
            with (
                filled(disk, leave_bytes=len(CONTENT) // 2),
                pytest.raises(StoreUnavailable, match="is full"),
            ):
                blobs.stage_file(source, digests.BLAKE3, project=PROJECT)
            arrived = bytes_arrived(server)
            assert arrived > len(CONTENT) // 4
            source.seek(0)
            staged = blobs.stage_file(source, digests.BLAKE3, project=PROJECT)

        assert staged.digest == digest_of(CONTENT, digests.BLAKE3)
        assert bytes_arrived(server) <= 1.25 * len(CONTENT)


def test_damaged_bytes_that_were_kept_are_sent_anew(store: Store, file: Path) -> None:
    with store.serving(program=PROGRAM) as first:
        client = logging(first.url, file)
        until(lambda: bytes_arrived(first) >= SOME)
        client.kill()
        client.wait(END_S)
    (staged,) = (path for path in (store.folder / "blobs" / "staging").glob("*/*") if path.name != "lock")
    with staged.open("r+b") as opened:
        opened.write(bytes(1000))

    with store.serving(program=PROGRAM) as second:
        assert logging(second.url, file).wait(END_S) == 0

        assert bytes_arrived(second) > len(CONTENT)
        assert_logged(second)


def test_a_server_that_stays_away_is_an_error_after_the_usual_patience(store: Store, file: Path) -> None:
    with store.serving(program=PROGRAM) as server, connected(server.url, outage_s=1.0) as blobs:
        killing = threading.Thread(target=lambda: (until(lambda: bytes_arrived(server) >= SOME), server.kill()))
        killing.start()
        with unbuffered(file) as source, pytest.raises(StoreUnavailable, match=server.url):
            blobs.stage_file(source, digests.BLAKE3, project=PROJECT)
        killing.join()


def test_a_file_through_a_server_is_logged_and_comes_back(
    store: Store, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.serving(program=PROGRAM) as server:
        monkeypatch.setenv("HEADWATER_URL", server.url)
        with headwater.init(project="p") as run:
            made = headwater.Artifact("large", type="dataset")
            made.add_file(file)
            run.log_artifact(made).wait()
        got = Path(headwater.Api().artifact("p/large:v0").download(tmp_path / "got"))
        arrived = bytes_arrived(server)

    assert (got / "large.bin").read_bytes() == CONTENT
    assert arrived == len(CONTENT)
