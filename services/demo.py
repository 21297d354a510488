"""`python -m services.demo`: the demo, on real servers. The script is the same; only settings differ."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from services import ServicesFailed, standing
from services.__main__ import FOLDER
from services.cache import say

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "examples" / "digits_pipeline.py"
WORK = ROOT / ".build" / "demo-services"
STOP_S = 30.0  # a projector finishes the batch in hand


def main() -> int:
    """Start what is not up, run the demo, and end what was started here."""
    try:
        was_up = all(standing.states(FOLDER).values() or [False])
        environment = {**os.environ, **standing.up(FOLDER).environment()}
    except ServicesFailed as error:
        say(f"services: {error}")
        return 1
    try:
        with projector(environment):
            return subprocess.run([sys.executable, str(SCRIPT), str(WORK)], env=environment, check=False).returncode
    finally:
        if not was_up:
            standing.down(FOLDER)


@contextmanager
def projector(environment: Mapping[str, str]) -> Iterator[None]:
    """`headwater projector` beside whatever runs in the block."""
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
