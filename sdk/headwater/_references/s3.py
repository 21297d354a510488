"""Objects of S3 and compatible stores: a look-up tries one object, and otherwise lists what is under its name.

A prefix is a folder: `s3://bucket/images` never stands for `images2/…`, and an object of exactly that name comes first.
An ETag is recorded as an ETag: it is the MD5 of some objects, and not of others.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

from headwater_blobs.s3.client import ROLE_S_MAX
from headwater_blobs.s3.errors import translate_errors
from headwater_blobs.s3.minio_client import (
    Credentials,
    IamAwsProvider,
    Minio,
    Object,
    Provider,
    S3Error,
    StaticProvider,
)
from headwater_blobs.s3.settings import S3Settings
from headwater_schemas.entries import Reference
from headwater_schemas.errors import InvalidSettings, NotFound, StoreUnavailable
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from headwater._references import aws_config, connections, s3_pages, verification
from headwater._references.listing import FoundObject, Listing, list_prefix
from headwater._references.uris import redacted, split_bucket_uri, split_object_uri
from headwater.errors import ReferenceChanged

_ACCOUNTS_MAX = 8  # whose connections are cached
_MISSING = ("NoSuchKey", "NoSuchVersion", "MethodNotAllowed")  # the last for a delete marker
_UNKNOWN_VERSIONING = ("AccessDenied", "NotImplemented", "MethodNotAllowed")  # then versions are not recorded
_UNVERSIONED = "null"  # the version id of objects from before versioning; a new version replaces them
_WRONG_REGION = ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException")


class _Location(NamedTuple):
    """An object or a prefix, and the client to reach it."""

    client: Minio
    settings: S3Settings  # without keys
    key: str
    version: str | None
    is_signed: bool


def look_up(uri: str, objects_max: int) -> Listing:
    """The object of this name, or else the objects under this prefix."""
    at = _locate(uri)
    with _translated_errors(at, uri):
        if at.key and not at.key.endswith("/") and (one := _stat_object(at)):
            path = at.key.rpartition("/")[2]
            return Listing([FoundObject(path, uri, *_recorded_fields(one))], is_prefix=False)
        if at.version:
            raise NotFound(f"{redacted(uri)}: no such version of the object. Check the version id.")
        return list_prefix(uri, _list_objects(at), objects_max)


def pieces_of(reference: Reference) -> Iterator[bytes]:
    """The bytes of the recorded version. Raises: ReferenceChanged as soon as an answer shows another one."""
    split_object_uri(reference.uri)
    at = _locate(reference.uri)
    at = at._replace(version=reference.object_version or at.version)
    first_etag: str | None = None

    def open_at(offset: int) -> BaseHTTPResponse:
        nonlocal first_etag
        answer = _get(at, reference, offset)
        etag = verification.typed_etag(answer.headers.get("ETag"))
        try:
            verification.check_etag(reference, etag)
            if offset:  # the rest must be of the same object
                verification.check_etag(Reference(reference.path, reference.uri, first_etag), etag)
            else:
                verification.check_size(reference, connections.content_length(answer))
        except ReferenceChanged:
            answer.close()
            raise
        first_etag = etag
        return answer

    return connections.stream_body(open_at, redacted(reference.uri))


def _get(at: _Location, reference: Reference, offset: int) -> BaseHTTPResponse:
    with _translated_errors(at, reference.uri):
        try:
            return at.client.get_object(at.settings.bucket, at.key, offset, version_id=at.version)
        except S3Error as error:
            if error.code not in _MISSING:
                raise
            what = f"version {at.version}" if at.version else "an object"
            raise verification.missing_error(reference, _with_current_version(at, what)) from error


def _with_current_version(at: _Location, what: str) -> str:
    now = _stat_object(at._replace(version=None)) if at.version else None
    if now is None:
        return what
    checksum, size, version = _recorded_fields(now)
    return f"{what} (now {f'version {version}, ' if version else ''}{checksum}, {size:,} bytes)"


def _stat_object(at: _Location) -> Object | None:
    try:
        return at.client.stat_object(at.settings.bucket, at.key, version_id=at.version)
    except S3Error as error:
        if error.code in _MISSING:
            return None
        raise


def _list_objects(at: _Location) -> Iterator[FoundObject]:
    """All objects under a prefix, without the markers of empty folders."""
    prefix = at.key if at.key.endswith("/") or not at.key else f"{at.key}/"
    start, cut = f"s3://{at.settings.bucket}/", len(prefix)
    for item in _listed_objects(at, prefix):
        key = item.key
        if item.is_latest and (item.size or not key.endswith("/")):
            yield FoundObject(
                key[cut:], start + key, verification.typed_etag(item.etag), item.size, _version(item.version)
            )


def _listed_objects(at: _Location, prefix: str) -> Iterator[s3_pages.ListedObject]:
    versions, next_query = _has_versions(at), None
    while True:
        query = s3_pages.page_query(prefix, next_query, versions=versions)
        page = s3_pages.parse_page(at.client._execute("GET", at.settings.bucket, query_params=dict(query)).data)
        yield from page.objects
        if page.next_query is None:
            return
        if page.next_query == next_query:
            raise StoreUnavailable(f"{at.settings} keeps returning the same page of a listing. Check the server.")
        next_query = page.next_query


def _has_versions(at: _Location) -> bool:
    try:
        return at.client.get_bucket_versioning(at.settings.bucket).status in ("Enabled", "Suspended")
    except S3Error as error:
        if error.code in _UNKNOWN_VERSIONING:
            return False
        raise


def _recorded_fields(one: Object) -> tuple[str | None, int | None, str | None]:
    """Checksum, size and version of an object."""
    return verification.typed_etag(one.etag), one.size, _version(one.version_id)


def _version(given: str | None) -> str | None:
    return given if given and given != _UNVERSIONED else None


def _locate(uri: str) -> _Location:
    bucket, key, version = split_bucket_uri(uri)
    account = aws_config.read_account()
    client, is_signed = _client(account)
    return _Location(client, S3Settings(account.endpoint, bucket, region=account.region), key, version, is_signed)


@lru_cache(_ACCOUNTS_MAX)
def _client(account: aws_config.Account) -> tuple[Minio, bool]:
    """A client, and whether it signs its requests: without keys they are anonymous."""
    settings = S3Settings(account.endpoint, "any", region=account.region)  # checks both
    keys = _keys(account)
    client = Minio(
        settings.host,
        secure=settings.is_secure,
        region=settings.region,
        credentials=keys,
        http_client=connections.pool_for(account.endpoint, account.authorities),
    )
    return client, keys is not None


def _keys(account: aws_config.Account) -> Provider | None:
    if account.keys:
        return StaticProvider(account.keys.access, account.keys.secret, account.keys.session_token)
    if not account.may_have_role:
        return None
    role = _Role()
    if not account.role:
        try:
            role.retrieve()
        except StoreUnavailable:  # most machines have no role
            return None
    return role


class _Role(Provider):
    """The keys of the role of this machine or container, renewed before they expire."""

    def __init__(self) -> None:
        quick = PoolManager(timeout=Timeout(connect=ROLE_S_MAX, read=ROLE_S_MAX), retries=Retry(1))
        self._provider = IamAwsProvider(http_client=quick)

    def retrieve(self) -> Credentials:
        try:
            return self._provider.retrieve()
        except (ValueError, KeyError, HTTPError, OSError) as error:
            raise StoreUnavailable(
                "the keys of this machine's role are not available. Check its role, or set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY."
            ) from error


@contextmanager
def _translated_errors(at: _Location, uri: str) -> Iterator[None]:
    """Translate errors of third-party buckets; the others as for the blob store's own bucket."""
    with translate_errors(at.settings, at.key or None):
        try:
            yield
        except S3Error as error:
            if error.code == "NoSuchBucket":
                raise NotFound(
                    f"{redacted(uri)}: there is no {at.settings}. Check its name, and AWS_ENDPOINT_URL."
                ) from error
            if error.code == "AccessDenied" and not at.is_signed:
                raise StoreUnavailable(
                    f"{redacted(uri)}: it is not publicly readable, and no keys were found. Set AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
                ) from error
            if error.code in _WRONG_REGION:
                raise InvalidSettings(
                    f"{redacted(uri)}: {at.settings} is in another region ({error.code}). Set AWS_REGION to the "
                    "bucket's region."
                ) from error
            raise
