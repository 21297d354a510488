"""Stores to move to and from: each by its URL alone, so that one command can be about two of them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from headwater_blobs.s3.settings import S3Settings

from tests.cli.commands import ask, headwater
from tests.support import buckets
from tests.support.forked import DEVNULL, ForkedProcess
from tests.support.modes import EMBEDDED, schema_of
from tests.support.servers import fresh_topic_name, servers

WAIT_S = 90.0


class Places:
    """Makes places for stores, and tells commands which one they are about."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._monkeypatch = folder, monkeypatch
        self._settings = folder / "settings.toml"
        self._settings.write_text("")
        monkeypatch.setenv("HEADWATER_SETTINGS", str(self._settings))

    def new(self, mode: str, name: str, *, bucket: S3Settings | None = None) -> str:
        """The URL of a place where nothing is yet, but for what is in its `bucket`."""
        if mode == EMBEDDED:
            return (self._folder / name).as_uri()
        bucket = bucket or buckets.fresh()
        url, schema = schema_of(self._folder / name)
        self._add_profile(
            name,
            {
                "kafka_servers": servers().kafka,
                "kafka_topic": fresh_topic_name(),
                "kafka_partitions": "3",
                "database_url": url,
                "database_schema": schema,
                "s3_endpoint": bucket.endpoint,
                "s3_bucket": bucket.bucket,
                "s3_access_key": str(bucket.access_key),
                "s3_secret_key": str(bucket.secret_key),
            },
        )
        return f"profile:{name}"

    def go_to(self, url: str) -> None:
        """Commands are about that store from now on."""
        self._monkeypatch.setenv("HEADWATER_URL", url)

    @contextmanager
    def there(self, url: str) -> Iterator[None]:
        """Commands of the block are about that store, which has a projector if it needs one."""
        with self._monkeypatch.context() as patch:
            patch.setenv("HEADWATER_URL", url)
            with projector() if url.startswith("profile:") else nullcontext():
                yield

    def _add_profile(self, name: str, values: Mapping[str, str]) -> None:
        lines = [f"[profiles.{name}]", *(f'{key} = "{value}"' for key, value in values.items())]
        with self._settings.open("a") as file:
            file.write("\n".join(lines) + "\n")


@contextmanager
def projector() -> Iterator[None]:
    """A real one, of the servers of HEADWATER_URL. First it has caught up: it reads the ancestors of the topic, too."""
    command = ["-m", "headwater", "projector", "--port", "0"]
    assert ForkedProcess([*command, "--once"], stdout=DEVNULL, stderr=DEVNULL).wait(WAIT_S) == 0
    process = ForkedProcess(command, stdout=DEVNULL, stderr=DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def fingerprint_now() -> str:
    """Of everything that was written to the store that commands are about."""
    headwater("ls", "--projects")  # which waits for the projection
    replayed = ask("replay")
    assert replayed["same"] is True
    return str(replayed["new"])
