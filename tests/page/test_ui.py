"""`headwater ui`: the page of a store for one browser of this machine."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from tests.cli.commands import run
from tests.page.browsing import Window, window
from tests.server.recorded import record
from tests.support.forked import PIPE, ForkedProcess
from tests.support.serving import ServerProcess

STOP_S = 30.0
NOBODY = 65534

Opened = Callable[..., Window]


@contextmanager
def showing(*arguments: str) -> Iterator[tuple[ForkedProcess, str]]:
    """`headwater ui --no-browser ARGUMENTS` and the address that it prints, ended with the block."""
    process = ForkedProcess(["-m", "headwater", "ui", "--no-browser", *arguments], stdout=PIPE, stderr=PIPE)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().split(" is at ")[1].split()[0]
    finally:
        process.kill()
        process.wait(STOP_S)


@pytest.fixture(scope="module")
def ui(module_path: Path) -> Iterator[str]:
    """The address of a page that no browser came to yet."""
    folder = module_path / "ui"
    record(folder)
    with showing("--url", str(folder)) as (_, address):
        yield address


def status(address: str, **headers: str) -> int:
    """Of a request with exactly these headers."""
    at = urlsplit(address)
    connection = HTTPConnection(at.hostname or "", at.port, timeout=60)
    try:
        connection.putrequest("GET", at.path or "/", skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


def asked_as(user: int, address: str, path: str, cookie: str = "") -> tuple[int, str]:
    """A request on a connection of this user: the status, and the cookie that is given."""
    at = urlsplit(address)
    connection = HTTPConnection(at.hostname or "", at.port, timeout=60)
    own = os.geteuid()
    os.seteuid(user)
    try:
        connection.connect()
    finally:
        os.seteuid(own)
    with closing(connection):
        connection.request("GET", path, headers={"Cookie": cookie})
        response = connection.getresponse()
        return response.status, response.getheader("Set-Cookie", "").partition(";")[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")
def test_another_user_of_the_machine_is_let_in_neither_by_the_address_nor_by_the_cookie(tmp_path: Path) -> None:
    with showing("--url", str(tmp_path / "store")) as (_, address):
        begin = address.removeprefix(address.partition("/begin")[0])
        assert asked_as(NOBODY, address, begin) == (403, "")
        let_in, cookie = asked_as(os.geteuid(), address, begin)
        assert (let_in, bool(cookie)) == (303, True), "it was not used up"

        assert asked_as(os.geteuid(), address, "/", cookie)[0] == 200
        assert asked_as(NOBODY, address, "/", cookie)[0] == 403


def test_one_browser_is_let_in_once_and_nobody_else(ui: str, browser: Browser) -> None:
    at = urlsplit(ui)
    server = f"{at.scheme}://{at.netloc}"
    assert at.hostname == "127.0.0.1"
    assert status(server) == status(f"{server}/.json") == status(f"{server}/live") == 403

    with window(browser, server) as first:
        first.open(f"{at.path}?{at.query}").is_live()
        first.shoot("ui")
        assert urlsplit(first.page.url).path == "/"
        assert first.page.get_by_role("link", name="team/vision").is_visible()
        with window(browser, server) as second:
            second.expect("403")
            second.open(f"{at.path}?{at.query}")
            second.shoot("ui-used-already")
            assert "used already" in second.page.inner_text("main")
            second.open("/")
            assert "headwater ui opened it in" in second.page.inner_text("main")
        assert first.open("/").is_live()

    assert status(f"{server}/v1/projects") in (403, 404), "the interface for programs is not there"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "0.0.0.0", ""])
def test_a_name_that_was_made_to_lead_here_is_not_this_page(ui: str, host: str) -> None:
    assert status(ui, Host=host) == 403


def test_ctrl_c_ends_it_at_once_with_one_line_though_a_page_is_open(tmp_path: Path, browser: Browser) -> None:
    record(tmp_path / "store")
    with showing("--url", str(tmp_path / "store")) as (process, address):
        at = urlsplit(address)
        with window(browser, f"http://{at.netloc}") as shown:
            shown.expect("ERR_")
            shown.open(f"{at.path}?{at.query}").is_live()

            process.send_signal(signal.SIGINT)

            assert process.wait(5.0) == 0
        assert process.stdout is not None
        assert process.stderr is not None
        assert (process.stdout.read(), process.stderr.read()) == ("headwater ui: ended.\n", "")


def test_of_a_server_its_own_page_is_named(shown: ServerProcess) -> None:
    done = run("ui", "--url", shown.url, "--no-browser")

    assert (done.code, done.out) == (0, f"headwater ui: {shown.url} is at {shown.url}\n")
