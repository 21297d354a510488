"""Work in the background of the main loop: a thread for as long as a block lasts."""

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

JOIN_S = 5.0  # it is a daemon: a thread that does not end in time ends with the process


class BackgroundThread(ABC):
    """Runs `work` inside a `with` block; `stopping` tells it to end."""

    def __init__(self, name: str) -> None:
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self.work, name=f"headwater-{name}", daemon=True)

    @abstractmethod
    def work(self) -> None:
        """Runs until `stopping` is set."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._thread.join(JOIN_S)
