"""Requests that users make the server send: to its own machine and network, by other names, with other headers."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from headwater_schemas.errors import InvalidInput, InvalidSettings
from headwater_schemas.webhooks import check_url
from headwater_server.outgoing import requests
from headwater_server.outgoing.addresses import AddressRules
from headwater_server.outgoing.requests import AddressRefused, NotReached, ReceiverAnswer, Requests

from tests.support.web import new_certificate
from tests.support.web import serving as web

PUBLIC_V4, PUBLIC_V6 = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
HERE = AddressRules.opened(["127.0.0.1"])


def post(url: str, rules: AddressRules = HERE, headers: dict[str, str] | None = None) -> ReceiverAnswer:
    async def sent() -> ReceiverAnswer:
        sender = Requests(rules)
        try:
            return await sender.post(url, headers or {}, b"{}")
        finally:
            sender.close()

    return asyncio.run(sent())


@contextmanager
def scripted(*answer: bytes, pause_s: float = 0.0, forever: bytes = b"") -> Iterator[tuple[str, list[bytes]]]:
    """A receiver that sends these bytes, then `forever` again and again; with its URL and the heads that it got."""
    heads: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def run() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    try:
                        heads.append(connection.recv(65536))
                        for piece in answer:
                            connection.sendall(piece)
                        while forever:
                            time.sleep(pause_s)
                            connection.sendall(forever)
                    except OSError:
                        pass

        threading.Thread(target=run, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/hook", heads
        listening.shutdown(socket.SHUT_RDWR)


# --- where requests go ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",  # a cloud's metadata
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",  # a cloud's host agent
        "169.254.169.254",  # most clouds' metadata
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",  # 6to4 of 127.0.0.1
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
        "2001:db8::1",
        "fc00::1",
        "fd00:ec2::254",  # a cloud's metadata
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "100::1",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not AddressRules().allow("example.org", ip_address(address))


@pytest.mark.parametrize("address", [PUBLIC_V4, PUBLIC_V6, f"::ffff:{PUBLIC_V4}", "64:ff9b::5db8:d70e"])
def test_public_addresses_pass_also_wrapped(address: str) -> None:
    assert AddressRules().allow("example.org", ip_address(address))


def test_the_operator_opens_hosts_and_networks_and_nothing_beside_them() -> None:
    rules = AddressRules.opened(["hooks.internal", "10.1.0.0/16", "[fd00::5]"])

    assert rules.allow("Hooks.Internal.", ip_address("192.168.0.7"))
    assert not rules.allow("xhooks.internal", ip_address("192.168.0.7"))
    assert rules.allow("other.internal", ip_address("10.1.2.3"))
    assert rules.allow("other.internal", ip_address("::ffff:10.1.2.3"))
    assert not rules.allow("other.internal", ip_address("10.2.0.1"))
    assert rules.allow("x", ip_address("fd00::5"))
    assert not rules.allow("x", ip_address("fd00::6"))
    for wrong in ("", "a b", "http://x", "host:80", "10.0.0.0/33", "*"):
        with pytest.raises(InvalidSettings, match="--webhook-allow"):
            AddressRules.opened([wrong])


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "0"]
)
def test_this_machine_is_refused_by_every_name_of_it(host: str) -> None:
    with scripted(b"HTTP/1.1 200 OK\r\n\r\nsecret") as (url, asked):
        port = url.rpartition(":")[2]
        with pytest.raises(AddressRefused):
            post(f"http://{host}:{port}", AddressRules())
        assert not asked


def test_a_name_is_looked_up_once_so_that_it_cannot_lead_elsewhere_the_second_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: public when it is judged, this machine when it would be connected to."""
    looked_up: list[str] = []
    connected: list[str] = []

    def getaddrinfo(host: str, port: int, *_: object) -> list[Any]:
        looked_up.append(host)
        address = PUBLIC_V4 if len(looked_up) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    async def open_connection(host: str, port: int, **_: object) -> Any:
        connected.append(host)
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(requests.socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(requests.asyncio, "open_connection", open_connection)

    with pytest.raises(NotReached):
        post("http://rebinding.example/", AddressRules())

    assert looked_up == ["rebinding.example"]
    assert connected == [PUBLIC_V4]


def test_of_a_name_with_several_addresses_only_the_public_ones_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[str] = []

    def getaddrinfo(host: str, port: int, *_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in ("127.0.0.1", PUBLIC_V4, "10.0.0.1")]

    async def open_connection(host: str, port: int, **_: object) -> Any:
        connected.append(host)
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(requests.socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(requests.asyncio, "open_connection", open_connection)
    with pytest.raises(NotReached):
        post("http://several.example/", AddressRules())

    assert connected == [PUBLIC_V4]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with scripted(b"HTTP/1.1 200 OK\r\n\r\nsecret") as (inside, asked_inside):
        with scripted(b"HTTP/1.1 %d X\r\nLocation: %s\r\n\r\n" % (status, inside.encode())) as (url, _):
            assert post(url).status == status
        assert not asked_inside


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        scripted(b"HTTP/1.1 200 OK\r\n\r\n") as (proxy, asked_of_proxy),
        scripted(b"HTTP/1.1 204 X\r\n\r\n") as (url, _),
    ):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        assert post(url).status == 204
    assert not asked_of_proxy


# --- what is sent and read ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\x00b"])
def test_a_header_cannot_carry_another(value: str) -> None:
    with scripted(b"HTTP/1.1 200 OK\r\n\r\n") as (url, heads):
        with pytest.raises(Exception, match=r"[Ii]llegal"):
            post(url, headers={"webhook-id": value})
        assert b"X-Evil" not in b"".join(heads)


@pytest.mark.parametrize("path", ["/%0d%0aX-Evil:%201", "/a?b=%0aHost:%20evil"])
def test_escapes_in_a_path_stay_escapes(path: str) -> None:
    with scripted(b"HTTP/1.1 200 OK\r\n\r\n") as (url, heads):
        post(check_url(url.removesuffix("/hook") + path))
    assert heads[0].startswith(f"POST {path} HTTP/1.1\r\n".encode())
    assert b"\r\nX-Evil" not in heads[0]


@pytest.mark.parametrize("url", ["http://user:pass@127.0.0.1/", "file:///etc/passwd", "http://a\r\nX: y/", "ftp://h/"])
def test_urls_that_could_mean_something_else_are_no_receivers(url: str) -> None:
    with pytest.raises(InvalidInput):
        check_url(url)


def test_of_a_long_answer_only_the_first_kib_is_read() -> None:
    with scripted(b"HTTP/1.1 200 OK\r\n\r\n", forever=b"x" * 65536) as (url, _):
        answer = post(url)
    assert answer.body == b"x" * 1024


@pytest.mark.parametrize("endless", [b"X-More: 1\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"x" * 1000])
def test_an_answer_that_never_gets_to_the_point_is_given_up(endless: bytes) -> None:
    start = b"" if endless.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\n"
    with scripted(start, forever=endless) as (url, _), pytest.raises(NotReached):
        post(url)


def test_an_answer_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "REQUEST_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NotReached, match="no answer within"):
        post(f"http://127.0.0.1:{silent.getsockname()[1]}/")


def test_a_body_that_dribbles_does_not_hide_that_the_event_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "BODY_S", 0.2)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    with scripted(head, forever=b"x", pause_s=0.05) as (url, _):
        assert post(url).status == 200


def test_what_is_no_http_is_no_answer() -> None:
    with scripted(b"220 smtp.example.org ESMTP\r\n") as (url, _), pytest.raises(NotReached, match="not HTTP"):
        post(url)


# --- TLS ------------------------------------------------------------------------------------------------------------


def test_a_receiver_must_prove_by_its_certificate_who_it_is(tmp_path: Path) -> None:
    with web(new_certificate(tmp_path)) as site, pytest.raises(NotReached, match="prove by TLS"):
        post(f"{site.address}/")


def test_a_certificate_of_another_host_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = new_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    rules = AddressRules.opened(["localhost", "other.example", "127.0.0.1"])
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *more: Any) -> Any:
        return real("127.0.0.1", port, *more)

    monkeypatch.setattr(requests.socket, "getaddrinfo", getaddrinfo)
    with web(certificate) as site:
        port = site.address.rpartition(":")[2]
        with pytest.raises(NotReached, match="prove by TLS"):
            post(f"https://other.example:{port}/", rules)
        assert post(f"{site.address}/", rules).status == 501, "it reached the site, which knows no POST"


def test_an_address_that_is_refused_says_so_apart() -> None:
    with pytest.raises(AddressRefused, match="--webhook-allow"):
        post("http://127.0.0.1:9/", AddressRules())
