"""What a server offers its routes for writing: one call that checks, stores, appends and tells the outcome."""

from collections.abc import Iterable, Sequence
from typing import Annotated

from fastapi import Depends, Request
from headwater_schemas.access import WRITER
from headwater_schemas.events import ScopeEvent, SettingsChanged, Stamped
from headwater_schemas.submissions import Contents, Submission

from headwater_server.access.caller import Caller
from headwater_server.access.judging import Judge
from headwater_server.access.rules import require
from headwater_server.http.open_slots import OpenSlots
from headwater_server.limits import UPLOADS_MAX, UPLOADS_OF_PRINCIPAL_MAX
from headwater_server.service import Service
from headwater_server.submitting.appending import GroupAppender
from headwater_server.submitting.checking import checked, decoded, judge_all
from headwater_server.submitting.groups import Groups, Written
from headwater_server.submitting.places import Prepared, hashed
from headwater_server.submitting.receipts import Receipts

CHANGING_ACCESS = (ScopeEvent, SettingsChanged)  # what is judged by, and remembered
INLINE_BYTES_MAX = 64 * 1024  # decoding and hashing more would keep the loop from answering others


class Submitter:
    """Writes for the clients of one server."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.receipts = Receipts(service.key)
        appender = GroupAppender(service.stores, service.stored)
        self.places = appender.places
        self._judge = Judge(service)
        self._groups = Groups(service, appender)
        self.uploads = OpenSlots("uploads", UPLOADS_MAX, UPLOADS_OF_PRINCIPAL_MAX)
        service.metrics.gauge("open_uploads", "Contents that are being received.", lambda: len(self.uploads))

    async def submit(self, body: bytes, caller: Caller) -> Written:
        """Write what a client sent. Raises: InvalidInput; as `write`."""
        if len(body) <= INLINE_BYTES_MAX:
            prepared, wait_s = self._prepared(body, caller)
        else:
            prepared, wait_s = await self.service.transfer(self._prepared, body, caller)
        return await self._write(prepared, caller, wait_s)

    async def write(
        self,
        events: Sequence[Stamped],
        caller: Caller,
        *,
        contents: Iterable[Contents] = (),
        receipts: Iterable[bytes] = (),
        wait_s: float,
    ) -> Written:
        """Write events that this server made for `caller`, held to the same rules.

        Raises: EventsRefused; StoreUnavailable when nothing was written, DurabilityUnknown when that is not known;
        Problem when too many wait.
        """
        prepared = self._with_content(checked(events, caller), caller, contents, receipts)
        return await self._write(prepared, caller, wait_s)

    async def _write(self, prepared: Prepared, caller: Caller, wait_s: float) -> Written:
        await judge_all(prepared.events, caller, self._judge)
        written = await self._groups.write(prepared, principal=caller.principal, wait_s=wait_s)
        self._judge.note_written(stamped.event for stamped in prepared.events)
        if any(isinstance(stamped.event, CHANGING_ACCESS) for stamped in prepared.events):
            self.service.access_changed()
        return written

    def _prepared(self, body: bytes, caller: Caller) -> tuple[Prepared, float]:
        submission = Submission.decode(body)
        events = checked(decoded(submission.events), caller)
        receipts = map(bytes, submission.receipts)
        return self._with_content(events, caller, submission.contents, receipts), submission.wait_s

    def _with_content(
        self, events: list[Stamped], caller: Caller, contents: Iterable[Contents], receipts: Iterable[bytes]
    ) -> Prepared:
        contents = list(contents)
        for project in {one.project for one in contents}:
            require(caller, WRITER, project, "sending content")
        places = {place: at for receipt in receipts for place, at in self.receipts.read(receipt).items()}
        return Prepared(events, hashed(contents), places)


async def submitter_of(request: Request) -> Submitter:
    """Who writes for the server that a request came to. Asynchronous, as `service_of`."""
    submitter: Submitter = request.app.state.submitter
    return submitter


SubmitterOf = Annotated[Submitter, Depends(submitter_of)]
