"""What the next release may do, tried on a copy of the package: a field more, with a default, in a new schema version.

The copy is a release that does not exist, so the test runs it in a process of its own.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import headwater_schemas
import pytest
from headwater_schemas import codec
from headwater_schemas.errors import UnknownSchema
from headwater_schemas.events import Stamped, VersionRecalled

from tests.support import avro
from tests.support.samples import ORIGIN

REASON = "labels of 3 and 8 swapped"
RECALLED = Stamped(ORIGIN, VersionRecalled(collection="e/p/c", version=2, reason=REASON))


@pytest.fixture(scope="module")
def next_release(module_path: Path) -> Path:
    """A folder with a package in which `version-recalled` has two fields more."""
    package = module_path / "headwater_schemas"
    shutil.copytree(Path(headwater_schemas.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    source = (package / "events.py").read_text()
    anchor = "    version: int\n    reason: str\n"
    assert source.count(anchor) == 1
    fields = "    severity: str = 'grave'\n    replaced_by: tuple[int, ...] = ()\n"
    (package / "events.py").write_text(source.replace(anchor, anchor + fields))
    schema = json.loads(codec.schema_text("version-recalled", 1))
    schema["fields"].append({"name": "severity", "type": "string", "default": "grave"})
    schema["fields"].append({"name": "replaced_by", "type": {"type": "array", "items": "long"}, "default": []})
    (package / "avsc" / "version-recalled.2.avsc").write_text(json.dumps(schema))
    with open(package / "fingerprints.py", "a") as table:
        wire = avro.crc_64(avro.canonical_form(schema).encode()).to_bytes(8, "little")
        print(f'FINGERPRINTS["version-recalled.2"] = "{wire.hex()}"', file=table)
    return module_path


def run(release: Path, program: str, stdin: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(release), "PYTHONDONTWRITEBYTECODE": "1"}
    prelude = "import sys\nfrom headwater_schemas import codec\npayload = bytes.fromhex(sys.stdin.read())\n"
    command = [sys.executable, "-c", prelude + program]
    done = subprocess.run(command, input=stdin, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_next_release_reads_an_old_event_with_the_defaults_of_its_new_fields(next_release: Path) -> None:
    program = "event = codec.decode(payload).event\nprint(event.reason, event.severity, event.replaced_by)"

    assert run(next_release, program, codec.encode(RECALLED).hex()) == f"{REASON} grave ()\n"


def test_the_next_release_reads_and_writes_its_own_events(next_release: Path) -> None:
    program = (
        "import dataclasses\n"
        "stamped = codec.decode(payload)\n"
        "event = dataclasses.replace(stamped.event, severity='mild', replaced_by=(3, 4))\n"
        "written = codec.encode(dataclasses.replace(stamped, event=event))\n"
        "print(codec.decode(written).event == event, written[2:10] != payload[2:10])"
    )

    assert run(next_release, program, codec.encode(RECALLED).hex()) == "True True\n"


def test_this_release_says_of_the_next_ones_event_that_a_newer_release_wrote_it(next_release: Path) -> None:
    written = run(next_release, "print(codec.encode(codec.decode(payload)).hex())", codec.encode(RECALLED).hex())

    with pytest.raises(UnknownSchema, match=r"a newer headwater wrote the event\. Upgrade"):
        codec.decode(bytes.fromhex(written))
