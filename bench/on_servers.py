"""The same rows with the stores on servers: each home has a topic, a schema and a bucket, and a projector beside it."""

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from headwater_consumer.database.postgresql.schema import PostgresqlSchema
from headwater_consumer.operational.database import SCHEMA_SUFFIX
from headwater_eventlog.kafka import KafkaEventLog
from headwater_eventlog.port import Record
from headwater_stores.config.profile import Profile
from headwater_stores.config.settings import read_settings
from headwater_stores.server_settings import events_topic, kafka_settings, s3_settings
from kafka.admin import KafkaAdminClient
from minio.deleteobjects import DeleteObject

from bench.bare_servers import BareBucket, client_of, commit_bare, fresh_topic, send_seconds
from bench.fabricated import read_all
from bench.harness import Bench, BenchFailed, Home, Limit, Result
from bench.projectors import Projectors
from bench.servers import DATABASE, BenchServers, cpu_s_of
from bench.trees import warm
from services.servers import Servers

PARTITIONS = 32  # as many as a profile makes unless told otherwise
RECORDS_PER_UNCHANGED_RUN = 4  # the run begins, a draft, its commit, the run ends
RECORDS_PER_COMMIT = 3  # a draft, its entries, its commit

_RELATION_BYTES = """
SELECT coalesce(sum(pg_relation_size(c.oid)), 0)::bigint
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'i')
"""


@dataclass(frozen=True, slots=True)
class ServerHome(Home):
    """A cache, and stores by one name on servers."""

    servers: Servers
    name: str  # of topic and bucket
    schema: str
    partitions: int = PARTITIONS

    def environment(self) -> dict[str, str]:
        own = {
            **self.servers.environment(),
            "HEADWATER_KAFKA_TOPIC": self.name,
            "HEADWATER_KAFKA_PARTITIONS": str(self.partitions),
            "HEADWATER_DATABASE_URL": self.servers.database(DATABASE),
            "HEADWATER_DATABASE_SCHEMA": self.schema,
            "HEADWATER_S3_BUCKET": self.name,
        }
        return {**Home.environment(self), **own}

    def profile(self) -> Profile:
        """Where everything is."""
        profile = read_settings(self.environment()).profile
        assert profile is not None
        return profile

    @property
    def events_topic(self) -> str:
        """Where a relay writes version events."""
        return events_topic(self.profile(), partitions=self.partitions).topic

    def with_fresh_projection(self) -> "ServerHome":
        """The same log, which nobody has projected yet."""
        return replace(self, schema=_fresh_name())

    def sizes(self) -> dict[str, int]:
        s3 = s3_settings(self.profile())
        objects = client_of(s3).list_objects(s3.bucket, recursive=True)
        with psycopg.connect(self.servers.database(DATABASE)) as connection:
            found = connection.execute(_RELATION_BYTES, [self.schema]).fetchone()
        assert found is not None
        return {
            "blobs": sum(one.size or 0 for one in objects),
            "log": sum(map(_record_bytes, self.records())),
            "projection": int(found[0]),
        }

    def records(self) -> list[Record]:
        """All that is on the log, in the order of their times."""
        with closing(KafkaEventLog.open(kafka_settings(self.profile()), create=False)) as log:
            found = [record for partition in range(log.partitions) for record in read_all(log, partition)]
        return sorted(found, key=lambda record: record.time_us)

    def checkpoint(self) -> None:
        """Have PostgreSQL done with what came before, so that nobody waits for another's pages."""
        with psycopg.connect(self.servers.database(DATABASE), autocommit=True) as connection:
            connection.execute("CHECKPOINT")

    def forget_content(self) -> None:
        s3 = s3_settings(self.profile())
        client = client_of(s3)
        if client.bucket_exists(s3.bucket):
            found = client.list_objects(s3.bucket, recursive=True)
            failed = list(client.remove_objects(s3.bucket, [DeleteObject(one.object_name or "") for one in found]))
            if failed:
                raise BenchFailed(f"{len(failed)} objects of bucket {s3.bucket} could not be removed: {failed[0]}.")

    def forget_projection(self) -> None:
        """Drop the schema, and that of the operational tables."""
        for schema in (self.schema, self.schema + SCHEMA_SUFFIX):
            PostgresqlSchema(self.servers.database(DATABASE), schema).drop_schema()

    def is_there(self) -> set[str]:
        """What of it is on the servers: "topic", "schema", "bucket"."""
        with psycopg.connect(self.servers.database(DATABASE)) as connection:
            schema = connection.execute("SELECT to_regnamespace(%s)", [self.schema]).fetchone()
        s3 = s3_settings(self.profile())
        found = {
            "topic": bool(_topics_of(self.servers.kafka, {self.name})),
            "schema": schema is not None and schema[0] is not None,
            "bucket": client_of(s3).bucket_exists(s3.bucket),
        }
        return {what for what, there in found.items() if there}

    def remove(self) -> None:
        """Leave nothing of it on the servers."""
        self.forget_content()
        self.forget_projection()
        if "bucket" in self.is_there():
            client_of(s3_settings(self.profile())).remove_bucket(self.name)
        delete_topics(self.servers.kafka, {self.name, self.events_topic})


@dataclass(slots=True)
class ServerBench(Bench):
    """One run of benchmarks on servers. The projector of a home ends when the next home is made."""

    servers: BenchServers = field(kw_only=True)
    _projectors: Projectors | None = None
    _bucket: BareBucket | None = None
    _homes: list[ServerHome] = field(default_factory=list)
    _bare_topics: list[str] = field(default_factory=list)

    def home(self) -> ServerHome:
        """With a projector at work."""
        home = self.quiet_home()
        self._projectors = Projectors(home)
        self._projectors.wait_until_ready()
        return home

    def quiet_home(self, *, partitions: int = PARTITIONS) -> ServerHome:
        """Without a projector."""
        self.end_projector()
        name = _fresh_name()
        home = ServerHome(self.folder("home"), self.servers.at, name, name, partitions)
        self._homes.append(home)
        return home

    def projector_cpu_s(self) -> float:
        """What the one that is at work has used so far."""
        return sum(map(cpu_s_of, self._projectors.pids)) if self._projectors else 0.0

    def end_projector(self) -> None:
        """End the one that is at work, if there is one."""
        projectors, self._projectors = self._projectors, None
        if projectors is not None:
            projectors.stop()

    def limit_of_logging(self, tree: Path, limit: Limit) -> Limit:  # noqa: ARG002 - of a folder
        joined, bucket = self._joined(tree), self._bare_bucket()

        def put() -> float:
            bucket.empty()
            warm(joined.parent)
            return bucket.put_seconds(joined)

        return Limit("the bare `minio` client putting one object of this size", put)

    def limit_of_fetching(self, tree: Path, limit: Limit) -> Limit:  # noqa: ARG002 - of a folder
        bucket = self._bare_bucket()
        bucket.put_seconds(self._joined(tree))
        words = "the bare `minio` client getting one object of this size"
        return Limit(words, lambda: bucket.get_seconds(self.folder("fetched")))

    def limit_of_nothing_new(self, home: Home, limit: Limit) -> Limit:
        assert isinstance(home, ServerHome)
        records = home.records()[-RECORDS_PER_UNCHANGED_RUN:]
        words = f"{limit.words}, then a bare producer of the run's records"
        return Limit(words, lambda: limit.seconds() + self._send_bare(home, records, 1))

    def seconds_of_recording(self, home: Home, transactions: int) -> float:
        assert isinstance(home, ServerHome)
        return self._send_bare(home, home.records(), transactions)

    def bare_commits(self, home: Home) -> tuple[Callable[..., Result], dict[str, Any]]:
        assert isinstance(home, ServerHome)
        topic = fresh_topic(kafka_settings(home.profile()))
        self._bare_topics.append(topic.topic)
        of_one_commit = [record for record in home.records() if record.key.startswith("collection:")]
        sizes = list(map(_record_bytes, of_one_commit[:RECORDS_PER_COMMIT]))
        return commit_bare, {"servers": topic.servers, "topic": topic.topic, "sizes": sizes}

    def floor(self, ratio: float) -> float:  # noqa: ARG002 - of a folder
        return 0.0  # what is to be reached in a folder says nothing here

    def close(self) -> None:
        """End what is at work. Named servers are left as they were; own ones go with their data."""
        with ExitStack() as left:
            if self.servers.are_own:
                left.callback(self.end_projector)
                return
            left.callback(delete_topics, self.servers.at.kafka, set(self._bare_topics))
            if self._bucket is not None:
                left.callback(self._bucket.remove)
            for home in self._homes:
                left.callback(home.remove)
            left.callback(self.end_projector)

    def _send_bare(self, home: ServerHome, records: Sequence[Record], steps: int) -> float:
        topic = fresh_topic(kafka_settings(home.profile()))
        self._bare_topics.append(topic.topic)
        return send_seconds(topic, records, steps)

    def _bare_bucket(self) -> BareBucket:
        if self._bucket is None:
            home = ServerHome(self.work, self.servers.at, _fresh_name(), "none")
            self._bucket = BareBucket(s3_settings(home.profile()))
        return self._bucket

    def _joined(self, tree: Path) -> Path:
        """One file of all that is in a tree."""
        joined = self.folder("joined.bin")
        with joined.open("wb") as target:
            for path in sorted(tree.rglob("*.bin")):
                with path.open("rb") as source:
                    shutil.copyfileobj(source, target)
        os.sync()
        return joined


def _fresh_name() -> str:
    return f"bench{uuid4().hex}"


def _record_bytes(record: Record) -> int:
    headers = sum(len(name) + len(value) for name, value in record.headers)
    return len(record.key) + len(record.payload) + headers


def delete_topics(servers: str, topics: set[str]) -> None:
    """Those that are there."""
    if there := _topics_of(servers, topics):
        with closing(KafkaAdminClient(bootstrap_servers=servers)) as admin:
            admin.delete_topics(list(there))


def _topics_of(servers: str, topics: set[str]) -> set[str]:
    with closing(KafkaAdminClient(bootstrap_servers=servers)) as admin:
        return topics & set(admin.list_topics())
