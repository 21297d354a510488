"""Addresses and credentials of running servers, and the settings that follow from them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from services.versions import BUCKET, DATABASE, TOPIC


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Addresses and credentials of one Kafka, one PostgreSQL and one MinIO."""

    kafka: str  # host:port, of several brokers with commas between
    postgres: str = field(repr=False)  # URL of the database that always exists, with user and password
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str = field(repr=False)
    s3_folder: str | None = None  # of MinIO's objects, if it runs on this machine

    def database(self, name: str) -> str:
        """The URL of another database of the same server."""
        return f"{self.postgres.rpartition('/')[0]}/{name}"

    def environment(self) -> dict[str, str]:
        """The environment variables with which headwater uses these servers."""
        return {
            "HEADWATER_URL": "profile:services",
            "HEADWATER_KAFKA_SERVERS": self.kafka,
            "HEADWATER_KAFKA_TOPIC": TOPIC,
            "HEADWATER_DATABASE_URL": self.database(DATABASE),
            "HEADWATER_S3_ENDPOINT": self.s3_endpoint,
            "HEADWATER_S3_BUCKET": BUCKET,
            "HEADWATER_S3_ACCESS_KEY": self.s3_access_key,
            "HEADWATER_S3_SECRET_KEY": self.s3_secret_key,
        }

    def to_dict(self) -> dict[str, str | None]:
        """For storing in a file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, str | None]) -> "Servers":
        """From what `to_dict` returned; other keys are ignored."""
        return cls(**{name: found[name] for name in cls.__dataclass_fields__ if name in found})  # type: ignore[arg-type]

    @classmethod
    def from_json(cls, text: str) -> "Servers":
        """From the content of a JSON file."""
        return cls.from_dict(json.loads(text))
