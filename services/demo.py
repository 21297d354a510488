"""`python -m services.demo`: run the demo on real servers. Only its settings differ."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from services import ServicesFailed, lifecycle
from services.__main__ import FOLDER
from services.cache import report

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "examples" / "digits_pipeline.py"
WORK = ROOT / ".build" / "demo-services"
STOP_S = 30.0  # for the batch in progress


def main() -> int:
    """Start the servers if necessary, run the demo, and stop them if they were started here."""
    try:
        with lifecycle.running(FOLDER) as servers, projector(environment := {**os.environ, **servers.environment()}):
            command = [sys.executable, str(SCRIPT), str(WORK), "--store", environment["HEADWATER_URL"]]
            return subprocess.run(command, env=environment, check=False).returncode
    except ServicesFailed as error:
        report(f"services: {error}")
        return 1


@contextmanager
def projector(environment: Mapping[str, str]) -> Iterator[None]:
    """Run `headwater projector` during the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "headwater", "projector", "--port", "0", "--quiet"], env=dict(environment)
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    raise SystemExit(main())
