"""The routes by which this project's clients write. People and other programs write by the resources, in JSON."""

import json
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from headwater_consumer.queries import Answers, SentRange
from headwater_schemas import digests
from headwater_schemas.access import READER
from headwater_schemas.errors import InvalidInput
from headwater_schemas.keys import check_key, is_session_of
from headwater_schemas.names import CollectionName
from headwater_schemas.positions import Cut
from headwater_schemas.submissions import (
    SUBMISSION_BYTES_MAX,
    WAIT_S_MAX,
    EventsRefused,
)
from headwater_stores.http.answers import answers_codec

from headwater_server.access.caller import Caller, CallerOf
from headwater_server.cuts import now_about
from headwater_server.http.bodies import read_body, read_json, told_size
from headwater_server.http.problems import Problem, not_found
from headwater_server.limits import LARGE_BODY_S
from headwater_server.service import ServiceOf
from headwater_server.submitting.groups import Written
from headwater_server.submitting.submitter import SubmitterOf
from headwater_server.waits import OVERDUE

ASKED_MAX = 8192  # drafts, or ranges of events, in one question

router = APIRouter(tags=["clients"])


@router.get("/me")
async def me(service: ServiceOf, caller: CallerOf) -> dict[str, Any]:
    """Who asks, as whom it writes, and of which log this server is."""
    log = service.stores.log
    return {
        "principal": caller.principal,
        "generation": log.generation,
        "ancestors": list(log.ancestors),
        "partitions": log.partitions,
    }


@router.post("/submit")
async def submit(request: Request, service: ServiceOf, caller: CallerOf, submitter: SubmitterOf) -> Response:
    """Write events with small contents, at once: see `headwater_schemas.submissions`. Sent again, it is the same."""
    with service.in_flight.held_for(told_size(request, SUBMISSION_BYTES_MAX), caller.principal):
        body = await read_body(request, SUBMISSION_BYTES_MAX, within_s=LARGE_BODY_S)
        try:
            written = await submitter.submit(body, caller)
        except EventsRefused as refused:
            return _refused(refused)
    return _json(_of_written(written))


@router.post("/wait")
async def wait(request: Request, service: ServiceOf, caller: CallerOf) -> dict[str, bool]:
    """Wait until the projection has a `cut`, or all that is on the log now (about one `key`); whether it has it."""
    asked = await read_json(request, service.in_flight, caller.principal)
    if not isinstance(asked, dict):
        raise InvalidInput("the question is not an object. See /v1/openapi.json.")
    cut = await service.query(_cut_of, service, asked)
    return {"reached": await _reaches(service, caller, cut, _seconds(asked))}


@router.post("/outcomes")
async def outcomes(request: Request, service: ServiceOf, caller: CallerOf) -> Response:
    """What became of events and drafts, once the projection has a cut, or what is known by then."""
    asked = await read_json(request, service.in_flight, caller.principal)
    cut, drafts, ranges, wait_s = _question(asked, caller)
    await _reaches(service, caller, cut, wait_s)
    found = await service.query(
        service.stores.projection.ask, cut, drafts, ranges, patience_s=0.0, timeout_s=WAIT_S_MAX
    )
    return _json(answers_codec().write(found))


async def _reaches(service: ServiceOf, caller: Caller, cut: Cut, wait_s: float) -> bool:
    """Whether the projection has `cut` within `wait_s`. Raises: InvalidInput for one that it will never have."""
    try:
        await service.waits.wait(cut, wait_s, principal=caller.principal)
    except Problem as problem:
        if problem.reason != OVERDUE:
            raise
        return False
    return True


def _cut_of(service: ServiceOf, asked: dict[str, Any]) -> Cut:
    """What is waited for. Raises: InvalidInput."""
    if "cut" in asked:
        return Cut.decode(str(asked["cut"]))
    if "key" not in asked:
        return service.stores.projection.now()
    return now_about(service.stores, check_key(asked["key"]))


def _seconds(asked: dict[str, Any]) -> float:
    given = asked.get("wait_s")
    if not isinstance(given, int | float) or isinstance(given, bool) or not 0 <= given <= WAIT_S_MAX:
        raise InvalidInput(f"`wait_s` is not a number from 0 to {WAIT_S_MAX:g}. See /v1/openapi.json.")
    return float(given)


def _question(asked: Any, caller: Caller) -> tuple[Cut, list[tuple[str, str]], list[SentRange], float]:
    """Raises: InvalidInput; Problem for what is of others."""
    if not isinstance(asked, dict):
        raise InvalidInput("the question is not an object. See /v1/openapi.json.")
    try:
        drafts = [(str(collection), str(draft)) for collection, draft in asked["drafts"]]
        ranges = [SentRange(str(s), check_key(k), int(first), int(last)) for s, k, first, last in asked["ranges"]]
        cut, wait_s = Cut.decode(str(asked["cut"])), _seconds(asked)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput("the question has not the form that is expected. See /v1/openapi.json.") from None
    if len(drafts) > ASKED_MAX or len(ranges) > ASKED_MAX:
        raise InvalidInput(f"more than {ASKED_MAX:,} drafts or ranges are asked about at once. Ask for less.")
    for collection, _ in drafts:
        if not caller.may(READER, CollectionName.parse(collection).namespace):
            raise not_found(f"draft of {collection}")
    for one in ranges:
        if not is_session_of(one.session, caller.principal):
            raise not_found(f"session {one.session[:40]}")
    return cut, drafts, ranges, wait_s


def _of_written(written: Written) -> dict[str, Any]:
    answers: Answers | None = written.answers
    return {
        "cut": written.cut.encode(),
        "positions": [[one.epoch, one.partition, one.offset] for one in written.positions],
        "answers": None if answers is None else answers_codec().write(answers),
        "stored_before": [[digests.to_text(digest), size] for digest, size in written.stored_before],
    }


def _refused(refused: EventsRefused) -> JSONResponse:
    """A problem that says of each event why it was not taken."""
    first = refused.refusals[0]
    return Problem(
        HTTPStatus.CONFLICT,
        first.word,
        first.message,
        "",
        "submission",
        more={"refused": [one.to_json() for one in refused.refusals]},
    ).response()


def _json(content: object) -> Response:
    return Response(json.dumps(content, separators=(",", ":")), media_type="application/json")
