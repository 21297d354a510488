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

    def __init__(self, folder: Path, program: Path, *, port: int, password: str, lasting: bool = False) -> None:
        super().__init__(folder, lasting=lasting)
        self.program = program
        self.port = port
        self.password = password

    @property
    def endpoint(self) -> str:
        """For clients: its URL."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def data(self) -> Path:
        """Where its objects are: one folder a bucket."""
        return self.folder / "data"

    def command(self) -> Sequence[str]:
        return [str(self.program), "server", "--quiet", "--address", f"{LOOPBACK}:{self.port}", str(self.data)]

    def environment(self) -> Mapping[str, str]:
        return {
            "MINIO_ROOT_USER": USER,
            "MINIO_ROOT_PASSWORD": self.password,
            "MINIO_BROWSER": "off",  # its page would listen on a port of its own
            "MINIO_UPDATE": "off",  # nor does it ask anybody for newer versions
            "MINIO_CALLHOME_ENABLE": "off",
        }

    def answers(self) -> bool:
        """Whether it takes requests."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=ANSWER_S)
        try:
            connection.request("GET", "/minio/health/ready")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
