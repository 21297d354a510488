"""How many of one kind a server has open: downloads, streams, waits. One caller has a part of the bound alone."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from headwater_server.http.problems import come_again


class OpenSlots:
    """Those of one server. For the loop's thread alone."""

    def __init__(self, what: str, most: int, most_of_one: int) -> None:
        """`what`: what they are, in the plural."""
        self._what, self._most, self._most_of_one = what, most, most_of_one
        self._of: Counter[str] = Counter()  # by principal

    def __len__(self) -> int:
        return self._of.total()

    @contextmanager
    def counted(self, principal: str) -> Iterator[None]:
        """A block in which one of a caller's is open. Raises: Problem when there are too many already."""
        if len(self) >= self._most:
            self._refuse(f"{self._most:,} {self._what} are open already.", of_caller=False)
        if self._of.get(principal, 0) >= self._most_of_one:
            self._refuse(
                f"{self._most_of_one:,} {self._what} of yours are open already, the bound of one.", of_caller=True
            )
        self._of[principal] += 1
        try:
            yield
        finally:
            self._of[principal] -= 1
            if not self._of[principal]:
                del self._of[principal]

    def _refuse(self, found: str, *, of_caller: bool) -> NoReturn:
        step = "Close some, or try again in a moment."
        raise come_again(f"too-many-{self._what.replace(' ', '-')}", found, step, of_caller=of_caller)
