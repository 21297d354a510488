"""`headwater relay`: write version events to a topic of Kafka."""

import logging

import click
from headwater_stores.config.settings import read_settings

HOST = "127.0.0.1"
PORT = 9465


@click.command("relay", short_help="Write version events to a topic of Kafka.")
@click.option("--host", default=HOST, show_default=True, help="Address of the health and metrics endpoint.")
@click.option("--port", default=PORT, show_default=True, help="Port of the endpoint; 0 for any free port.")
@click.option("--quiet", is_flag=True, help="Log warnings and errors only.")
def relay_command(host: str, port: int, quiet: bool) -> None:
    """Write the version events of a profile to a topic of its Kafka, which is created if missing. Of several relays one
    writes, and another goes on when that one is gone.

    Health is served at http://HOST:PORT/health, Prometheus metrics at /metrics.
    """
    from headwater_server.relay.running import relayed_profile, run_relay  # deferred: kafka, prometheus_client

    settings = read_settings()
    relayed_profile(settings)
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # errors that it cannot recover from are raised
    run_relay(settings, host=host, port=port)
