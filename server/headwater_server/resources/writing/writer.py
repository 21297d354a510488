"""What all JSON writes share: their events get their session and sequence, are written, and their outcome is told."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Query
from headwater_consumer.queries import Outcome, RejectionInfo
from headwater_schemas.errors import EventRejected, Reason
from headwater_schemas.events import DraftEvent, Event, Origin, Stamped
from headwater_schemas.problems import error_of
from headwater_schemas.submissions import WAIT_S_MAX, Contents, EventsRefused

from headwater_server.access.caller import Caller, CallerOf
from headwater_server.http.problems import Problem, problem_of
from headwater_server.resources.writing.idempotency import SessionOf
from headwater_server.submitting.submitter import Submitter, SubmitterOf

WAIT_S = 20.0  # for the outcome, unless the request says less

Wait = Annotated[
    float,
    Query(ge=0, le=WAIT_S_MAX, description="Seconds to wait for the outcome; then the answer is 202, with the cut."),
]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a request's events."""

    cut: str
    outcome: Outcome | None  # of its draft
    is_known: bool  # False: it is on the log, and will be known


@dataclass(frozen=True, slots=True)
class JsonWriter:
    """Writes the events of one request."""

    submitter: Submitter
    caller: Caller
    session: str
    wait_s: float

    async def write(
        self, events: Iterable[Event], *, contents: Iterable[Contents] = (), receipts: Iterable[bytes] = ()
    ) -> Result:
        """Write them. Raises: Problem that says why they were refused, or have no effect."""
        stamped = self._stamped(events)
        try:
            written = await self.submitter.write(
                stamped, self.caller, contents=contents, receipts=receipts, wait_s=self.wait_s
            )
        except EventsRefused as refused:
            raise _refused(refused) from None
        answers = written.answers
        if answers is not None and (rejections := self._own(answers.rejections)):
            raise _rejected(rejections[0])
        drafts = {(one.event.collection, one.event.draft) for one in stamped if isinstance(one.event, DraftEvent)}
        outcomes = [] if answers is None else [answers.outcomes[one] for one in drafts if one in answers.outcomes]
        is_known = answers is not None and all(one.version is not None for one in outcomes)
        return Result(written.cut.encode(), outcomes[0] if outcomes else None, is_known)

    def _stamped(self, events: Iterable[Event]) -> list[Stamped]:
        sequences: dict[str, int] = defaultdict(int)
        stamped = []
        for event in events:
            key = event.key
            origin = Origin(
                session=self.session,
                sequence=sequences[key],
                clock=datetime.now(UTC),
                author=self.caller.principal,
            )
            sequences[key] += 1
            stamped.append(Stamped(origin, event))
        return stamped

    def _own(self, rejections: Sequence[RejectionInfo]) -> list[RejectionInfo]:
        return [one for one in rejections if one.session == self.session]


async def json_writer(submitter: SubmitterOf, caller: CallerOf, session: SessionOf, wait: Wait = WAIT_S) -> JsonWriter:
    """The writer of a request."""
    return JsonWriter(submitter, caller, session, wait)


WriterOf = Annotated[JsonWriter, Depends(json_writer)]


def status_of(result: Result, known: HTTPStatus = HTTPStatus.OK) -> HTTPStatus:
    """Of an answer: `known`, or that it is accepted."""
    return known if result.is_known else HTTPStatus.ACCEPTED


def _refused(refused: EventsRefused) -> Problem:
    """Nothing was written."""
    first = refused.refusals[0]
    return problem_of(error_of(first.word, first.message) or refused, "")


def _rejected(rejection: RejectionInfo) -> Problem:
    """It is on the log, and has no effect."""
    return problem_of(EventRejected(rejection.message, reason=Reason(rejection.reason)), "")
