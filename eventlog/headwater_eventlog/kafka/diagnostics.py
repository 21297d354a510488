"""Check the log on Kafka for an operator: which brokers answer, what the topic is like, and what is wrong with it."""

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from headwater_schemas.diagnostics import Diagnostic
from headwater_schemas.errors import StoreError

from headwater_eventlog.kafka.settings import KafkaSettings
from headwater_eventlog.kafka.topic import RECORD_CONFIG, Topic, config_problems


def describe(settings: KafkaSettings) -> list[Diagnostic]:
    """Check the brokers and the topic, changing nothing. Stops at the first error that hides the rest."""
    found: list[Diagnostic] = []
    with closing(Topic(settings)) as topic:
        for check in (_cluster, _topic, _config):
            try:
                found += check(topic)
            except StoreError as error:
                return [*found, Diagnostic(False, str(error))]
    return found


def _cluster(topic: Topic) -> list[Diagnostic]:
    cluster = topic.cluster()
    brokers = ", ".join(f"{broker['host']}:{broker['port']}" for broker in cluster["brokers"])
    text = f"Kafka at {topic.settings.servers} answers: cluster {cluster['cluster_id']}, {brokers}."
    return [Diagnostic(True, text)]


def _topic(topic: Topic) -> list[Diagnostic]:
    topic.verify()
    partitions = topic.describe()["partitions"]
    replication = min(len(partition["replica_nodes"]) for partition in partitions)
    text = f"topic {topic.settings.topic!r} exists: {topic.identity}, replication {replication}"
    found = [Diagnostic(True, f"{text}.")]
    if replication < topic.settings.replication:
        found.append(
            Diagnostic(
                False,
                f"replication is {replication}, the settings say {topic.settings.replication}: "
                "reassign the partitions to more brokers (kafka-reassign-partitions), or correct the settings.",
            )
        )
    found += _partitions_that(_have_no_leader, partitions, "without a leader, so they can be neither read nor written")
    found += _partitions_that(_lack_replicas, partitions, "with replicas that are not in sync")
    return found


def _partitions_that(
    match: Callable[[Mapping[str, Any]], bool], partitions: list[dict[str, Any]], what: str
) -> list[Diagnostic]:
    numbers = sorted(partition["partition_index"] for partition in partitions if match(partition))
    if not numbers:
        return []
    listed = ", ".join(map(str, numbers))
    return [Diagnostic(False, f"there are partitions {what}: {listed}. Check that all brokers run, then try again.")]


def _have_no_leader(partition: Mapping[str, Any]) -> bool:
    return int(partition["leader_id"]) < 0


def _lack_replicas(partition: Mapping[str, Any]) -> bool:
    return not _have_no_leader(partition) and len(partition["isr_nodes"]) < len(partition["replica_nodes"])


def _config(topic: Topic) -> list[Diagnostic]:
    config = topic.config()
    if not config:
        return [Diagnostic(False, "the topic's settings are not visible: grant the user DESCRIBE_CONFIGS on it.")]
    found = [Diagnostic(False, f"the topic's {problem}.") for problem in config_problems(config)]
    name = "compression.type"
    if config[name] != RECORD_CONFIG[name]:
        found.append(
            Diagnostic(
                False,
                f"the topic's {name} is {config[name]}, so a small record may decompress to a large one in every "
                f"reader: set it to {RECORD_CONFIG[name]}.",
            )
        )
    insync, wanted = int(config["min.insync.replicas"]), topic.settings.min_insync_replicas
    if insync < wanted:
        text = f"the topic's min.insync.replicas is {insync}, the settings say {wanted}: set it to that."
        found.append(Diagnostic(False, text))
    return found or [Diagnostic(True, f"its settings are right: nothing is deleted, min.insync.replicas is {insync}.")]
