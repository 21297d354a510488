"""The private names of client libraries that the product uses. One that is gone is found here, before any server."""

import inspect

import pytest
from kafka.admin import KafkaAdminClient
from kafka.consumer.fetcher import Fetcher
from kafka.consumer.group import KafkaConsumer
from kafka.coordinator.base import BaseCoordinator
from kafka.net.compat import KafkaNetClient
from kafka.partitioner.default import murmur2
from kafka.producer.kafka import KafkaProducer
from kafka.producer.sender import Sender
from minio import Minio

MULTIPART = {
    "_create_multipart_upload": ["bucket_name", "object_name", "headers"],
    "_upload_part": ["bucket_name", "object_name", "data", "headers", "upload_id", "part_number"],
    "_complete_multipart_upload": ["bucket_name", "object_name", "upload_id", "parts"],
    "_abort_multipart_upload": ["bucket_name", "object_name", "upload_id"],
    "_list_multipart_uploads": ["bucket_name", "key_marker", "upload_id_marker"],
    "_list_parts": ["bucket_name", "object_name", "upload_id", "part_number_marker"],
}


def test_single_requests_take_what_they_are_given() -> None:
    """`single_requests`."""
    given = {"_delete_objects": ["bucket_name", "delete_object_list", "quiet"]}
    given["_put_object"] = ["bucket_name", "object_name", "data", "headers"]

    for name, parameters in given.items():
        assert list(inspect.signature(getattr(Minio, name)).parameters)[1 : 1 + len(parameters)] == parameters
    assert inspect.signature(Minio._delete_objects).parameters["quiet"].default is False


@pytest.mark.parametrize("name", MULTIPART)
def test_the_steps_of_an_upload_in_parts_take_what_they_are_given(name: str) -> None:
    parameters = list(inspect.signature(getattr(Minio, name)).parameters)

    assert [wanted for wanted in MULTIPART[name] if wanted not in parameters] == []
    if name.removeprefix("_").startswith(("create", "upload", "complete", "abort")):  # given by position
        assert parameters[1 : 1 + len(MULTIPART[name])] == MULTIPART[name]


def test_a_producer_can_be_ended_without_its_buffered_records() -> None:
    """`driver.abort_producer` and `driver.forget_exit_handler`."""
    made = inspect.getsource(KafkaProducer.__init__)

    assert "self._sender = Sender(" in made
    assert not inspect.signature(Sender.force_close).parameters.keys() - {"self"}
    assert not inspect.signature(KafkaProducer._unregister_cleanup).parameters.keys() - {"self"}


def test_an_administrator_asks_a_broker_for_offsets() -> None:
    """`driver.list_offsets`, which does what the library does once it knows the leaders."""
    asked = inspect.getsource(KafkaAdminClient._async_list_partition_offsets)

    assert "self._list_partition_offsets_request(" in asked
    assert "await self._manager.send(request, node_id=leader)" in asked
    assert "self._list_partition_offsets_process_response(response)" in asked
    assert list(inspect.signature(KafkaAdminClient._list_partition_offsets_request).parameters) == [
        "partition_timestamps",
        "isolation_level_int",
    ]


def test_a_consumer_can_join_again() -> None:
    """`driver.resume_joining`."""
    assert "self._coordinator = ConsumerCoordinator(" in inspect.getsource(KafkaConsumer.__init__)
    assert "self.rejoining = " in inspect.getsource(BaseCoordinator.__init__)
    assert not inspect.signature(BaseCoordinator.request_rejoin).parameters.keys() - {"self"}


def test_a_consumer_keeps_what_is_in_line_and_puts_the_rest_aside() -> None:
    """`driver.deliver_put_aside`."""
    assert "self._fetcher = Fetcher(" in inspect.getsource(KafkaConsumer.__init__)
    assert "self._next_partition_records = None" in inspect.getsource(Fetcher.__init__)
    assert "if self._next_partition_records is None:" in inspect.getsource(Fetcher.fetched_records)


@pytest.mark.parametrize("client", [KafkaProducer, KafkaConsumer])
def test_clients_take_the_network_client_that_they_are_given(client: type) -> None:
    """`driver.create_client`, which closes it, and forbids it to create topics."""
    assert client.DEFAULT_CONFIG["kafka_client"] is KafkaNetClient  # type: ignore[attr-defined]


def test_a_network_client_asks_for_metadata_as_its_cluster_is_configured() -> None:
    client = KafkaNetClient(bootstrap_servers="127.0.0.1:1")
    try:
        assert "allow_auto_create_topics" in client.cluster.config
    finally:
        client.close()


def test_keys_hash_as_in_every_other_client_of_kafka() -> None:
    """Values from Apache Kafka's own UtilsTest."""
    assert [murmur2(key) - (1 << 32) for key in (b"21", b"foobar")] == [-973932308, -790332482]
