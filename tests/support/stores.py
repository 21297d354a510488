"""A store for a test of the SDK, in one way to run: what to set, and how to spoil it behind headwater's back."""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from headwater_blobs.ownership import MARKER
from headwater_blobs.s3.settings import S3Settings
from headwater_stores.config.settings import Settings, read_settings
from headwater_stores.opening import open_stores
from headwater_stores.stores import Stores

from tests.support import buckets
from tests.support.modes import EMBEDDED, OVER_HTTP, SERVICE, WAYS, schema_of, topic_of
from tests.support.projector_host import projected
from tests.support.server_host import served
from tests.support.servers import servers


@dataclass(frozen=True)
class StoreUnderTest:
    """Where a test's store is. `environment` is all that a process needs to find it."""

    mode: str
    folder: Path  # of the embedded one, or that would be
    environment: Mapping[str, str]

    @property
    def is_embedded(self) -> bool:
        return self.mode == EMBEDDED

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of this machine, also behind a server."""
        return self.mode != SERVICE

    @contextmanager
    def opened(self) -> Iterator[Stores]:
        """The store itself, for a look behind the server where there is one."""
        with closing(open_stores(self.settings(), create=False)) as stores:
            yield stores

    def settings(self) -> Settings:
        """As its operator has them: of the store itself, also behind a server."""
        return read_settings(url=str(self.folder) if self.is_folder else None)

    def objects(self) -> list[str]:
        """The names of all objects."""
        if not self.is_folder:
            found = buckets.client_of(self._bucket).list_objects(self._bucket.bucket, recursive=True)
            return sorted(str(item.object_name) for item in found if item.object_name != MARKER)
        objects = self.folder / "blobs" / "objects"
        files = [path.relative_to(objects) for path in objects.rglob("*") if path.is_file()]
        return sorted("/".join((*file.parts[:-2], file.name)) for file in files)  # without the folder that spreads them

    def read(self, name: str) -> bytes:
        """An object's bytes."""
        return buckets.raw(self._bucket, name) if not self.is_folder else self._file(name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Other bytes for an object."""
        if not self.is_folder:
            buckets.write(self._bucket, name, content)
            return
        self._file(name).chmod(0o600)
        self._file(name).write_bytes(content)

    def rot(self, name: str) -> None:
        """Change a bit of an object on the disk, behind the back of the server where there is one."""
        if self.is_folder:
            self.write(name, buckets.flip(self.read(name)))
        else:
            buckets.rot(self._bucket, name, buckets.flip)

    def remove(self, name: str) -> None:
        """Take an object away."""
        if self.is_folder:
            self._file(name).unlink()
        else:
            buckets.client_of(self._bucket).remove_object(self._bucket.bucket, name)

    def spoil_projection(self) -> None:
        """Make the database one that cannot be read."""
        if self.is_embedded:
            (self.folder / "projection" / "projection.db").write_bytes(b"not a database")
            return
        with psycopg.connect(self.environment["HEADWATER_DATABASE_URL"], autocommit=True) as database:
            database.execute(f"DROP TABLE {self.environment['HEADWATER_DATABASE_SCHEMA']}.projection_meta")

    def change_last_records(self) -> None:
        """Have the projection say that another record was the last one that it applied of each partition."""
        other = "UPDATE {}log_positions SET record = {}"
        if self.is_embedded:
            with closing(sqlite3.connect(self.folder / "projection" / "projection.db")) as file, file:
                file.execute(other.format("", "zeroblob(16)"))
            return
        with psycopg.connect(self.environment["HEADWATER_DATABASE_URL"], autocommit=True) as database:
            schema = self.environment["HEADWATER_DATABASE_SCHEMA"]
            database.execute(other.format(f"{schema}.", "decode(repeat('00', 16), 'hex')"))

    def _file(self, name: str) -> Path:
        *folders, leaf = name.split("/")
        (path,) = (self.folder / "blobs" / "objects").joinpath(*folders).glob(f"*/{leaf}")
        return path

    @property
    def _bucket(self) -> S3Settings:
        keys = ("ENDPOINT", "BUCKET", "ACCESS_KEY", "SECRET_KEY")
        return S3Settings(*[self.environment[f"HEADWATER_S3_{key}"] for key in keys])


@contextmanager
def new_store(mode: str, folder: Path) -> Iterator[StoreUnderTest]:
    """An empty store, with a projector if it needs one."""
    assert mode in WAYS, f"{mode!r} is no way to run; a parameter of the test may have that name"
    if mode == EMBEDDED:
        yield StoreUnderTest(mode, folder, {"HEADWATER_URL": str(folder)})
        return
    if mode == OVER_HTTP:
        with served(folder) as url:
            yield StoreUnderTest(mode, folder, {"HEADWATER_URL": url})
        return
    bucket = buckets.fresh()
    url, schema = schema_of(folder)
    topic = topic_of(folder)
    environment = {
        "HEADWATER_URL": f"profile:{re.sub('[^a-z0-9]', '-', folder.name)}",
        "HEADWATER_KAFKA_SERVERS": servers().kafka,
        "HEADWATER_KAFKA_TOPIC": topic.name,
        "HEADWATER_KAFKA_PARTITIONS": str(topic.partitions),
        "HEADWATER_DATABASE_URL": url,
        "HEADWATER_DATABASE_SCHEMA": schema,
        "HEADWATER_S3_ENDPOINT": bucket.endpoint,
        "HEADWATER_S3_BUCKET": bucket.bucket,
        "HEADWATER_S3_ACCESS_KEY": str(bucket.access_key),
        "HEADWATER_S3_SECRET_KEY": str(bucket.secret_key),
    }
    with projected(environment, topic.generation):
        yield StoreUnderTest(mode, folder, environment)
    buckets.remove(bucket)
