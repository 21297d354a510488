"""Group commit: a group leaves when the one before it is done, with everything that has come meanwhile.

A group is appended in one round, then waited for and asked about together with all groups that were appended meanwhile:
one look-up tells all outcomes. The next group leaves as soon as the one before it is on the log. So of one session only
one group is in flight, as long as its writer sends one submission after the other.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from headwater_consumer.queries import Answers, SentRange
from headwater_schemas.errors import HeadwaterError
from headwater_schemas.events import DraftEvent, Stamped
from headwater_schemas.positions import Cut, Position

from headwater_server.full_disk import projected
from headwater_server.http.open_slots import OpenSlots
from headwater_server.http.problems import Problem
from headwater_server.limits import (
    ANSWERS_AT_ONCE_MAX,
    GROUP_BYTES_MAX,
    GROUP_EVENTS_MAX,
    GROUP_MEMBERS_MAX,
    RANGES_AT_ONCE_MAX,
    SUBMISSIONS_MAX,
    SUBMISSIONS_OF_PRINCIPAL_MAX,
)
from headwater_server.service import Service
from headwater_server.submitting.appending import Appended, GroupAppender, Outcome
from headwater_server.submitting.places import Prepared

PROJECTING_S = 20.0  # for what a group of a folder appended; then its outcome is asked for by other requests
T = TypeVar("T")
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a submission that was appended."""

    cut: Cut
    positions: Sequence[Position]
    answers: Answers | None  # None where nobody asked, or the projection did not have it in time
    stored_before: Sequence[tuple[bytes, int]]  # digest and size of content that came along, and was there already


@dataclass(eq=False, slots=True)
class _Member:
    prepared: Prepared
    appended: "asyncio.Future[Appended]"


@dataclass(eq=False, slots=True)
class _Question:
    cut: Cut
    drafts: list[tuple[str, str]]
    ranges: list[SentRange]
    answered: "asyncio.Future[Answers]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Groups:
    """The groups of one server. For the loop's thread alone, but for what says otherwise."""

    def __init__(self, service: Service, appender: GroupAppender) -> None:
        self._service = service
        self._appender = appender
        self._open = OpenSlots("submissions", SUBMISSIONS_MAX, SUBMISSIONS_OF_PRINCIPAL_MAX)
        self._waiting: deque[_Member] = deque()
        self._questions: list[_Question] = []
        self._appending: asyncio.Task[None] | None = None
        self._answering: asyncio.Task[None] | None = None
        # Threads of their own: neither slow transfers nor slow queries hold commits up.
        self._append_thread = ThreadPoolExecutor(1, "headwater-append")
        self._answer_thread = ThreadPoolExecutor(1, "headwater-answer")
        metrics = service.metrics
        self._sizes = metrics.histogram("group_members", "Submissions that were appended together.", _SIZES)
        metrics.gauge("submissions_waiting", "Submissions that wait for their group.", lambda: len(self._waiting))

    async def write(self, prepared: Prepared, *, principal: str, wait_s: float) -> Written:
        """Append what a client sent, with what others send; where `wait_s` is given, wait so long for its outcome.

        Raises: EventsRefused; StoreUnavailable when nothing was written, DurabilityUnknown when that is not known;
        Problem when too many wait, or too many of this principal.
        """
        with self._open.counted(principal):
            return await self._write(prepared, principal, wait_s)

    async def _write(self, prepared: Prepared, principal: str, wait_s: float) -> Written:
        appended = await self._append(prepared)
        positions = appended.positions
        log = self._service.stores.log
        cut = Cut(log.generation).including(*positions)
        answers = await self._ask(cut, prepared.events, principal, wait_s) if wait_s and positions else None
        return Written(cut, positions, answers, appended.stored_before)

    async def _append(self, prepared: Prepared) -> Appended:
        member = _Member(prepared, asyncio.get_running_loop().create_future())
        self._waiting.append(member)
        if self._appending is None:
            self._appending = asyncio.create_task(self._append_all())
        return await asyncio.shield(member.appended)

    async def _append_all(self) -> None:
        """Until nobody waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            group = self._next_group()
            self._sizes.observe(len(group))
            prepared = [member.prepared for member in group]
            appending = loop.run_in_executor(self._append_thread, self._appender.append, prepared)
            await asyncio.wait([appending])
            failure = appending.exception()  # whatever it is: each member raises it
            outcomes: Sequence[Outcome | BaseException]
            outcomes = appending.result() if failure is None else [failure] * len(group)
            for member, outcome in zip(group, outcomes, strict=True):
                _settle(member.appended, outcome)
        self._appending = None

    def _next_group(self) -> list[_Member]:
        group = [self._waiting.popleft()]
        events, size = len(group[0].prepared.events), group[0].prepared.size
        while self._waiting and len(group) < GROUP_MEMBERS_MAX:
            following = self._waiting[0].prepared
            events, size = events + len(following.events), size + following.size
            if events > GROUP_EVENTS_MAX or size > GROUP_BYTES_MAX:
                break
            group.append(self._waiting.popleft())
        return group

    async def _ask(self, cut: Cut, events: Sequence[Stamped], principal: str, wait_s: float) -> Answers | None:
        question = _Question(cut, _drafts(events), _ranges(events))
        try:
            if self._service.stores.is_remote:
                await self._service.waits.wait(cut, wait_s, principal=principal, is_on_log=True)
            self._questions.append(question)
            if self._answering is None:
                self._answering = asyncio.create_task(self._answer_all())
            return await asyncio.wait_for(asyncio.shield(question.answered), wait_s)
        except (TimeoutError, HeadwaterError, Problem):
            return None  # what was written is safe, and who asks again is told more

    async def _answer_all(self) -> None:
        """Until nobody asks."""
        loop = asyncio.get_running_loop()
        while self._questions:
            asked, self._questions = self._questions, []
            answering = loop.run_in_executor(self._answer_thread, self._answers, asked)
            await asyncio.wait([answering])
            failure = answering.exception()  # whatever it is: each who asks raises it
            answers: Sequence[Answers | BaseException]
            answers = answering.result() if failure is None else [failure] * len(asked)
            for question, answer in zip(asked, answers, strict=True):
                _settle(question.answered, answer)
        self._answering = None

    def _answers(self, asked: Sequence[_Question]) -> list[Answers]:
        """In a thread: what became of each. On a folder this projects, for all of them."""
        stores, found = self._service.stores, list[Answers]()
        for part in _parts(asked):
            cut = part[0].cut
            for question in part[1:]:
                cut = Cut(cut.generation, {**cut.offsets, **_highest(cut, question.cut)})
            drafts = list(dict.fromkeys(draft for question in part for draft in question.drafts))
            ranges = list(dict.fromkeys(one for question in part for one in question.ranges))
            ask = partial(stores.projection.ask, cut, drafts, ranges, patience_s=0.0, timeout_s=PROJECTING_S)
            told = projected(stores, ask)
            found += [_of(question, told) for question in part]
        return found


def _settle(future: "asyncio.Future[T]", outcome: T | BaseException) -> None:
    if future.done():
        return
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
        future.exception()  # nobody may be there any more to take it
    else:
        future.set_result(outcome)


def _highest(one: Cut, other: Cut) -> dict[int, int]:
    return {p: max(offset, one.offsets.get(p, offset)) for p, offset in other.offsets.items()}


def _parts(asked: Sequence[_Question]) -> list[list[_Question]]:
    """Those that one statement answers."""
    parts: list[list[_Question]] = [[]]
    drafts = ranges = 0
    for question in asked:
        drafts, ranges = drafts + len(question.drafts), ranges + len(question.ranges)
        if parts[-1] and (drafts > ANSWERS_AT_ONCE_MAX or ranges > RANGES_AT_ONCE_MAX):
            parts.append([])
            drafts, ranges = len(question.drafts), len(question.ranges)
        parts[-1].append(question)
    return parts


def _of(question: _Question, told: Answers) -> Answers:
    """What one client asked, and no more."""
    sessions = {(one.session, one.key) for one in question.ranges}
    return Answers(
        {p: told.offsets[p] for p in question.cut.offsets if p in told.offsets},
        {draft: told.outcomes[draft] for draft in question.drafts if draft in told.outcomes},
        [one for one in told.rejections if (one.session, one.key) in sessions],
    )


def _drafts(events: Sequence[Stamped]) -> list[tuple[str, str]]:
    asked = (one.event for one in events if isinstance(one.event, DraftEvent))
    return list(dict.fromkeys((event.collection, event.draft) for event in asked))


def _ranges(events: Sequence[Stamped]) -> list[SentRange]:
    ranges: dict[tuple[str, str], SentRange] = {}
    for stamped in events:
        origin, key = stamped.origin, stamped.event.key
        before = ranges.get((origin.session, key))
        first = origin.sequence if before is None else before.first_sequence
        ranges[origin.session, key] = SentRange(origin.session, key, first, origin.sequence)
    return list(ranges.values())
