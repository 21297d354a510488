"""`headwater server`: put a store behind one address."""

import logging
import sys
from contextlib import ExitStack, closing

import click
from headwater_schemas.errors import InvalidSettings
from headwater_stores.config.settings import read_settings, redact

HOST = "127.0.0.1"
PORT = 8470


@click.command("server", short_help="Serve a store to many clients over HTTP.")
@click.option("--url", help="The store: a folder, or profile:NAME. Default: HEADWATER_URL.")
@click.option("--host", default=HOST, show_default=True, help="Address to listen on.")
@click.option("--port", default=PORT, show_default=True, help="Port to listen on; 0 for any free one.")
@click.option("--with-projector", is_flag=True, help="Project here what is on the log; on a folder this is always so.")
@click.option("--with-relay", is_flag=True, help="Write version events to Kafka here, as `headwater relay` does.")
@click.option("--open", "is_open", is_flag=True, help="Let everybody who reaches it do everything; on loopback only.")
@click.option("--issuers", metavar="FILE", help="Issuers whose JWTs are taken in place of tokens (TOML).")
@click.option(
    "--operator",
    "operators",
    metavar="NAME|ISSUER|SUBJECT",
    multiple=True,
    envvar="HEADWATER_SERVER_OPERATORS",
    show_envvar=True,
    help="Let this principal run gc, maintain, archive, export and import here; can be repeated.",
)
@click.option(
    "--trusted-proxies",
    metavar="CIDR[,CIDR...]",
    multiple=True,
    help="Proxies in front of this server, whose X-Forwarded-For counts.",
)
@click.option(
    "--webhook-allow",
    metavar="HOST|CIDR",
    multiple=True,
    help="Let webhooks go to this host or network, though it is not public; can be repeated.",
)
@click.option("--tls-certificate", metavar="FILE", help="Serve HTTPS with this certificate chain (PEM).")
@click.option("--tls-key", metavar="FILE", help="Its private key (PEM).")
@click.option("--check", is_flag=True, help="List what leaves it open to attack, and end; exit code 1 for anything.")
@click.option("--quiet", is_flag=True, help="Log warnings and errors only.")
def server_command(
    url: str | None,
    host: str,
    port: int,
    with_projector: bool,
    with_relay: bool,
    is_open: bool,
    issuers: str | None,
    operators: tuple[str, ...],
    trusted_proxies: tuple[str, ...],
    webhook_allow: tuple[str, ...],
    tls_certificate: str | None,
    tls_key: str | None,
    check: bool,
    quiet: bool,
) -> None:
    """Serve a store to many clients over HTTP: a folder, which is created if missing, or the servers of a profile.

    Clients set HEADWATER_URL to its address and HEADWATER_TOKEN to a token. It runs until SIGTERM or Ctrl-C; then it
    answers what it has taken, and ends.
    """
    from headwater_server.access.addresses import is_loopback, networks  # deferred: kafka, FastAPI
    from headwater_server.access.authentication import OpenAuthentication, TokenAuthentication
    from headwater_server.access.issuers import read_issuers
    from headwater_server.app import make_app
    from headwater_server.exposure import Offer, tell
    from headwater_server.opening import opened_service
    from headwater_server.operations.operators import operators_named
    from headwater_server.outgoing.addresses import AddressRules
    from headwater_server.relay.running import relayed_profile, relaying
    from headwater_server.relay.status import RelayMetrics
    from headwater_server.running import Address, check_tls, listen, serve
    from headwater_server.submitting.expiring import ending_expired
    from headwater_server.webhooks.deliverer import delivering

    if is_open and issuers is not None:
        raise click.UsageError("--open and --issuers exclude each other: with --open nobody is asked who it is.")
    settings = read_settings(url=url)
    trusted, proxies = [] if issuers is None else read_issuers(issuers), networks(trusted_proxies)
    named = operators_named(() if is_open else operators, trusted)
    address = Address(host=host, port=port, tls_certificate=tls_certificate, tls_key=tls_key)
    if check:
        sys.exit(tell(settings, Offer(address, is_open=is_open, has_issuers=bool(trusted), proxies=proxies)))
    if is_open and not is_loopback(host):
        raise InvalidSettings(
            f"--open would let everybody who reaches {host} do everything. Listen on 127.0.0.1, or leave --open "
            "out and make tokens with `headwater token create`."
        )
    check_tls(address)
    _log_to_stderr(quiet)
    if with_relay:
        relayed_profile(settings)
    rules = AddressRules.opened(webhook_allow)
    with ExitStack() as stack:
        listening = stack.enter_context(closing(listen(address)))  # first: what fails leaves no store behind
        service = stack.enter_context(opened_service(settings, with_projector=with_projector))
        known = OpenAuthentication() if is_open else TokenAuthentication(service, trusted, proxies)
        if with_relay:
            relay = stack.enter_context(relaying(settings, service.stores))
            service.metrics.registry.register(RelayMetrics(relay.status, relay.heartbeat))
        stack.enter_context(ending_expired(service))
        stack.enter_context(delivering(service, rules=rules, is_open=is_open))
        serve(
            service,
            make_app(service, known, settings, named),
            address,
            listening,
            ready=lambda at: click.echo(f"headwater server: {redact(settings.url)} is at {at}"),
        )


def _log_to_stderr(quiet: bool) -> None:
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # errors that it cannot recover from are raised
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # what it says of its start and end is said here
