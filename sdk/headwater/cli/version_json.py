"""A version for programs, in `ls` and `show`."""

import json
from typing import TYPE_CHECKING, Any

from headwater.cli.output import iso

if TYPE_CHECKING:
    from headwater_consumer.queries import VersionInfo

CLOCK_TOLERANCE_US = 60_000_000  # a clock that is off by less misleads nobody


def version_json(info: "VersionInfo") -> dict[str, Any]:
    """What is recorded about it."""
    return {
        "artifact": f"{info.collection}:v{info.version}",
        "type": info.type,
        "digest": info.digest,
        "files": info.entry_count,
        "size_bytes": info.size_bytes,
        "aliases": list(info.aliases),
        "tags": list(info.tags),
        "description": info.description,
        "metadata": json.loads(info.metadata),
        "logged_by": info.run,
        "created": iso(info.created_us),
        "created_by_log_clock": _clock_of_log(info),
        "updated": iso(info.updated_us),
        "state": info.state,
        "ttl_seconds": info.ttl_seconds,
        "recalled": info.recalled,
        "imported": [
            {"store": one.store, "artifact": one.version, "author": one.author, "created": iso(one.time_us)}
            for one in info.imported
        ],
    }


def _clock_of_log(info: "VersionInfo") -> str | None:
    """When it was created by the clock of the log, where that was set back since an earlier record."""
    if abs(info.append_us - info.created_us) < CLOCK_TOLERANCE_US:
        return None
    return iso(info.append_us)
