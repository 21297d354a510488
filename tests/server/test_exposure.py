"""`headwater server --check`: what an attacker would like, and that a careful server gives nothing of it."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import headwater
import pytest

from tests.cli.commands import run
from tests.support.modes import SERVICE
from tests.support.stores import StoreUnderTest, new_store


def found(store: Path, *arguments: str, code: int = 1) -> str:
    """What is said of a server on this store."""
    done = run("server", "--url", str(store), "--check", *arguments)
    assert (done.code, done.err) == (code, ""), done
    return done.out


@pytest.fixture
def careful(tmp_path: Path) -> Path:
    """A store of which there is nothing to say."""
    store = tmp_path / "store"
    headwater.Api(url=store).create_token("ana", "team", role="admin", expires=timedelta(days=30))
    store.chmod(0o700)
    return store


def test_of_a_careful_server_nothing_is_said(careful: Path) -> None:
    assert found(careful, code=0) == "Nothing was found that an attacker would like.\n"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--host", "0.0.0.0"], "in the clear to 0.0.0.0"),
        (["--host", "headwater.example.com"], "in the clear to headwater.example.com"),
        (["--open"], "everything (--open)"),
        (["--trusted-proxies", "0.0.0.0/0"], "counts as a proxy"),
    ],
)
def test_how_a_server_is_started_is_looked_at(careful: Path, arguments: Sequence[str], word: str) -> None:
    told = found(careful, *arguments)
    assert word in told
    assert len(told.splitlines()) == 1


def test_files_that_others_can_read_are_named(careful: Path, tmp_path: Path) -> None:
    key = tmp_path / "tls.key"
    key.write_text("secret")
    key.chmod(0o644)
    careful.chmod(0o755)
    told = found(careful, "--tls-certificate", "cert.pem", "--tls-key", str(key))
    assert f"chmod 600 {key}" in told
    assert f"chmod o-rwx {careful}" in told
    assert "secret" not in told


def test_a_server_key_that_others_can_read_is_named(careful: Path) -> None:
    key = careful / "operational" / "server.key"
    key.parent.mkdir(exist_ok=True)
    key.write_text("00" * 32)
    key.chmod(0o640)
    assert f"chmod 600 {key}" in found(careful)


def test_a_store_without_tokens_and_tokens_without_end_are_told(tmp_path: Path, careful: Path) -> None:
    assert "there is no token" in found(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    headwater.Api(url=careful).create_token("ben", "team", role="reader")
    assert "never expire: 1." in found(careful)


@pytest.mark.parametrize("mode", [SERVICE], ids=["servers"])
def test_servers_of_a_profile_are_looked_at(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the tests are on this machine, and their bucket is closed."""
    with new_store(mode, tmp_path / "store") as store:
        _check_servers(store, tmp_path, monkeypatch)


def _check_servers(store: StoreUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    key = tmp_path / "server.key"
    key.write_text("00" * 32)
    key.chmod(0o600)
    monkeypatch.setenv("HEADWATER_SERVER_KEY_FILE", str(key))
    done = run("server", "--check")
    assert "there is no token" in done.out
    assert len(done.out.splitlines()) == 1, done
