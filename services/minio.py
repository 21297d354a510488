"""MinIO: one server on one folder."""

import http.client
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.ports import LOOPBACK
from services.processes import Server
from services.versions import USER

ANSWER_S = 2.0


class Minio(Server):
    """One MinIO server."""

    title = "MinIO"

    def __init__(self, folder: Path, program: Path, *, port: int, password: str, detached: bool = False) -> None:
        super().__init__(folder, detached=detached)
        self.program = program
        self.port = port
        self.password = password

    @property
    def endpoint(self) -> str:
        """For clients: its URL."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def data(self) -> Path:
        """The folder of its objects, with one folder per bucket."""
        return self.folder / "data"

    def command(self) -> Sequence[str]:
        return [str(self.program), "server", "--quiet", "--address", f"{LOOPBACK}:{self.port}", str(self.data)]

    def environment(self) -> Mapping[str, str]:
        return {
            "MINIO_ROOT_USER": USER,
            "MINIO_ROOT_PASSWORD": self.password,
            "MINIO_BROWSER": "off",  # the web page would need another port
            "MINIO_UPDATE": "off",  # no requests for newer versions
            "MINIO_CALLHOME_ENABLE": "off",
        }

    def is_ready(self) -> bool:
        """Whether it accepts requests."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=ANSWER_S)
        try:
            connection.request("GET", "/minio/health/ready")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
