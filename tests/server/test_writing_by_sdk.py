"""The SDK behind a server's address: what it logs, from many processes, also while servers are killed under it."""

import multiprocessing
import os
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path

import headwater
import pytest
from headwater.errors import EventRejected, InvalidSettings
from headwater_stores.config.settings import read_settings
from headwater_stores.opening import open_stores

from tests.support.forked import ForkedProcess
from tests.support.serving import ServerProcess, serving

WRITERS, COMMITS = 4, 12


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def served(open_server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> ServerProcess:
    """A server that HEADWATER_URL names."""
    monkeypatch.setenv("HEADWATER_URL", open_server.url)
    return open_server


def artifact(name: str, content: bytes, path: Path) -> headwater.Artifact:
    file = path / f"{name}-{os.getpid()}-{threading.get_ident()}.bin"
    file.write_bytes(content)
    made = headwater.Artifact(name, type="dataset")
    made.add_file(file, name="content.bin")
    return made


def test_what_is_logged_comes_back_with_its_lineage(served: ServerProcess, tmp_path: Path) -> None:
    large = os.urandom(3 * 1024 * 1024 + 17)
    with headwater.init(project="p") as run:
        made = artifact("data", large, tmp_path)
        made.metadata["rows"] = 3
        run.log_artifact(made).wait()
    with headwater.init(project="p") as second:
        used = second.use_artifact("data:latest")
        after = artifact("model", b"small", tmp_path)
        second.log_artifact(after).wait()

    got = headwater.Api().artifact("p/data:v0").download(tmp_path / "got")
    assert Path(got, "content.bin").read_bytes() == large
    assert used.metadata == {"rows": 3}
    assert [one.digest for one in after.logged_by().used_artifacts()] == [made.digest]


def test_many_small_files_and_a_change_of_one(served: ServerProcess, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(600):
        (folder / f"{number}.txt").write_text(f"content {number}" * 60)
    with headwater.init(project="p") as run:
        for _ in range(2):
            made = headwater.Artifact("many", type="dataset")
            made.add_dir(folder)
            run.log_artifact(made).wait()
            (folder / "7.txt").write_text("another")

    headwater.Api().artifact("p/many:v1").download(tmp_path / "got")
    assert {path.name: path.read_text() for path in (tmp_path / "got").iterdir()} == {
        path.name: path.read_text() for path in folder.iterdir()
    }


def test_content_for_another_project_than_the_one_it_was_added_for(served: ServerProcess, tmp_path: Path) -> None:
    large, small = os.urandom(2 * 1024 * 1024), b"small"
    made = headwater.Artifact("data", type="dataset")
    for name, content in (("large", large), ("small", small)):
        (tmp_path / name).write_bytes(content)
        made.add_file(tmp_path / name)
    with headwater.init(project="elsewhere") as run:
        run.log_artifact(made).wait()

    got = Path(headwater.Api().artifact("elsewhere/data:v0").download(tmp_path / "got"))
    assert ((got / "large").read_bytes(), (got / "small").read_bytes()) == (large, small)


def test_a_rule_refuses_with_its_reason_and_what_is_logged_then_counts(served: ServerProcess, tmp_path: Path) -> None:
    with headwater.init(project="p") as run:
        run.log_artifact(artifact("data", b"one", tmp_path)).wait()
        other = headwater.Artifact("data", type="model")
        (tmp_path / "x").write_text("x")
        other.add_file(tmp_path / "x")
        with pytest.raises(EventRejected) as refused:
            run.log_artifact(other).wait()
        made = artifact("data", b"two", tmp_path)
        run.log_artifact(made).wait()

    assert refused.value.reason == "type-mismatch"
    assert made.version == "v1"


def test_several_processes_fill_one_shared_draft(served: ServerProcess, tmp_path: Path) -> None:
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("fork")) as processes:
        list(processes.map(_upsert, range(3), [str(tmp_path)] * 3))
    with headwater.init(project="p") as run:
        final = headwater.Artifact("shared", type="dataset")
        run.finish_artifact(final, distributed_id="shards").wait()

    assert final.version == "v0"
    listed = headwater.Api().artifact("p/shared:v0").manifest.entries
    assert sorted(listed) == ["part-0.txt", "part-1.txt", "part-2.txt"]


def _upsert(number: int, folder: str) -> None:
    with headwater.init(project="p") as run:
        part = headwater.Artifact("shared", type="dataset")
        file = Path(folder, f"part-{number}.txt")
        file.write_text(f"part {number}")
        part.add_file(file)
        run.upsert_artifact(part, distributed_id="shards").wait()


def test_threads_and_a_fork_in_the_middle_log_all_they_said(served: ServerProcess, tmp_path: Path) -> None:
    with headwater.init(project="p") as run:
        threads = [threading.Thread(target=_log_some, args=[run, f"t{n}", tmp_path]) for n in range(3)]
        for thread in threads:
            thread.start()
        child = multiprocessing.get_context("fork").Process(target=_log_in_child, args=[tmp_path])
        child.start()
        for thread in threads:
            thread.join()
        child.join(60)

    assert child.exitcode == 0
    counts = {
        name: len(headwater.Api().artifact_versions("dataset", f"p/{name}")) for name in ("t0", "t1", "t2", "child")
    }
    assert counts == {"t0": 5, "t1": 5, "t2": 5, "child": 5}


def _log_in_child(folder: Path) -> None:
    with headwater.init(project="p") as run:
        _log_some(run, "child", folder)


def _log_some(run: headwater.Run, name: str, folder: Path) -> None:
    for number in range(5):
        run.log_artifact(artifact(name, f"{name} {number}".encode(), folder)).wait()


def test_what_works_on_the_stores_themselves_says_where_to_do_it(served: ServerProcess) -> None:
    with closing(open_stores(read_settings(), create=False)) as stores:
        for use in (
            lambda: stores.database.snapshot(),
            lambda: stores.log.read(0, after=-1),
            lambda: stores.blobs.list_objects(),
        ):
            with pytest.raises(InvalidSettings, match=served.url):
                use()


def test_a_server_that_is_killed_again_and_again_loses_and_doubles_nothing(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Takes longer than others: two servers of one store are killed in turn while four processes write."""
    where = ("--url", str(store), "--open")
    with serving(*where) as first:
        port = first.url.rpartition(":")[2]
        environment = {**os.environ, "HEADWATER_URL": first.url, "HEADWATER_OUTAGE_SECONDS": "60"}
        writers = [
            ForkedProcess(
                ["-m", "tests.server.committing", f"w{n}", str(COMMITS), str(tmp_path)], env=environment, stdout=-1
            )
            for n in range(WRITERS)
        ]
        server, ended = first, []
        while any(writer.poll() is None for writer in writers) and len(ended) < 6:
            time.sleep(0.7)
            server.kill()
            ended.append(server)
            replacement = serving(*where, "--port", port)
            server = replacement.__enter__()
        codes = [writer.wait(120) for writer in writers]
        acknowledged = [writer.stdout.read().split() for writer in writers if writer.stdout is not None]
        monkeypatch.setenv("HEADWATER_URL", server.url)
        logged = {f"w{n}": list(headwater.Api().artifact_versions("dataset", f"team/p/w{n}")) for n in range(WRITERS)}
        server.stop()

    assert codes == [0] * WRITERS
    assert acknowledged == [[f"v{number}" for number in range(COMMITS)]] * WRITERS
    assert {name: len(versions) for name, versions in logged.items()} == {f"w{n}": COMMITS for n in range(WRITERS)}
    digests = Counter(version.digest for versions in logged.values() for version in versions)
    assert set(digests.values()) == {1}


def test_processes_write_through_two_servers_of_one_store(store: Path, tmp_path: Path) -> None:
    where = ("--url", str(store), "--open")
    with serving(*where) as first, serving(*where) as second:
        writers = [
            ForkedProcess(
                ["-m", "tests.server.committing", "same", "5", str(tmp_path)],
                env={**os.environ, "HEADWATER_URL": url},
                stdout=-1,
            )
            for url in (first.url, second.url) * 2
        ]
        assert [writer.wait(120) for writer in writers] == [0] * 4
        acknowledged = [writer.stdout.read().split() for writer in writers if writer.stdout is not None]
        count = second.get("/v1/projects/team/p/collections/same/versions")["items"]

    assert sorted(name for names in acknowledged for name in names) == sorted(f"v{n}" for n in range(20))
    assert len(count) == 20
