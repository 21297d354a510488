"""Whose content a blob store has: that of one log, which a small file beside the objects names.

Without it, a second installation that is given the same bucket or folder would take the content of the first one for
its own garbage. Who writes first with a log at hand claims the store for it. A log into which the records of another
one were restored takes its content over: from then on the marker names the new log, and the old one is refused.
"""

import json
from dataclasses import dataclass

from headwater_schemas.errors import FormatTooNew, StoreNotOurs

MARKER = "headwater-log.json"
FORMAT = 1
MARKER_BYTES_MAX = 4096  # a marker has about 100

_KIND = "headwater content"


@dataclass(frozen=True, slots=True)
class Owner:
    """A log, whose events name the content of a store."""

    generation: str
    ancestors: tuple[str, ...] = ()  # the logs whose records were restored into it

    def marker(self) -> bytes:
        """What says that a store is of this log."""
        return json.dumps({"kind": _KIND, "format": FORMAT, "log": self.generation}).encode() + b"\n"

    def is_named_by(self, marker: bytes, store: str) -> bool:
        """Whether a store is of this log. If not, it is of an ancestor, and its marker has to be replaced.

        `store`: for people. Raises: StoreNotOurs when it is of another log; FormatTooNew.
        """
        found = log_in(marker, store)
        if found != self.generation and found not in self.ancestors:
            raise StoreNotOurs(
                f"{store} has the content of log {found}, and this is log {self.generation}; nothing was changed. Give "
                "each installation a bucket or folder of its own, or a prefix (s3_prefix); or restore that log with "
                "`headwater restore-log`."
            )
        return found == self.generation


def log_in(marker: bytes, store: str) -> str:
    """The generation of the log that a store is of. Raises: StoreNotOurs, FormatTooNew."""
    try:
        content = json.loads(marker)
        kind, version, log = content["kind"], content["format"], content["log"]
    except (ValueError, TypeError, KeyError, RecursionError):
        kind, version, log = None, None, None
    if kind == _KIND and isinstance(version, int) and version > FORMAT:
        raise FormatTooNew(
            f"{MARKER} in {store} has format {version}; this release reads up to {FORMAT}. Upgrade headwater."
        )
    if kind != _KIND or version != FORMAT or not isinstance(log, str):
        raise StoreNotOurs(
            f"{MARKER} in {store} does not say whose content that is; nothing was changed. Give another bucket, folder "
            "or prefix, or delete that file if it is not of another program."
        )
    return log
