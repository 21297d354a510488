"""The real servers on this machine: Kafka, PostgreSQL and MinIO, for trying things out and for the tests.

`python -m services up` starts them with a container engine where one works, and otherwise natively: downloaded and
built once into a cache folder, on free loopback ports. Nothing here is part of the distribution, and it is not
meant for production: the ports are open to every user of this machine.
"""

from headwater_schemas.errors import HeadwaterError


class ServicesFailed(HeadwaterError):
    """A server, or something that it needs, is not available; the message says what to do."""
