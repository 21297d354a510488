"""Committing a version: one request for all of it."""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from headwater_consumer import queries
from headwater_producer.batches import file_events, reference_events, removal_events
from headwater_schemas import digests, metadata, paths
from headwater_schemas.entries import BlobLocation, FileEntries, Reference
from headwater_schemas.errors import InvalidInput
from headwater_schemas.events import DraftOpened, Event, SettingsChanged, VersionCommitted, own_draft
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.names import check_alias, check_name, check_type
from headwater_schemas.object_names import place_label
from headwater_schemas.references import check_reference
from headwater_schemas.settings import DIGEST_ALGORITHM
from headwater_schemas.submissions import CONTENT_BYTES_MAX, Contents

from headwater_server.access.caller import Caller, CallerOf
from headwater_server.http.answering import answer
from headwater_server.resources.artifacts import version_model
from headwater_server.resources.naming import ReadableCollection, expected_version, version_of
from headwater_server.resources.writing.shapes import Commit, Committed, File, ReferenceTo
from headwater_server.resources.writing.writer import Result, WriterOf, status_of
from headwater_server.service import Service, ServiceOf
from headwater_server.submitting.receipts import Receipts
from headwater_server.submitting.submitter import SubmitterOf
from headwater_server.typed_bodies import body_of, documented

DEFAULT_ALGORITHM = digests.BLAKE3  # of projects that begin through a server

router = APIRouter(tags=["artifacts"])
CommitBody = Annotated[Commit, Depends(body_of(Commit))]


@router.post(
    "/projects/{entity}/{project}/collections/{name}/versions",
    response_model=Committed,
    status_code=HTTPStatus.CREATED,
    responses={200: {"model": Committed}, 202: {"model": Committed}},
    openapi_extra=documented(Commit),
)
async def commit_version(
    request: Request,
    service: ServiceOf,
    submitter: SubmitterOf,
    caller: CallerOf,
    collection: ReadableCollection,
    body: CommitBody,
    writer: WriterOf,
) -> Response:
    """Commit a version. 201: it is new; 200: the artifact has this content already, in that version."""
    project = collection.rpartition("/")[0]
    chosen = await service.query(queries.chosen_algorithm, service.database, project)
    given = _Given(project, chosen or DEFAULT_ALGORITHM, submitter.receipts)
    for file in body.files:
        given.add(file)
    given.sizes |= await service.query(_stored_sizes, service, project, given.missing)
    base = None if body.base is None else (await version_of(service, collection, body.base)).version
    events = [*_claim(project, chosen), *_draft(collection, own_draft(writer.session), body, base, given)]
    result = await writer.write(events, contents=given.contents(), receipts=given.receipts)
    return answer(request, await _committed(service, caller, collection, result), status=_status(result))


@dataclass(slots=True)
class _Given:
    """The files of a request, as far as their contents are known from it."""

    project: str
    algorithm: str
    known: Receipts
    along: dict[bytes, bytes] = field(default_factory=dict)
    receipts: list[bytes] = field(default_factory=list)
    sizes: dict[bytes, int] = field(default_factory=dict)
    digests: dict[str, bytes] = field(default_factory=dict)  # by path
    executable: set[str] = field(default_factory=set)

    @property
    def missing(self) -> list[bytes]:
        """Content that only its digest says."""
        return [digest for digest in self.digests.values() if digest not in self.sizes]

    def add(self, file: File) -> None:
        """Raises: InvalidInput."""
        path = paths.normalize(file.path)
        if path in self.digests:
            raise InvalidInput(f"{quoted(path)} is given twice. Give each path once.")
        self.digests[path] = self._digest_of(file)
        if file.executable:
            self.executable.add(path)

    def contents(self) -> list[Contents]:
        """What comes along."""
        return [Contents(self.project, self.algorithm, list(self.along.values()))] if self.along else []

    def entries(self) -> FileEntries:
        """Raises: InvalidInput for content that is nowhere, or of another digest algorithm."""
        for path, digest in self.digests.items():
            if digest not in self.sizes:
                raise InvalidInput(
                    f"{quoted(path)}: the content {digests.to_text(digest)} is in no version of {self.project}. "
                    "Upload it, and give the answer as `upload`."
                )
            if digests.algorithm_of(digest) != self.algorithm:
                raise InvalidInput(
                    f"{quoted(path)}: {digests.to_text(digest)} is not by {self.algorithm}, as {self.project} has "
                    "them. Upload the content to this project."
                )
        ordered = sorted(self.digests)
        packed = [self.digests[path] for path in ordered]
        executable = [row for row, path in enumerate(ordered) if path in self.executable]
        names = [place_label(self.project)] * len(ordered)
        sizes = [self.sizes[digest] for digest in packed]
        return FileEntries.of_columns(self.algorithm, ordered, packed, sizes, names, [0] * len(ordered), executable)

    def _digest_of(self, file: File) -> bytes:
        if [file.text, file.base64, file.upload, file.digest].count(None) != 3:
            raise InvalidInput(f"{quoted(file.path)}: give exactly one of text, base64, upload and digest.")
        if file.upload is not None:
            return self._of_receipt(file.upload.receipt, file.path)
        if file.digest is not None:
            return digests.of_text(file.digest)
        if file.text is not None:
            return self._of_content(_encoded(file.text, file.path))
        return self._of_content(_decoded(file.base64 or "", f"base64 of {quoted(file.path)}"))

    def _of_receipt(self, text: str, path: str) -> bytes:
        receipt = _decoded(text, f"receipt of {quoted(path)}")
        places: Mapping[tuple[str, bytes], BlobLocation] = self.known.read(receipt)
        if len(places) != 1:
            raise InvalidInput(f"the receipt of {quoted(path)} is of many contents. Give the receipt of one.")
        ((_, digest), place), *_ = places.items()
        self.receipts.append(receipt)
        self.sizes[digest] = place.size
        return digest

    def _of_content(self, content: bytes) -> bytes:
        if len(content) > CONTENT_BYTES_MAX:
            raise InvalidInput(
                f"a content of {len(content):,} bytes came along; at most {CONTENT_BYTES_MAX:,} may. Upload it, and "
                "give the answer as `upload`."
            )
        digest = digests.pack(self.algorithm, digests.one_shot(self.algorithm)(content))
        self.along[digest] = content
        self.sizes[digest] = len(content)
        return digest


def _stored_sizes(service: Service, project: str, wanted: Sequence[bytes]) -> dict[bytes, int]:
    if not wanted:
        return {}
    return {digest: place.size for digest, place in service.stored.find(project, list(wanted)).items()}


def _claim(project: str, chosen: str | None) -> Iterator[Event]:
    """Whoever logs the first content of a project says by which digests."""
    if chosen is None:
        yield SettingsChanged(project=project, settings=metadata.encode({DIGEST_ALGORITHM: DEFAULT_ALGORITHM}))


def _draft(collection: str, draft: str, body: Commit, base: int | None, given: _Given) -> Iterator[Event]:
    project = collection.rpartition("/")[0]
    yield DraftOpened(collection=collection, draft=draft, type=check_type(body.type), base=base)
    removed = [paths.normalize(path) for path in body.remove]
    if removed and base is None:
        raise InvalidInput("`remove` needs a `base` to remove from. Give both, or neither.")
    yield from removal_events(collection, draft, removed, folders=removed)
    yield from file_events(collection, draft, given.entries())
    yield from reference_events(collection, draft, list(map(_reference, body.references)))
    yield VersionCommitted(
        collection=collection,
        draft=draft,
        description=body.description,
        metadata=None if body.metadata is None else metadata.encode(body.metadata),
        aliases=tuple(check_alias(alias) for alias in body.aliases),
        tags=tuple(check_alias(tag, "tag") for tag in body.tags),
        run=None if body.run is None else f"{project}/{check_name(body.run, 'run')}",
        ttl_seconds=body.ttl_seconds,
        expect_latest=expected_version(body.expect_latest),
    )


def _reference(given: ReferenceTo) -> Reference:
    path = paths.normalize(given.path)
    return check_reference(Reference(path, given.uri, given.checksum, given.size_bytes, given.object_version))


async def _committed(service: Service, caller: Caller, collection: str, result: Result) -> Committed:
    outcome = result.outcome
    if outcome is None or outcome.version is None:
        return Committed(cut=result.cut, done=False, version=None, deduplicated=False)
    info = outcome.info or await service.query(queries.version_info, service.database, collection, outcome.version)
    assert info is not None, "the projection has it"
    version = version_model(info, caller)
    return Committed(cut=result.cut, done=True, version=version, deduplicated=outcome.deduplicated)


def _status(result: Result) -> HTTPStatus:
    is_new = result.outcome is not None and not result.outcome.deduplicated
    return status_of(result, HTTPStatus.CREATED if is_new else HTTPStatus.OK)


def _encoded(text: str, path: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(
            f"the text of {quoted(path)} has half a character, which is not UTF-8. Give the content in base64."
        ) from None


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput(f"the {what} is not base 64. Encode the bytes with padding, without line breaks.") from None
