"""Decode what nobody should send, in a process of its own, and say what that cost.

Run as `python -m tests.support.hostile`; each line of the input is one payload in hexadecimal. The output is one JSON
object a payload: the outcome, its message, and by how much the process's largest memory has grown so far.
"""

import json
import resource
import sys

from headwater_schemas import codec
from headwater_schemas.errors import UndecodableEvent, UnknownSchema

from tests.support.samples import SAMPLES

# Far over what decoding may take: it keeps a bug from taking the machine, and the growth that is reported judges.
ADDRESS_SPACE_GROWTH_MAX = 1 << 30
_KIB = 1024


def main() -> None:
    """Decode every line."""
    payloads = [bytes.fromhex(line) for line in sys.stdin]
    for sample in SAMPLES.values():
        codec.decode(codec.encode(sample))  # what is loaded once is not the payload's doing
    limit = _address_space() + ADDRESS_SPACE_GROWTH_MAX
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    before = _largest_memory()
    for payload in payloads:
        outcome, message = _decode(payload)
        print(json.dumps({"outcome": outcome, "message": message, "grown": _largest_memory() - before}))


def _decode(payload: bytes) -> tuple[str, str]:
    try:
        codec.decode(payload)
    except (UndecodableEvent, UnknownSchema) as error:
        return type(error).__name__, str(error)
    return "decoded", ""


def _largest_memory() -> int:
    # Not ru_maxrss, which a process inherits from the larger one that started it.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * _KIB for line in status if line.startswith("VmHWM"))


def _address_space() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    main()
