"""Kafka in KRaft mode: brokers that are also controllers, alone or as a cluster."""

import base64
import secrets
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from services.cache import provide
from services.ports import LOOPBACK, free_ports, is_open
from services.processes import Server, start_all, stop_all
from services.versions import KAFKA_SETTINGS

if TYPE_CHECKING:  # the client is imported late: every test run imports this module, but not every one needs servers
    from kafka.admin import KafkaAdminClient

HEAP_ALONE, HEAP_IN_CLUSTER = "-Xmx512m", "-Xmx300m"  # three of them must fit on a test machine
FAST_TO_START = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
COPIES_MAX = 3  # as in production: one more than the replicas that may be lost silently
CLASS_ARCHIVE = "classes.jsa"
ASK_MS = 5_000  # a running broker answers much faster

_LOGGING = """\
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = OUT
appender.out.type = Console
appender.out.name = OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
"""


class KafkaBroker(Server):
    """One broker and controller."""

    title = "Kafka"

    def __init__(
        self,
        folder: Path,
        jars: Path,
        *,
        ports: tuple[int, int],  # for clients, for controllers
        node: int = 1,
        voters: Mapping[int, int]
        | None = None,  # controller port by node of the whole cluster (default: only this node)
        cluster_id: str | None = None,  # the same for all nodes (default: a new one)
        settings: Mapping[str, str] | None = None,  # in addition to those of `versions`
        archive_classes_in: Path | None = None,  # a file to write when it stops; see `class_archive`
        detached: bool = False,
    ) -> None:
        super().__init__(folder, detached=detached)
        self.jars = jars
        self.port, self.controller_port = ports
        self.node = node
        self.voters = voters or {node: self.controller_port}
        self.cluster_id = cluster_id or new_cluster_id()
        self.settings = {**KAFKA_SETTINGS, **(settings or {})}
        self._archive_classes_in = archive_classes_in

    @property
    def address(self) -> str:
        """For clients: host:port."""
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        super().prepare()
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in self._all_settings().items()))
        (self.folder / "log4j2.properties").write_text(_LOGGING)
        if (self.folder / "data" / "meta.properties").exists():
            return
        tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", self.cluster_id]
        self.run([*self._java("-Xmx256m"), *tool, "-c", str(self._properties)])

    def command(self) -> Sequence[str]:
        heap = HEAP_ALONE if len(self.voters) == 1 else HEAP_IN_CLUSTER
        if self._archive_classes_in is None:
            classes = f"-XX:SharedArchiveFile={class_archive(self.jars)}"
        else:
            classes = f"-XX:ArchiveClassesAtExit={self._archive_classes_in}"
        return [*self._java(heap), classes, "kafka.Kafka", str(self._properties)]

    def is_ready(self) -> bool:
        """Whether the cluster has accepted this broker."""
        return is_open(self.port) and self.node in brokers(self.address)

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _java(self, heap: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        return [shutil.which("java") or "java", heap, *FAST_TO_START, logging, "-cp", f"{self.jars}/*"]

    def _all_settings(self) -> dict[str, str]:
        voters = ",".join(f"{node}@{LOOPBACK}:{port}" for node, port in self.voters.items())
        return {
            "process.roles": "broker,controller",
            "node.id": str(self.node),
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{LOOPBACK}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.folder / "data"),
            **self.settings,
        }


def class_archive(jars: Path) -> Path:
    """The classes that a broker loads, as Java maps them into memory: with them it starts in half of the time.

    The first call starts a broker to make the file. A Java of another version does without it.
    """
    folder = jars.with_name(f"{jars.name}-classes")
    provide(folder, lambda fresh: _archive_classes(jars, fresh / CLASS_ARCHIVE))
    return folder / CLASS_ARCHIVE


def _archive_classes(jars: Path, file: Path) -> None:
    port, controller_port = free_ports(2)
    with tempfile.TemporaryDirectory() as scratch:
        broker = KafkaBroker(Path(scratch), jars, ports=(port, controller_port), archive_classes_in=file)
        broker.start()
        broker.stop()


class KafkaCluster:
    """Brokers on this machine, each of which can be stopped and started by its number, from 0."""

    def __init__(
        self, folder: Path, jars: Path, *, brokers: int = 3, settings: Mapping[str, str] | None = None
    ) -> None:
        ports = free_ports(2 * brokers)
        voters = {node: ports[2 * node - 1] for node in range(1, brokers + 1)}
        cluster_id = new_cluster_id()
        self.brokers = [
            KafkaBroker(
                folder / f"broker-{node}",
                jars,
                ports=(ports[2 * node - 2], ports[2 * node - 1]),
                node=node,
                voters=voters,
                cluster_id=cluster_id,
                settings={**_copies(min(brokers, COPIES_MAX)), **(settings or {})},
            )
            for node in range(1, brokers + 1)
        ]

    @property
    def address(self) -> str:
        """For clients: every broker's host:port."""
        return ",".join(broker.address for broker in self.brokers)

    def start(self, number: int | None = None, *, wait: bool = True) -> None:
        """Start one broker, or all. Without a majority of the cluster a broker is never ready: do not wait for it."""
        chosen = self._chosen(number)
        if wait:
            start_all(chosen)
        else:
            for broker in chosen:
                broker.launch()

    def stop(self, number: int | None = None) -> None:
        """Stop one broker, or all."""
        stop_all(self._chosen(number))

    def kill(self, number: int | None = None) -> None:
        """Kill one broker, or all."""
        for broker in self._chosen(number):
            broker.kill()

    def pause(self, number: int) -> None:
        """Pause one broker."""
        self.brokers[number].pause()

    def resume(self, number: int) -> None:
        """Continue one broker after `pause`."""
        self.brokers[number].resume()

    def leader(self, topic: str, partition: int) -> int:
        """The number of the broker that leads a partition."""
        alive = next(broker for broker in self.brokers if broker.alive)
        return _leader(alive.address, topic, partition) - 1

    def _chosen(self, number: int | None) -> list[KafkaBroker]:
        return list(self.brokers) if number is None else [self.brokers[number]]


def new_cluster_id() -> str:
    """A UUID in base64, as Kafka generates them, that does not start with a dash."""
    while (text := base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")).startswith("-"):
        pass
    return text


def _copies(count: int) -> dict[str, str]:
    """Settings of a cluster that survives the loss of one broker."""
    enough = str(max(1, count - 1))
    return {
        "default.replication.factor": str(count),
        "min.insync.replicas": enough,
        "offsets.topic.replication.factor": str(count),
        "transaction.state.log.replication.factor": str(count),
        "transaction.state.log.min.isr": enough,
        "share.coordinator.state.topic.replication.factor": str(count),
        "share.coordinator.state.topic.min.isr": enough,
    }


def brokers(address: str) -> set[int]:
    """The ids of the active brokers; none if the cluster does not answer."""
    from kafka.errors import KafkaError

    try:
        with closing(_admin(address)) as admin:
            return {broker["broker_id"] for broker in admin.describe_cluster()["brokers"] if not broker["is_fenced"]}
    except KafkaError:
        return set()


def _leader(address: str, topic: str, partition: int) -> int:
    with closing(_admin(address)) as admin:
        partitions = admin.describe_topics([topic])[0]["partitions"]
    return next(int(found["leader_id"]) for found in partitions if found["partition_index"] == partition)


def _admin(address: str) -> "KafkaAdminClient":
    from kafka.admin import KafkaAdminClient

    return KafkaAdminClient(bootstrap_servers=address, bootstrap_timeout_ms=ASK_MS, request_timeout_ms=ASK_MS)
