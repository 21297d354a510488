"""Names of what is staged in a folder and is not an object yet: `<pid>-<start>-<host>-<32 hex>`.

The process id, its start in clock ticks since boot, and a digest of the boot and the process-id namespace. If that
digest differs from one's own, whether the writer lives cannot be seen from here and only age can tell. Names of objects
are in `headwater_schemas.object_names`.
"""

import hashlib
import os
import re
import socket
import uuid
from functools import lru_cache

from headwater_schemas.errors import InvalidInput

_STAGED = re.compile(r"[0-9]+-[0-9]+-[0-9a-f]{16}-[0-9a-f]{32}")
_START_FIELD = 19  # in /proc/self/stat after the command in brackets; proc(5): starttime, the 22nd of all


def staged_name() -> str:
    """A new name for bytes that this process stages."""
    return f"{_writer(os.getpid())}-{uuid.uuid4().hex}"


def check_staged_name(name: str) -> str:
    """Return `name` if `staged_name` can have given it, anywhere. Raises: InvalidInput for anything else."""
    if not isinstance(name, str) or _STAGED.fullmatch(name) is None:
        raise InvalidInput(f"{str(name)[:300]!r} is not the name of anything staged; it was left alone.")
    return name


@lru_cache(maxsize=1)
def _writer(process_id: int) -> str:
    """`<pid>-<start>-<host>`. `process_id` is this process's own: a forked child is another writer."""
    try:
        with open("/proc/self/stat", "rb") as file:
            start = int(file.read().rpartition(b")")[2].split()[_START_FIELD])
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            host = file.read() + os.readlink("/proc/self/ns/pid").encode()
    except OSError:  # no /proc: only age tells then
        start, host = 0, socket.gethostname().encode()
    return f"{process_id}-{start}-{hashlib.blake2s(host, digest_size=8).hexdigest()}"
