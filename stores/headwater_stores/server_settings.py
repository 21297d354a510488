"""The settings of each server's client, from a profile."""

from headwater_blobs.s3.settings import S3Settings
from headwater_eventlog.kafka.settings import KafkaSettings, event_topic_settings

from headwater_stores.config.profile import Profile

_KAFKA_CLIENT = {
    "kafka_security_protocol": "security_protocol",
    "kafka_sasl_mechanism": "sasl_mechanism",
    "kafka_sasl_username": "sasl_plain_username",
    "kafka_sasl_password": "sasl_plain_password",
    "kafka_ssl_cafile": "ssl_cafile",
    "kafka_ssl_certfile": "ssl_certfile",
    "kafka_ssl_keyfile": "ssl_keyfile",
}


def kafka_settings(profile: Profile) -> KafkaSettings:
    """The log. Raises: InvalidSettings."""
    values = profile.values
    return KafkaSettings(
        servers=values["kafka_servers"],
        topic=values["kafka_topic"],
        partitions=profile.number("kafka_partitions"),
        replication=profile.number("kafka_replication"),
        min_insync_replicas=profile.number("kafka_min_insync_replicas"),
        client={name: values[key] for key, name in _KAFKA_CLIENT.items() if values[key]},
    )


def events_topic(profile: Profile, *, partitions: int) -> KafkaSettings:
    """The topic of version events, for a log with so many partitions. Raises: InvalidSettings."""
    name = profile.values["kafka_events_topic"] or f"{profile.values['kafka_topic']}-events"
    return event_topic_settings(kafka_settings(profile), name, partitions=partitions)


def s3_settings(profile: Profile) -> S3Settings:
    """The bytes. Raises: InvalidSettings."""
    values = profile.values
    return S3Settings(
        endpoint=values["s3_endpoint"],
        bucket=values["s3_bucket"],
        access_key=values["s3_access_key"] or None,
        secret_key=values["s3_secret_key"] or None,
        region=values["s3_region"] or None,
        session_token=values["s3_session_token"] or None,
        prefix=values["s3_prefix"].strip("/"),
    )
