"""Where the log is on Kafka, and how to authenticate."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from headwater_schemas.errors import InvalidSettings
from headwater_schemas.limits import PARTITIONS_MAX

PARTITIONS = 32  # of a new topic: enough for as many projectors; the number never changes afterwards
PLAIN = "security_protocol", "sasl_mechanism", "sasl_plain_username", "ssl_cafile", "ssl_certfile", "ssl_keyfile"
SECRETS = ("sasl_plain_password",)
FLAGS = ("ssl_check_hostname",)
CLIENT_SETTINGS = (*PLAIN, *SECRETS, *FLAGS)
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
HIDDEN = "***"


class Secret(str):
    """Text whose `repr` hides it, so that printing or logging its owner does not reveal it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(HIDDEN)


@dataclass(frozen=True)
class KafkaSettings:
    """Where a log is. All fields but servers, topic and client matter only when the topic is created."""

    servers: str  # "host:port[,host:port…]"; one that answers is enough
    topic: str
    partitions: int = PARTITIONS
    replication: int = 1  # 3 where a broker may fail
    min_insync_replicas: int = 1  # 2 where a broker may fail: how many must have a record before it is acknowledged
    client: Mapping[str, str | bool] = field(
        default_factory=dict, repr=False, hash=False
    )  # of CLIENT_SETTINGS: security

    def __post_init__(self) -> None:
        """Raises: InvalidSettings."""
        if not self.server_list:
            raise InvalidSettings("no Kafka server is given. Give one as host:port, several separated by commas.")
        if not self.topic:
            raise InvalidSettings("no Kafka topic is given. Name the one that holds, or will hold, the events.")
        if not 1 <= self.partitions <= PARTITIONS_MAX:
            raise InvalidSettings(f"{self.partitions} partitions were requested; 1 to {PARTITIONS_MAX:,} are possible.")
        if not 1 <= self.min_insync_replicas <= self.replication:
            raise InvalidSettings(
                f"min_insync_replicas is {self.min_insync_replicas} and replication {self.replication}; "
                "the first must be at least 1 and at most the second."
            )
        self._check_client()
        hidden = {name: Secret(value) if name in SECRETS else value for name, value in self.client.items()}
        object.__setattr__(self, "client", hidden)

    def __repr__(self) -> str:
        return (
            f"KafkaSettings({self.servers!r}, {self.topic!r}, partitions={self.partitions}, "
            f"replication={self.replication}, min_insync_replicas={self.min_insync_replicas}, client={self.client!r})"
        )

    @property
    def server_list(self) -> list[str]:
        return [server.strip() for server in self.servers.split(",") if server.strip()]

    def _check_client(self) -> None:
        unknown = sorted(set(self.client) - set(CLIENT_SETTINGS))
        if unknown:
            raise InvalidSettings(f"Kafka has no setting {', '.join(unknown)}. Known: {', '.join(CLIENT_SETTINGS)}.")
        for name, value in self.client.items():
            wanted = bool if name in FLAGS else str
            if not isinstance(value, wanted):
                raise InvalidSettings(f"{name} must be {wanted.__name__}, not {type(value).__name__}.")
        protocol = self.client.get("security_protocol", PROTOCOLS[0])
        if protocol not in PROTOCOLS:
            raise InvalidSettings(f"security_protocol is {protocol!r}; it must be one of {', '.join(PROTOCOLS)}.")
        if str(protocol).startswith("SASL") and not self.client.get("sasl_mechanism"):
            raise InvalidSettings(f"security_protocol {protocol} needs sasl_mechanism: PLAIN or SCRAM-SHA-256 or -512.")


def event_topic_settings(log: KafkaSettings, topic: str, *, partitions: int) -> KafkaSettings:
    """The settings of the topic beside those of the log, which has so many partitions. Raises: InvalidSettings."""
    if topic == log.topic:
        raise InvalidSettings(
            f"topic {topic!r} is the event log, so version events cannot be written to it. Give kafka_events_topic "
            "another name."
        )
    return replace(log, topic=topic, partitions=partitions)
