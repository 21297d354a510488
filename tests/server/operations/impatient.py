"""headwater whose server soon shows signs of life, and soon gives up who takes nothing: `python -m … ARGUMENTS`."""

import pytest
from headwater.cli import main
from headwater_server.operations import streaming

PROGRAM = __name__ if __name__ != "__main__" else "tests.server.operations.impatient"
BEAT_S = 0.1
PIECE_S = 2.0

if __name__ == "__main__":
    patch = pytest.MonkeyPatch()
    patch.setattr(streaming, "HEARTBEAT_S", BEAT_S)
    patch.setattr(streaming, "PIECE_S_MAX", PIECE_S)
    main()
