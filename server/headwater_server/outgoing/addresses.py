"""Which addresses a request that a user asked for may go to.

A list of our own: the standard library's `is_global` and `is_private` take neither 100.64.0.0/10 nor addresses that
wrap another one for what they are.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from headwater_schemas.errors import InvalidSettings
from headwater_schemas.frozen_unicode import quoted

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_DENIED_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network; the kernel takes it for this machine
            "10.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT; has the metadata service of one cloud
            "127.0.0.0/8",
            "168.63.129.16/32",  # the host agent of one cloud
            "169.254.0.0/16",  # link-local, with the metadata services of most clouds
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
# Of version 6, only what is handed out at all, and of that not:
_GLOBAL_V6 = IPv6Network("2000::/3")
_DENIED_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocols, among them Teredo, which wraps addresses of version 4
            "2001:db8::/32",
            "2002::/16",  # 6to4, which wraps addresses of version 4
            "3fff::/20",
        ),
    )
)
# What wraps an address of version 4 in its last 32 bits, and is judged as that.
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class AddressRules:
    """Every public address, and what the operator opened beside those."""

    hosts: frozenset[str] = frozenset()  # named receivers, in lower case: wherever their names lead
    networks: tuple[Network, ...] = field(default=())

    @classmethod
    def opened(cls, given: Iterable[str]) -> "AddressRules":
        """`given`: host names, addresses and networks (CIDR). Raises: InvalidSettings."""
        hosts, networks = set(), []
        for text in given:
            if (network := _network(text)) is not None:
                networks.append(network)
            else:
                hosts.add(_host_name(text))
        return cls(frozenset(hosts), tuple(networks))

    def allow(self, host: str, address: Address) -> bool:
        """Whether a request for `host` may go to `address`, to which it was resolved."""
        judged = _unwrapped(address)
        if host.lower().rstrip(".") in self.hosts:
            return True
        return any(judged in network or address in network for network in self.networks) or _is_public(judged)


def parse_address(text: str) -> Address:
    """An address as a resolver gives it, maybe with a zone, which is no part of where it is."""
    return ip_address(text.partition("%")[0])


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _DENIED_V4)
    return address in _GLOBAL_V6 and not any(address in network for network in _DENIED_V6)


def _unwrapped(address: Address) -> Address:
    if isinstance(address, IPv6Address) and (address in _MAPPED or address in _NAT64):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _network(text: str) -> Network | None:
    try:
        return ip_network(text.strip("[]"))
    except ValueError:
        return None


def _host_name(text: str) -> str:
    name = text.lower().rstrip(".")
    if not name or not all(part and part.replace("-", "").replace("_", "").isalnum() for part in name.split(".")):
        raise InvalidSettings(
            f"--webhook-allow {quoted(text, 100)} is neither a host, an address nor a network. Write HOST without a "
            "port, or CIDR such as 10.1.0.0/16."
        )
    return name
