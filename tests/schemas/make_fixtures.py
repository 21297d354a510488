"""Write the byte fixture and the fingerprint of each schema version that has none yet.

Run it as `python -m tests.schemas.make_fixtures` after adding a schema version and its sample. What is there is never
touched: a fixture stands for bytes that are in somebody's log.
"""

import hashlib
from pathlib import Path

from headwater_schemas import codec

from tests.support.samples import SAMPLES

FIXTURES = Path(__file__).parent.parent / "fixtures"
FINGERPRINTS = FIXTURES / "fingerprints.txt"
_BYTES_PER_LINE = 32


def fixture_of(name: str, number: int) -> Path:
    """Where the bytes of one schema version lie."""
    return FIXTURES / "events" / f"{name}.{number}.hex"


def fingerprint_line(name: str, number: int) -> str:
    """`NAME.N`, the fingerprint on the wire, and SHA-256 of the file.

    The wire's fingerprint covers neither defaults nor logical types, which decide how an old event is read; the file's
    does.
    """
    wire = codec.encode(SAMPLES[name, number])[len(codec.MAGIC) :][:8]
    file = hashlib.sha256(codec.schema_text(name, number).encode()).hexdigest()
    return f"{name}.{number} {wire.hex()} {file}"


def main() -> None:
    """Fill in what is missing."""
    recorded = FINGERPRINTS.read_text().splitlines() if FINGERPRINTS.exists() else []
    known = {line.split()[0] for line in recorded}
    newest = [(name, numbers[-1]) for name, numbers in codec.released_schemas().items()]
    for name, number in newest:
        if f"{name}.{number}" not in known:
            recorded.append(fingerprint_line(name, number))
        if not fixture_of(name, number).exists():
            encoded = codec.encode(SAMPLES[name, number])
            lines = [encoded[i : i + _BYTES_PER_LINE].hex() for i in range(0, len(encoded), _BYTES_PER_LINE)]
            fixture_of(name, number).write_text("\n".join(lines) + "\n")
            print(f"wrote {fixture_of(name, number).name}")
    FINGERPRINTS.write_text("\n".join(sorted(recorded)) + "\n")


if __name__ == "__main__":
    main()
