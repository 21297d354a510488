"""The connections to a database, and blocks with one that was borrowed, in or out of a transaction."""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from types import TracebackType

from headwater_runtime.pools import Pool
from headwater_schemas.errors import StoreUnavailable

from headwater_consumer.database.connection import Connection
from headwater_consumer.database.port import DatabaseAdapter


def connections_of(adapter: DatabaseAdapter) -> Pool[Connection]:
    """The connections of this process to one database."""
    return Pool(
        adapter.name,
        adapter.connect,
        Connection.close,
        unavailable=StoreUnavailable,
        is_usable=adapter.is_reusable,
        idle_s=adapter.idle_s,
    )


class Block:
    """A block with a connection, in a transaction where that is begun, in which errors of the driver become ours."""

    __slots__ = ("_adapter", "_begin", "_connection", "_loan")

    def __init__(self, adapter: DatabaseAdapter, loan: AbstractContextManager[Connection], begin: str | None) -> None:
        """`begin` is sent to the driver: it would begin by itself only before the first write, too late to read."""
        self._adapter = adapter
        self._loan = loan
        self._begin = begin

    def __enter__(self) -> Connection:
        try:
            self._connection = self._loan.__enter__()
            if self._begin is not None:
                self._within_loan(self._connection.driver.execute, self._begin)
        except self._adapter.errors as error:
            raise self._adapter.to_store_error(error) from error
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._begin is not None:
                if kind is None:
                    self._within_loan(self._connection.commit)
                else:
                    with suppress(*self._adapter.errors):  # a broken connection has nothing to roll back
                        self._connection.rollback()
            self._loan.__exit__(kind, error, traceback)
        except self._adapter.errors as failure:
            raise self._adapter.to_store_error(failure) from failure
        if isinstance(error, self._adapter.errors):
            raise self._adapter.to_store_error(error) from error

    def _within_loan(self, action: Callable[..., object], *arguments: object) -> None:
        """Where `action` fails, the connection is given back as one that failed."""
        try:
            action(*arguments)
        except BaseException as error:
            self._loan.__exit__(type(error), error, error.__traceback__)
            raise
