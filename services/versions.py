"""The versions and settings of the servers.

`docker-compose.yml` repeats them, as it cannot import them; tests/services compares the two.
"""

KAFKA = "4.3.0"
KAFKA_SCALA = "2.13"  # part of the name of Kafka's jar
LOG4J = "2.24.3"  # for the logging of Kafka's jars; the image has its own
POSTGRES = "18.0"
# There is no image of the module's version, and no module version of the image's release. Few images were published
# after this one.
MINIO_MODULE = "v0.0.0-20260212201848-7aac2a2c5b7c"
MINIO_IMAGE = "RELEASE.2025-09-07T16-13-09Z"
GCS_MODULE = "v1.56.1"  # the emulator of Google Cloud Storage, for tests only

KAFKA_SETTINGS = {
    "auto.create.topics.enable": "false",  # a misspelt topic is an error, not a second log
    "message.max.bytes": "1048588",  # Kafka's default, stated so that both ways of starting agree
    "log.retention.ms": "-1",  # the log is the truth, so nothing is deleted by age or by size
    "log.retention.bytes": "-1",
    "offsets.topic.num.partitions": "5",  # the default of 50 slows down restarts on a small machine
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A killed broker can rejoin only once its old session has expired, by default after 9 s.
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "1000",
    "group.initial.rebalance.delay.ms": "0",  # a group of one member need not wait for others
    "group.min.session.timeout.ms": "1000",  # by default 6 s, which every test of a killed member would wait for
}
POSTGRES_SETTINGS = {
    "max_connections": "200",  # projectors and test workers share one server
    "max_wal_size": "4GB",  # bulk loading would otherwise cause frequent checkpoints
}

USER = "headwater"
# Fixed, as the servers listen on loopback only. These variables set others, for both ways of starting.
POSTGRES_PASSWORD_VARIABLE = "HEADWATER_POSTGRES_PASSWORD"
POSTGRES_PASSWORD = "headwater-local"
MINIO_PASSWORD_VARIABLE = "HEADWATER_MINIO_PASSWORD"
MINIO_PASSWORD = "headwater-local"

DATABASE, TOPIC, BUCKET = "headwater", "headwater", "headwater"

# The published ports of the containers: not the usual ones, which may be in use, and below the ephemeral ports.
COMPOSE_KAFKA_PORT = 29092
COMPOSE_POSTGRES_PORT = 25432
COMPOSE_MINIO_PORT = 29000
