"""The log behind a server: what is appended goes there with the small contents that it names, in one request.

What became of it comes with the answer, and is kept for who asks next.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from headwater_eventlog.port import RECORDS_PER_READ_MAX, NewRecord, RecordsRefused
from headwater_schemas import digests
from headwater_schemas.errors import BlobMissing, DurabilityUnknown, InvalidInput, StoreNotAnswering, StoreUnavailable
from headwater_schemas.headers import sequence_of, session_of
from headwater_schemas.keys import RUN
from headwater_schemas.positions import Position
from headwater_schemas.problems import error_of
from headwater_schemas.submissions import (
    EVENTS_MAX,
    MEDIA_TYPE,
    SUBMISSION_BYTES_MAX,
    Contents,
    EventsRefused,
    Submission,
)

from headwater_stores.http.answers import answers_codec
from headwater_stores.http.connection import ServerConnection
from headwater_stores.http.outcomes import KnownOutcomes
from headwater_stores.http.refusals import refuse
from headwater_stores.http.uploads import StagedContents

WAIT_S = 2.0  # for what becomes of events, in the request that writes them; then it is asked for by itself
EVENTS_BYTES_MAX = SUBMISSION_BYTES_MAX - 17 * 1024 * 1024  # of one request: contents and receipts go along
ANSWER_S = 60.0  # for the server to answer, longer than it waits for its log


class HttpLog:
    """An `EventLog` that is written through a server. Reading it is for projectors, and not done through one."""

    def __init__(
        self, server: ServerConnection, identity: Mapping[str, Any], staged: StagedContents, outcomes: KnownOutcomes
    ) -> None:
        """`identity`: what the server said of its log."""
        self._server, self._staged, self._outcomes = server, staged, outcomes
        self.generation = str(identity["generation"])
        self.ancestors = tuple(map(str, identity["ancestors"]))
        self.partitions = int(identity["partitions"])

    def append(self, records: Sequence[NewRecord], *, timeout_s: float) -> list[Position]:
        """As the port says. Where the server is away, it is tried for `timeout_s`."""
        positions: list[Position] = []
        for part in _parts(records):
            try:
                positions += self._submit(part, timeout_s)
            except EventsRefused as refused:
                errors = _records_refused(refused, len(positions))
                if any(isinstance(error, BlobMissing) for error in errors.errors.values()):
                    self._staged.note_gone([record.payload for record in part])
                raise errors from None
        return positions

    def partition_of(self, key: str) -> NoReturn:  # noqa: ARG002
        refuse("finding the partition of a key", self._server.name)

    def read(self, partition: int, *, after: int, limit: int = RECORDS_PER_READ_MAX) -> NoReturn:  # noqa: ARG002
        refuse("reading the log", self._server.name)

    def end(self, partition: int) -> NoReturn:  # noqa: ARG002
        refuse("reading the log", self._server.name)

    def ends(self) -> NoReturn:
        refuse("reading the log", self._server.name)

    def close(self) -> None:
        """The connection belongs to all parts of the store."""

    def _submit(self, records: Sequence[NewRecord], timeout_s: float) -> list[Position]:
        body = self._submission(records).encode()
        try:
            answer = self._server.request(
                "POST", "/v1/submit", body, headers={"Content-Type": MEDIA_TYPE}, timeout_s=ANSWER_S, outage_s=timeout_s
            ).json
        except StoreNotAnswering as error:  # it may have written it, and its answer got lost
            raise DurabilityUnknown(str(error)) from error
        return self._taken(records, answer)

    def _submission(self, records: Sequence[NewRecord]) -> Submission:
        payloads = [record.payload for record in records]
        along: dict[tuple[str, str], list[bytes]] = {}
        receipts: list[bytes] = []
        for project, staged in self._staged.named_in(payloads):
            if staged.contents:
                along.setdefault((project, staged.algorithm), []).extend(staged.contents)
            elif project in staged.receipts:
                receipts.append(staged.receipts[project])
        contents = [Contents(*of, found) for of, found in along.items()]
        wait_s = WAIT_S if any(not record.key.startswith(RUN) for record in records) else 0.0
        return Submission(events=payloads, contents=contents, receipts=receipts, wait_s=wait_s)

    def _taken(self, records: Sequence[NewRecord], answer: Any) -> list[Position]:
        try:
            positions = [Position(*map(int, one)) for one in answer["positions"]]
            told = answer["answers"]
            in_vain = [(digests.of_text(text), int(size)) for text, size in answer["stored_before"]]
        except (KeyError, TypeError, ValueError):
            raise _not_understood(self._server.name) from None
        if len(positions) != len(records):
            raise _not_understood(self._server.name)
        for digest, size in in_vain:
            self._staged.note_in_vain(digest, size)
        if told is not None:
            ranges = [(session_of(one.headers), one.key, sequence_of(one.headers)) for one in records]
            self._outcomes.note(ranges, answers_codec().decode(told, "the answer"))
        return positions


def _parts(records: Sequence[NewRecord]) -> list[list[NewRecord]]:
    """What one request takes, in order."""
    parts: list[list[NewRecord]] = [[]]
    size = 0
    for record in records:
        size += len(record.payload)
        if parts[-1] and (size > EVENTS_BYTES_MAX or len(parts[-1]) == EVENTS_MAX):
            parts.append([])
            size = len(record.payload)
        parts[-1].append(record)
    return parts


def _records_refused(refused: EventsRefused, before: int) -> RecordsRefused:
    """By the log's port. `before`: records that went before these."""
    return RecordsRefused(
        {before + one.index: error_of(one.word, one.message) or InvalidInput(one.message) for one in refused.refusals}
    )


def _not_understood(name: str) -> StoreUnavailable:
    return StoreUnavailable(f"{name} gave an answer that this release does not understand. Upgrade headwater.")
