"""Resources that are opened in steps: what is open is closed again where a later step fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar


class Closable(Protocol):
    """What has to be closed."""

    def close(self) -> object: ...


C = TypeVar("C", bound=Closable)


@contextmanager
def closed_on_failure(resource: C) -> Iterator[C]:
    """A block in which nobody else has `resource` yet: it is closed if the block raises, whatever that is."""
    try:
        yield resource
    except BaseException:
        resource.close()
        raise
