"""Values that clients pass back unchanged, as text that is safe in URLs."""

import base64
import binascii
import json
from typing import Any

_to_json = json.JSONEncoder(separators=(",", ":")).encode


def encode(value: Any) -> str:
    """Opaque text for a value of lists, texts and integers."""
    return base64.urlsafe_b64encode(_to_json(value).encode()).decode().rstrip("=")


def decode(text: str) -> Any:
    """What `encode` encoded, or any other JSON. Raises: ValueError where it is none."""
    try:
        return json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, RecursionError) as error:
        raise ValueError("not a result of `encode`") from error
