"""Which servers, and with what settings: the one place that says it.

`docker-compose.yml` repeats what is here, because it cannot ask; tests/services compares the two.
"""

KAFKA = "4.3.0"
KAFKA_SCALA = "2.13"  # part of the name of Kafka's jar; the image hides it
LOG4J = "2.24.3"  # what Kafka's jars log through; the image brings its own
POSTGRES = "18.0"
# No image was published for the module's version, and the image's release is no version of the module that `go`
# knows; the image is the last but few that there are.
MINIO_MODULE = "v0.0.0-20260212201848-7aac2a2c5b7c"
MINIO_IMAGE = "RELEASE.2025-09-07T16-13-09Z"
GCS_MODULE = "v1.56.1"  # the stand-in for Google Cloud Storage, for tests alone

KAFKA_SETTINGS = {
    "auto.create.topics.enable": "false",  # a misspelt topic is an error, not a second log
    "message.max.bytes": "1048588",  # Kafka's own default, said so that both starts agree
    "log.retention.ms": "-1",  # the log is the truth, so nothing is deleted by age or by size
    "log.retention.bytes": "-1",
    "offsets.topic.num.partitions": "5",  # 50 by default, which a restart of a small machine has to go through
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A broker that was killed comes back only when its former self is given up: after 9 s by default.
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "1000",
    "group.initial.rebalance.delay.ms": "0",  # a group of one need not wait for others
}
POSTGRES_SETTINGS = {
    "max_connections": "200",  # projectors and test workers share one server
    "max_wal_size": "4GB",  # bulk loading would otherwise cause one checkpoint after the other
}

USER = "headwater"
# Stated, as the servers listen on loopback only; whoever minds sets these variables, for either start.
POSTGRES_PASSWORD_VARIABLE = "HEADWATER_POSTGRES_PASSWORD"
POSTGRES_PASSWORD = "headwater-local"
MINIO_PASSWORD_VARIABLE = "HEADWATER_MINIO_PASSWORD"
MINIO_PASSWORD = "headwater-local"

DATABASE, TOPIC, BUCKET = "headwater", "headwater", "headwater"

# The ports that the containers are published on: apart from the usual ones, which may be taken, and below those that
# the system gives to outgoing connections.
COMPOSE_KAFKA_PORT = 29092
COMPOSE_POSTGRES_PORT = 25432
COMPOSE_MINIO_PORT = 29000
