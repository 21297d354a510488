"""headwater with small ranges, so that a small file goes in many: `python -m tests.server.small_ranges ARGUMENTS`."""

import time
from typing import Any

import headwater_stores.http.blobs as client
import pytest
from headwater.cli import main
from headwater_server.submitting import partial_uploads
from headwater_stores.http.ranges import RangedUpload

PROGRAM = __name__ if __name__ != "__main__" else "tests.server.small_ranges"
RANGE_BYTES = 1024 * 1024
RANGE_S_MIN = 0.02  # a test that acts in the middle of a file comes before its last range


def make_small(patch: pytest.MonkeyPatch) -> None:
    """In this process: of the server, and of the client."""
    patch.setattr(partial_uploads, "RANGE_BYTES", RANGE_BYTES)
    patch.setattr(client, "RANGED_BYTES_MIN", RANGE_BYTES)
    send = RangedUpload._send

    def send_slowly(*arguments: Any) -> Any:
        time.sleep(RANGE_S_MIN)
        return send(*arguments)

    patch.setattr(RangedUpload, "_send", send_slowly)


if __name__ == "__main__":
    make_small(pytest.MonkeyPatch())
    main()
