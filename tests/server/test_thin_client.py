"""A client of a server needs little: none of the libraries that speak to the stores themselves."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.serving import ServerProcess

HEAVY = ("sqlalchemy", "kafka", "minio", "psycopg", "urllib3", "requests", "fastapi")
OF_DATABASES = ("headwater_consumer.database", "headwater_consumer.rows")


def test_logging_and_waiting_through_a_server_imports_no_client_of_the_stores(
    open_server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_URL", open_server.url)
    (tmp_path / "a.txt").write_text("a")
    script = f"""
        import sys
        import headwater
        with headwater.init(project="p") as run:
            made = headwater.Artifact("x", type="dataset")
            made.add_file({str(tmp_path / "a.txt")!r})
            run.log_artifact(made).wait()
        loaded = set(sys.modules)
        print(made.version, sorted(loaded & set({(*HEAVY, *OF_DATABASES)!r})))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "v0 []", done.stderr
