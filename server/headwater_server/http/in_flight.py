"""How many bytes of bodies the server holds at once. Who comes when it holds enough is told to come again.

A body counts from its beginning with the size that it is said to have, which costs who sends it nothing. So one caller
has a part of the bound alone: slow bodies of its own do not keep others out.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from headwater_server.http.problems import Problem, come_again


class BytesInFlight:
    """The bounds of one server. For the loop's thread alone."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._of: Counter[str] = Counter()  # by principal
        self.held = 0

    @contextmanager
    def held_for(self, size: int, principal: str) -> Iterator[None]:
        """A block in which `size` bytes of a caller's are held. Raises: Problem when there are too many already."""
        if self.held and self.held + size > self._most:
            raise _too_many(f"the server holds {self.held:,} bytes of other requests; {self._most:,} are its bound.")
        own = self._of.get(principal, 0)
        if own and own + size > self._most_of_one:
            found = f"the server holds {own:,} bytes of yours; {self._most_of_one:,} are the bound of one."
            raise _too_many(found, of_caller=True)
        self.held += size
        self._of[principal] += size
        try:
            yield
        finally:
            self.held -= size
            self._of[principal] -= size
            if not self._of[principal]:
                del self._of[principal]


def _too_many(found: str, *, of_caller: bool = False) -> Problem:
    return come_again("too-many-bytes", found, "Send it again in a moment.", of_caller=of_caller)
