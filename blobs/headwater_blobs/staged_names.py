"""Names of staged bytes in a folder, after their writer: `<pid>-<start>-<host>-<32 hex>`.

That is the process id, its start in clock ticks since boot, and a digest of the boot and the process-id namespace.
Where that digest differs from one's own, this process cannot find out whether the writer still runs, and can only judge
by age. Names of objects are in `headwater_schemas.object_names`.
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
    """A new name for staged bytes of this process."""
    return f"{_writer(os.getpid())}-{uuid.uuid4().hex}"


def check_staged_name(name: str) -> str:
    """Return `name` if it has the form of `staged_name`, of any process. Raises: InvalidInput for anything else."""
    if not isinstance(name, str) or _STAGED.fullmatch(name) is None:
        raise InvalidInput(
            f"{str(name)[:300]!r} is not the name of staged bytes; nothing was done. Pass one from `abandoned`."
        )
    return name


@lru_cache(maxsize=1)
def _writer(process_id: int) -> str:
    """`<pid>-<start>-<host>`. `process_id` is this process's own: a forked child is another writer."""
    try:
        with open("/proc/self/stat", "rb") as file:
            start = int(file.read().rpartition(b")")[2].split()[_START_FIELD])
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            host = file.read() + os.readlink("/proc/self/ns/pid").encode()
    except OSError:  # no /proc: others can only judge by age
        start, host = 0, socket.gethostname().encode()
    return f"{process_id}-{start}-{hashlib.blake2s(host, digest_size=8).hexdigest()}"
