"""What an operator is told about the log on Kafka: who answers, what is there, and what is wrong with it."""

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from headwater_schemas.errors import StoreError
from headwater_schemas.findings import Finding

from headwater_eventlog.kafka.settings import KafkaSettings
from headwater_eventlog.kafka.topic import KIND, Topic, problems


def describe(settings: KafkaSettings) -> list[Finding]:
    """Look at the brokers and the topic without changing anything. Ends at the first thing that hides the rest."""
    found: list[Finding] = []
    with closing(Topic(settings)) as topic:
        for look in (_cluster, _topic, _config):
            try:
                found += look(topic)
            except StoreError as error:
                return [*found, Finding(False, str(error))]
    return found


def _cluster(topic: Topic) -> list[Finding]:
    cluster = topic.cluster()
    brokers = ", ".join(f"{broker['host']}:{broker['port']}" for broker in cluster["brokers"])
    return [Finding(True, f"Kafka at {topic.settings.servers} answers: cluster {cluster['cluster_id']}, {brokers}.")]


def _topic(topic: Topic) -> list[Finding]:
    topic.verify()
    partitions = topic.described()["partitions"]
    replication = min(len(partition["replica_nodes"]) for partition in partitions)
    what = f"topic {topic.settings.topic!r} is there: {topic.known}, replication {replication}"
    found = [Finding(True, f"{what}.")]
    if replication < topic.settings.replication:
        found.append(
            Finding(
                False,
                f"replication is {replication}, the settings say {topic.settings.replication}: "
                "reassign the partitions to more brokers (kafka-reassign-partitions), or correct the settings.",
            )
        )
    found += _each(partitions, _has_no_leader, "without a leader, so they can be neither read nor written")
    found += _each(partitions, _lacks_replicas, "with replicas that are behind")
    return found


def _each(partitions: list[dict[str, Any]], is_so: Callable[[Mapping[str, Any]], bool], what: str) -> list[Finding]:
    numbers = sorted(partition["partition_index"] for partition in partitions if is_so(partition))
    if not numbers:
        return []
    listed = ", ".join(map(str, numbers))
    return [Finding(False, f"there are partitions {what}: {listed}. See that all brokers run, then look again.")]


def _has_no_leader(partition: Mapping[str, Any]) -> bool:
    return int(partition["leader_id"]) < 0


def _lacks_replicas(partition: Mapping[str, Any]) -> bool:
    return not _has_no_leader(partition) and len(partition["isr_nodes"]) < len(partition["replica_nodes"])


def _config(topic: Topic) -> list[Finding]:
    config = topic.config()
    if not config:
        return [Finding(False, "the topic's settings cannot be seen: have the user granted DESCRIBE_CONFIGS on it.")]
    found = [Finding(False, f"the topic's {problem}.") for problem in problems(config)]
    if config["compression.type"] != KIND["compression.type"]:
        found.append(
            Finding(
                False,
                f"the topic's compression.type is {config['compression.type']}, so a small record may unfold to "
                f"a large one in every reader: set it to {KIND['compression.type']}.",
            )
        )
    insync, wanted = int(config["min.insync.replicas"]), topic.settings.min_insync_replicas
    if insync < wanted:
        found.append(
            Finding(False, f"the topic's min.insync.replicas is {insync}, the settings say {wanted}: set it to that.")
        )
    return found or [Finding(True, f"its settings are right: nothing is deleted, min.insync.replicas is {insync}.")]
