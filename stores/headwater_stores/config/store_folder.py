"""The file that makes a folder a headwater store."""

import json
import os

MARKER = "headwater.json"
STORE_KIND = "headwater"

_MARKER_BYTES_MAX = 4096  # a marker has about 40


def is_store(folder: str) -> bool:
    """Whether there is a store in `folder`, of whatever format. A file of another program is no marker."""
    try:
        with open(os.path.join(folder, MARKER), "rb") as file:
            content = json.loads(file.read(_MARKER_BYTES_MAX))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("store") == STORE_KIND
