"""What a run captured, as people and programs read it. Imports nothing heavy."""

from typing import Any

from headwater_schemas import metadata
from headwater_schemas.events import Capture


def as_dictionary(captured: Capture | None) -> dict[str, Any]:
    """What was captured, by name; without what is not known."""
    if captured is None:
        return {}
    code = {"commit": captured.commit, "remote": captured.remote, "branch": captured.branch, "dirty": captured.dirty}
    known = {name: value for name, value in code.items() if value is not None}
    return known if captured.environment is None else {**known, **metadata.decode(captured.environment)}
