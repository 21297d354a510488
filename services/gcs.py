"""A stand-in for Google Cloud Storage, for tests: one server that keeps its objects in memory."""

import http.client
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.binaries import check_tools, install_by_go
from services.cache import cache_folder, provide
from services.ports import LOOPBACK
from services.processes import Server
from services.versions import GCS_MODULE

ANSWER_S = 2.0


class GoogleStandIn(Server):
    """A server with the interface of Google Cloud Storage."""

    title = "the stand-in for Google Cloud Storage"

    def __init__(self, folder: Path, program: Path, *, port: int) -> None:
        super().__init__(folder)
        self.program = program
        self.port = port

    @property
    def endpoint(self) -> str:
        """For clients: the value of STORAGE_EMULATOR_HOST."""
        return f"http://{LOOPBACK}:{self.port}"

    def command(self) -> Sequence[str]:
        words = ["-backend", "memory", "-scheme", "http", "-host", LOOPBACK, "-port", str(self.port)]
        # Clients are sent to the external URL. Downloads are requested by the public host name only.
        return [str(self.program), *words, "-external-url", self.endpoint, "-public-host", f"{LOOPBACK}:{self.port}"]

    def is_ready(self) -> bool:
        """Whether it accepts requests."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=ANSWER_S)
        try:
            connection.request("GET", "/storage/v1/b?project=any")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def path_of_program(environment: Mapping[str, str] = os.environ) -> Path:
    """The path of the emulator's program, whether or not it was built yet."""
    return cache_folder(environment) / f"fake-gcs-server-{GCS_MODULE}" / "fake-gcs-server"


def program(environment: Mapping[str, str] = os.environ) -> Path:
    """The stand-in's program, from the cache, or else built: a minute or more, the first time.

    Raises:
        ServicesFailed: a tool is missing, or failed.
    """
    wanted = path_of_program(environment)
    check_tools(["setpriv"] if wanted.is_file() else ["setpriv", "go"], environment)
    module = f"github.com/fsouza/fake-gcs-server@{GCS_MODULE}"
    provide(wanted.parent, lambda folder: install_by_go(module, folder, environment))
    return wanted
