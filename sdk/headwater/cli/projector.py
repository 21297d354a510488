"""`headwater projector`: project events from Kafka into PostgreSQL."""

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click
from headwater_schemas.errors import InvalidSettings
from headwater_stores.config.settings import read_settings, redact
from headwater_stores.outages import ride_out

if TYPE_CHECKING:
    from headwater_consumer.database import Database
    from headwater_eventlog.kafka import KafkaEventLog

METRICS_HOST = "127.0.0.1"
METRICS_PORT = 9464


@click.command("projector", short_help="Project events from Kafka into PostgreSQL.")
@click.option("--once", is_flag=True, help="Project all events that are in the log now, then exit.")
@click.option("--host", default=METRICS_HOST, show_default=True, help="Address of the health and metrics endpoint.")
@click.option("--port", default=METRICS_PORT, show_default=True, help="Port of the endpoint; 0 for any free port.")
@click.option("--quiet", is_flag=True, help="Log warnings and errors only.")
def projector_command(once: bool, host: str, port: int, quiet: bool) -> None:
    """Project events from Kafka into PostgreSQL. Several projectors share the work; any of them can stop at any time.
    Each needs a port of its own for its endpoint: --port 0 takes any free one.

    Health is served at http://HOST:PORT/health, Prometheus metrics at /metrics.
    """
    from headwater_stores.servers import open_log_and_database  # deferred: kafka, minio

    settings = read_settings()
    profile = settings.profile
    if settings.server is not None:
        raise InvalidSettings(
            f"HEADWATER_URL names a server ({settings.url}), and projectors run where its store is. Set HEADWATER_URL "
            "to the profile behind it, there."
        )
    if profile is None:
        raise InvalidSettings(
            f"HEADWATER_URL names a folder ({redact(settings.url)}), which needs no projector. To project events of "
            "servers, set HEADWATER_URL=profile:NAME."
        )
    try:
        from headwater_consumer.service import run_projector  # deferred: prometheus_client, psycopg
    except ImportError as error:
        raise InvalidSettings(
            f"the projector's dependencies are missing ({error}). Install them with: pip install 'headwater[service]'"
        ) from error
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # errors that it cannot recover from are raised

    def opened(stack: ExitStack) -> "tuple[Database, KafkaEventLog]":
        with ExitStack() as attempt:
            found = open_log_and_database(profile, attempt, create=True)
            stack.push(attempt.pop_all())
            return found

    with ExitStack() as stack:
        database, log = ride_out(lambda: opened(stack), name=settings.url, outage_s=settings.outage_s)
        code = run_projector(log, database, host=host, port=port, once=once)
    raise SystemExit(code)
