"""docs/webhooks.md: its receiver and its commands do what it says, as they stand there."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.support.page_session import blocks_of
from tests.support.serving import until

PAGE = "docs/webhooks.md"
TEXT = (Path(__file__).parents[2] / PAGE).read_text("utf-8")


def test_a_reader_of_the_page_gets_what_it_says(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        ports = first.getsockname()[1], second.getsockname()[1]
    receiver = next(block for block in blocks_of(PAGE) if "serve_forever" in "\n".join(block.lines))
    (tmp_path / "receiver.py").write_text("\n".join(receiver.lines).replace("8480", str(ports[0])))
    (tmp_path / "cats.txt").write_text("a cat")
    commands = re.findall(r"(?m)^\$ (.+)$", TEXT)
    script = "\n".join(command for command in commands if not command.startswith("pip"))
    script = script.replace("8480", str(ports[0])).replace("~/headwater-store", str(tmp_path / "store"))
    ready = f"until curl -sf http://127.0.0.1:{ports[1]}/health > health; do sleep 0.1; done"
    script = script.replace("127.0.0.1 &\n", f"127.0.0.1 --port {ports[1]} &\n{ready}\n")
    promised = re.search(r"The receiver prints `(.+)`", TEXT)
    assert promised is not None

    path = os.pathsep.join((str(tmp_path), os.environ["PATH"]))
    for name, module in (("headwater", "-m headwater"), ("python", "")):
        (tmp_path / name).write_text(f'#!/bin/sh\nexec {sys.executable} {module} "$@"\n')
        (tmp_path / name).chmod(0o755)
    printed = tmp_path / "printed.txt"
    with printed.open("wb") as out:
        shell = subprocess.Popen(
            ["bash", "-ec", f"{script}\nwait"],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            until(lambda: promised[1] in printed.read_text())
        finally:
            os.killpg(shell.pid, signal.SIGTERM)
            shell.wait(30)
