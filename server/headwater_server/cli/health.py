"""`headwater health`: whether a server, projector or relay is healthy, for supervisors of containers."""

import http.client
import urllib.error
import urllib.request
from http import HTTPStatus

import click
from headwater_schemas.errors import InvalidInput, StoreUnavailable

URL = "http://127.0.0.1:8470/ready"
TIMEOUT_S = 5.0
ANSWER_BYTES_MAX = 10_000  # of which people are shown one line


@click.command("health", short_help="Ask a server or projector whether it is healthy.")
@click.argument("url", default=URL)
@click.option("--timeout", default=TIMEOUT_S, show_default=True, help="Seconds to wait for the answer.")
def health_command(url: str, timeout: float) -> None:
    """Ask URL, by default a server of this machine. Exit code 0 if it is healthy, 1 if not or if it does not answer.

    A server has /ready and /health, a projector /health.
    """
    if not url.startswith(("http://", "https://")):
        raise InvalidInput(f"{url!r} is not the address of a health page. Write http://HOST:PORT/ready.")
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310 - the scheme was checked
            click.echo(_line(answer.read(ANSWER_BYTES_MAX)))
    except urllib.error.HTTPError as error:
        said = _line(error.read(ANSWER_BYTES_MAX))
        raise StoreUnavailable(f"{url} answers {_status(error.code)}: {said}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise StoreUnavailable(f"{url} does not answer: {error}. Is it running, and is this its port?") from None


def _status(code: int) -> str:
    return f"{code} {HTTPStatus(code).phrase}" if code in list(HTTPStatus) else str(code)


def _line(answer: bytes) -> str:
    return " ".join(answer.decode("utf-8", "replace").split())
