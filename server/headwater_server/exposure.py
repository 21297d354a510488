"""What an attacker would like of a server and its store: for its operator, before somebody else finds it."""

import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click
from headwater_blobs.s3.anonymous import rights_of_everybody
from headwater_consumer import queries
from headwater_stores.config.profile import Profile
from headwater_stores.config.settings import Settings
from headwater_stores.projection_files import projection_file
from headwater_stores.reading import open_projection
from headwater_stores.server_key import key_file
from headwater_stores.server_settings import s3_settings

from headwater_server.access.addresses import Networks, is_loopback
from headwater_server.running import Address

PREFIX_BITS_MIN = 8  # a network of more addresses than 1 of 256 is no list of proxies


@dataclass(frozen=True, slots=True)
class Offer:
    """How a server is about to be started."""

    address: Address
    is_open: bool
    has_issuers: bool
    proxies: Networks


def tell(settings: Settings, offer: Offer) -> int:
    """Print what was found; the exit code. Raises: as `findings`."""
    found = list(findings(settings, offer))
    for finding in found or ["Nothing was found that an attacker would like."]:
        click.echo(finding)
    return 1 if found else 0


def findings(settings: Settings, offer: Offer) -> Iterator[str]:
    """Each thing, with what to do about it. Asks the stores. Raises: HeadwaterError where they do not answer."""
    yield from _of_listening(offer)
    yield from _of_files(settings, offer)
    if settings.profile is None:
        yield from _of_folder(settings.store)
    else:
        yield from _of_servers(settings.profile)
    yield from _of_access(settings, offer)


def _of_listening(offer: Offer) -> Iterator[str]:
    if offer.is_open:
        yield (
            "every process and user of this machine may do everything (--open). Leave --open out, and make tokens with "
            "`headwater token create`."
        )
    host = offer.address.host
    if offer.address.scheme == "http" and not is_loopback(host):
        yield (
            f"tokens and contents travel in the clear to {host}. Give --tls-certificate and --tls-key, or listen on "
            "127.0.0.1 behind a proxy that has TLS."
        )
    for network in offer.proxies:
        if network.prefixlen < PREFIX_BITS_MIN:
            yield (
                f"nearly everybody counts as a proxy (--trusted-proxies {network}), and can so claim any address. Name "
                "the proxies alone."
            )


def _of_files(settings: Settings, offer: Offer) -> Iterator[str]:
    if offer.address.tls_key is not None:
        yield from _readable(Path(offer.address.tls_key), "the private key of the certificate")
    path, _ = key_file(settings)
    yield from _readable(path, "the server's key")


def _readable(path: Path, what: str) -> Iterator[str]:
    mode = _mode(path)
    if mode is not None and mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield f"others can read {what}, {str(path)!r}. Run `chmod 600 {path}`, and replace it if somebody may have."


def _of_folder(store: Path) -> Iterator[str]:
    mode = _mode(store)
    if mode is not None and mode & stat.S_IRWXO:
        yield (
            f"every user of this machine can get at the store itself, {str(store)!r}, past the server. Run "
            f"`chmod o-rwx {store}`."
        )


def _of_servers(profile: Profile) -> Iterator[str]:
    endpoint = urlsplit(profile.values["s3_endpoint"])
    if endpoint.scheme == "http" and not is_loopback(endpoint.hostname or ""):
        yield f"contents travel in the clear to {endpoint.netloc}. Use an s3_endpoint that begins with https."
    for address in profile.values["kafka_servers"].split(","):
        is_near = is_loopback(address.strip().rpartition(":")[0].strip("[]"))
        if profile.values["kafka_security_protocol"] in ("PLAINTEXT", "SASL_PLAINTEXT") and not is_near:
            yield f"events travel in the clear to {address.strip()}. Set kafka_security_protocol to SASL_SSL."
            break
    if rights := rights_of_everybody(s3_settings(profile)):
        yield (
            f"everybody who reaches {endpoint.netloc} can {' and '.join(rights)} in the bucket "
            f"{profile.values['s3_bucket']!r}, without any key. Remove its anonymous policy."
        )


def _of_access(settings: Settings, offer: Offer) -> Iterator[str]:
    if offer.is_open:
        return
    count, endless = _tokens(settings)
    if not count and not offer.has_issuers:
        yield "there is no token, so that only who has the store can get in. Make one with `headwater token create`."
    if endless:
        yield (
            f"tokens that never expire: {endless:,}. A lost one counts for ever. Revoke them, and make others with "
            "--expires."
        )


def _tokens(settings: Settings) -> tuple[int, int]:
    """How many there are, and how many never expire."""
    if settings.profile is None and not projection_file(settings.store).exists():
        return 0, 0
    with closing(open_projection(settings)) as database:
        return queries.count_tokens(database), queries.count_tokens(database, endless=True)


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except OSError:
        return None  # whoever starts the server is told
