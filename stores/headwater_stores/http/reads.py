"""The adapter of the reading side that asks a server: each query is one request, or one for each of its pages."""

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast
from urllib.parse import urlsplit

from headwater_consumer.queries.query_forms import form_of
from headwater_consumer.queries.reads import ListQuery, PagedQuery, Query, Reads
from headwater_schemas.errors import InvalidInput, StoreUnavailable
from headwater_schemas.json_codecs import Codec
from headwater_schemas.typed_json import codec_of

from headwater_stores.http.connection import ANSWER_BYTES_MAX, Answer, ServerConnection

PART_ITEMS = 10_000  # of an argument that is sent in parts,
PART_BYTES = 1024 * 1024  # which stay below what a server takes

P = ParamSpec("P")
T = TypeVar("T")
CHOSEN_ALGORITHM = "chosen_algorithm"  # the query of this name
_NEAR_BY = ("localhost", "127.0.0.1", "::1")  # where compressing takes longer than sending
_GZIP = zlib.MAX_WBITS | 16
_IN_PARTS = {"entries_of": "paths", "path_conflict": "paths", "purposes_of": "runs", "stored_locations": "digests"}


class ServerReads(Reads):
    """What a server has recorded, as far as its caller may read it.

    Every query raises StoreUnavailable where the server stays away, and what the query itself raises.
    """

    def __init__(self, connection: ServerConnection) -> None:
        self.name = connection.name
        self._connection = connection
        self._headers = {"Content-Type": "application/json"}
        if urlsplit(connection.name).hostname not in _NEAR_BY:
            self._headers["Accept-Encoding"] = "gzip"

    def asking(self, query: Query[P, T]) -> Callable[P, T]:
        """See `Reads.asking`."""
        if query.name == CHOSEN_ALGORITHM:
            return cast(Callable[P, T], self._chosen_algorithm)
        if isinstance(query, PagedQuery):
            return cast(Callable[P, T], partial(self._pages, query))
        if isinstance(query, ListQuery):
            return cast(Callable[P, T], partial(self._list, query))
        return partial(self._once, query)

    def _chosen_algorithm(self, project: str) -> str | None:
        """What each job asks first. To see from the query itself what it takes would import the whole database."""
        return cast(str | None, self._result(CHOSEN_ALGORITHM, {"project": project}, codec_of(str | None))[0])

    def _once(self, query: Query[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        form = form_of(query)
        given = form.write_arguments(*arguments, **named)
        if query.name not in _IN_PARTS:
            return cast(T, self._result(query.name, given, form.result)[0])
        divided = _IN_PARTS[query.name]
        answers = (
            self._result(query.name, {**given, divided: part}, form.result)[0] for part in _parts(given[divided])
        )
        return cast(T, _first(answers) if query.name == "path_conflict" else _together(answers))

    def _pages(self, query: PagedQuery[P, T], *arguments: P.args, **named: P.kwargs) -> Iterator[T]:
        form = form_of(query)
        given = form.write_arguments(*arguments, **named)
        more = True
        while more:
            pages, more = self._result(query.name, given, form.result)
            for page in pages:
                yield page
                given["after"] = query.last_path(page)
            more = more and bool(pages)

    def _list(self, query: ListQuery[P, T], *arguments: P.args, **named: P.kwargs) -> list[T]:
        form = form_of(query)
        given = form.write_arguments(*arguments, **named)
        part, more = self._result(query.name, given, form.result)
        found: list[T] = list(part)
        while more and part:
            given = form.rest_of(query, given, part)
            part, more = self._result(query.name, given, form.result)
            found += part
        return found

    def _result(self, query: str, given: dict[str, Any], form: Codec[Any]) -> tuple[Any, bool]:
        """The answer, and whether there may be more of it."""
        body = json.dumps(given, separators=(",", ":")).encode()
        answer = self._connection.request("POST", f"/v1/queries/{query}", body, headers=self._headers)
        try:
            sent = json.loads(_content_of(answer))
            return form.decode(sent["result"], query), sent.get("more") is True
        except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
            told = f" ({error})" if isinstance(error, InvalidInput) else ""
            raise StoreUnavailable(
                f"{self.name} answered {query} with what this release cannot read{told}. Check that HEADWATER_URL "
                "is the address of a server, and that its release and this one are not far apart."
            ) from None


def _content_of(answer: Answer) -> bytes:
    """What was compressed, within the bound of what was not."""
    if answer.headers.get("content-encoding") != "gzip":
        return answer.body
    return zlib.decompressobj(_GZIP).decompress(answer.body, ANSWER_BYTES_MAX)


def _parts(items: Sequence[str]) -> Iterator[Sequence[str]]:
    """All of them, in parts that one request can have; one part where there are none."""
    start = size = 0
    for end, item in enumerate(items):
        size += len(item.encode())
        if size > PART_BYTES or end - start == PART_ITEMS:
            yield items[start:end]
            start, size = end, len(item.encode())
    yield items[start:]


def _together(answers: Iterable[dict[Any, Any]]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for one in answers:
        found |= one
    return found


def _first(answers: Iterable[Any]) -> Any:
    return next((one for one in answers if one is not None), None)
