"""The address that a request came from, behind proxies that the operator named."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from fastapi import Request
from headwater_schemas.errors import InvalidSettings

FORWARDED = "x-forwarded-for"
NOWHERE = ""  # where a connection has no address
HOPS_MAX = 32  # entries of the header that are looked at
_SUBSCRIBER_BITS = 64  # of an IPv6 address: one customer has at least so many addresses to choose from

Address = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]


def networks(texts: Iterable[str]) -> Networks:
    """`10.0.0.0/8,192.0.2.7` → networks. Raises: InvalidSettings."""
    found = []
    for text in (part.strip() for texts_ in texts for part in texts_.split(",")):
        try:
            found.append(ip_network(text))
        except ValueError:
            raise InvalidSettings(
                f"--trusted-proxies {text!r} is no address or network. Write such as 10.0.0.0/8; several with commas."
            ) from None
    return found


def client_of(request: Request, trusted: Networks) -> str:
    """The address by which who asks is told from others: a whole network of IPv6.

    Of X-Forwarded-For, which anybody can send, only what trusted proxies added counts: the last entry, and the one
    before it where that is a trusted proxy again.
    """
    peer = _address("" if request.client is None else request.client.host)
    if peer is None:
        return NOWHERE
    hops = [hop for line in request.headers.getlist(FORWARDED) for hop in line.split(",")]
    for hop in reversed(hops[-HOPS_MAX:]):
        if not any(peer in network for network in trusted):
            break
        before = _address(hop.strip())
        if before is None:
            break  # a proxy that hides whom it serves
        peer = before
    return _told_apart_by(peer)


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _told_apart_by(address: Address) -> str:
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _SUBSCRIBER_BITS), strict=False))
    return str(address)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
