"""`headwater projector`: keeps the database up with the log, for everybody."""

import logging
from contextlib import ExitStack

import click

METRICS_HOST = "127.0.0.1"
METRICS_PORT = 9464


@click.command("projector")
@click.option("--once", is_flag=True, help="Project what is on the log now, then end.")
@click.option("--host", default=METRICS_HOST, show_default=True, help="Where health and metrics are served.")
@click.option("--port", default=METRICS_PORT, show_default=True, help="Their port; 0 for any that is free.")
@click.option("--quiet", is_flag=True, help="Say only what is wrong.")
def projector_command(once: bool, host: str, port: int, quiet: bool) -> None:
    """Keep the database up with the log. Several share the work; each can be ended at any time.

    Health is at http://HOST:PORT/health, metrics for Prometheus are at /metrics.
    """
    from headwater_schemas.errors import InvalidSettings

    from headwater._config.settings import read_settings
    from headwater._stores.servers import open_log_and_database

    profile = read_settings().profile
    if profile is None:
        raise InvalidSettings(
            "a projector serves servers, and HEADWATER_URL names a folder, where whoever reads also projects. Set "
            "HEADWATER_URL=profile:NAME."
        )
    try:
        from headwater_consumer.service import run_projector
    except ImportError as error:
        raise InvalidSettings(
            f"a projector needs more than a plain writer ({error}). Install it with: pip install 'headwater[service]'"
        ) from error
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what it cannot mend by itself comes to us as an error
    with ExitStack() as opened:
        database, log = open_log_and_database(profile, opened, create=True)
        code = run_projector(log, database, host=host, port=port, once=once)
    raise SystemExit(code)
