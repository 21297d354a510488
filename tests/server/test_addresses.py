"""Which address a request came from, by what proxies say of it."""

import pytest
from fastapi import Request
from headwater_schemas.errors import InvalidSettings
from headwater_server.access.addresses import client_of, networks

PROXIES = networks(["10.0.0.0/8,192.0.2.7", "2001:db8::/32"])


def seen(peer: str, *forwarded: str) -> str:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return client_of(Request({"type": "http", "client": (peer, 1), "headers": headers}), PROXIES)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("198.51.100.1", (), "198.51.100.1"),
        ("198.51.100.1", ("203.0.113.9",), "198.51.100.1"),  # says so itself
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        ("10.0.0.1", ("8.8.8.8, 203.0.113.9",), "203.0.113.9"),  # the client put the first one there
        ("10.0.0.1", ("8.8.8.8", "203.0.113.9"), "203.0.113.9"),
        ("10.0.0.1", ("8.8.8.8, 203.0.113.9, 192.0.2.7",), "203.0.113.9"),
        ("10.0.0.1", ("203.0.113.9, 10.1.2.3,10.1.2.4",), "203.0.113.9"),
        ("10.0.0.1", ("10.9.9.9, 203.0.113.9",), "203.0.113.9"),
        ("10.0.0.1", ("8.8.8.8, nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("8.8.8.8, ",), "10.0.0.1"),
        ("::ffff:10.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        ("2001:db8::1", ("2001:db9:1:2:3:4:5:6",), "2001:db9:1:2::/64"),
        ("testclient", ("203.0.113.9",), ""),
    ],
)
def test_only_what_trusted_proxies_added_counts(peer: str, forwarded: tuple[str, ...], address: str) -> None:
    assert seen(peer, *forwarded) == address


def test_a_long_list_of_addresses_is_read_from_its_end_and_not_to_its_beginning() -> None:
    assert seen("10.0.0.1", ",".join(["203.0.113.9"] + ["10.0.0.2"] * 100_000)) == "10.0.0.2"


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(InvalidSettings, match=r"--trusted-proxies '10\.0\.0\.1/8' is no address or network"):
        networks(["10.0.0.1/8"])
