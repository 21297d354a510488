"""The projection behind a server: the server is asked what became of what was written, and waits for who reads."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from headwater_consumer.queries.results import Answers, SentRange
from headwater_runtime.durations import format_seconds
from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.positions import Cut, Position

from headwater_stores.http.answers import answers_codec
from headwater_stores.http.connection import ServerConnection
from headwater_stores.http.outcomes import KnownOutcomes
from headwater_stores.http.refusals import refuse

WAIT_S_MAX = 20.0  # in one request; then it is asked again
AT_ONCE_MAX = 4096  # drafts, or ranges of events, in one question


class HttpProjection:
    """How a client of a server waits until what was written is projected."""

    def __init__(self, server: ServerConnection, generation: str, outcomes: KnownOutcomes) -> None:
        """`generation`: of the server's log. `outcomes`: what is known without asking."""
        self._server, self._outcomes, self._generation = server, outcomes, generation

    def ask(
        self,
        cut: Cut,
        drafts: Sequence[tuple[str, str]],
        ranges: Sequence[SentRange],
        *,
        patience_s: float,
        timeout_s: float,  # noqa: ARG002 - the server's projectors project
    ) -> Answers:
        """What became of these once the projection covers `cut`, or what there is after `patience_s`."""
        known = self._outcomes.take(cut, drafts, ranges)
        if known is not None:
            return known
        found = Answers({}, {}, [])
        for start in range(0, max(len(drafts), len(ranges), 1), AT_ONCE_MAX):
            part = slice(start, start + AT_ONCE_MAX)
            told = self._ask(cut, drafts[part], ranges[part], patience_s if start == 0 else 0.0)
            outcomes, rejections = {**found.outcomes, **told.outcomes}, [*found.rejections, *told.rejections]
            found = Answers(told.offsets if start == 0 else found.offsets, outcomes, rejections)
        return found

    def _ask(
        self, cut: Cut, drafts: Sequence[tuple[str, str]], ranges: Sequence[SentRange], patience_s: float
    ) -> Answers:
        wait_s = min(patience_s, WAIT_S_MAX)
        asked = {"cut": cut.encode(), "drafts": list(drafts), "ranges": list(ranges), "wait_s": wait_s}
        return answers_codec().decode(self._server.call("/v1/outcomes", asked), "the answer")

    def covers(self, cut: Cut) -> bool:
        """Whether everything in `cut` is in the projection."""
        return self._wait({"cut": cut.encode()}, 0.0)

    def catch_up(self, cut: Cut | None = None, *, timeout_s: float) -> None:
        """Return when the projection covers `cut`, everything on the log now unless given.

        Raises: StoreUnavailable when that takes longer than `timeout_s`.
        """
        self._catch_up({} if cut is None else {"cut": cut.encode()}, timeout_s)

    def catch_up_on(self, key: str, *, timeout_s: float) -> None:
        """Return when the projection covers everything on the log under `key`. Raises: as `catch_up`."""
        self._catch_up({"key": key}, timeout_s)

    def raise_overdue(self, cut: Cut, *, waited_s: float, gives_up: bool) -> None:  # noqa: ARG002 - servers wait
        """Raises: StoreUnavailable, unless the projection covers `cut` by now."""
        if not self.covers(cut):
            raise self._behind(waited_s)

    def awaited(self) -> str:
        """What a wait for this projection waits for, for people."""
        return f"the projection of {self._server.name}"

    def is_given_up(self, cut: Cut) -> bool:  # noqa: ARG002
        """Whether it is no use to wait: only the server's operator knows."""
        return False

    def check_log(self, *, records: bool) -> None:
        """The server has compared its log and its projection."""

    def watch_append(self) -> Callable[[Sequence[Position]], None]:
        """The server watches its appends."""
        return lambda _: None

    def reached(self) -> NoReturn:
        """Not told: clients compare cuts on the server."""
        refuse("reading how far the projection is", self._server.name)

    def now(self) -> NoReturn:
        """Not told, as `reached`."""
        refuse("reading the ends of the log", self._server.name)

    def _catch_up(self, what: dict[str, Any], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not self._wait(what, min(WAIT_S_MAX, max(0.0, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                raise self._behind(timeout_s)

    def _wait(self, what: dict[str, Any], wait_s: float) -> bool:
        return bool(self._server.call("/v1/wait", {**what, "wait_s": wait_s})["reached"])

    def _behind(self, waited_s: float) -> StoreUnavailable:
        return StoreUnavailable(
            f"the projection of {self._server.name} did not catch up within {format_seconds(waited_s)}. What was "
            "written is safe. Ask its operator whether a projector runs, or try again."
        )
