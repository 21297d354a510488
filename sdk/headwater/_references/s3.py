"""Objects of S3, or of anything that speaks it: a look-up asks for one object, and else lists what is under its name.

A prefix is a folder: `s3://bucket/images` never stands for `images2/…`, and an object of that very name goes first.
An ETag is recorded as an ETag: it is the MD5 of some objects, and of others it is not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

from headwater_blobs.s3.client import ROLE_S_MAX
from headwater_blobs.s3.errors import translate_errors
from headwater_blobs.s3.settings import S3Settings
from headwater_schemas.entries import Reference
from headwater_schemas.errors import InvalidSettings, NotFound, StoreUnavailable
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.credentials.providers import IamAwsProvider, Provider, StaticProvider
from minio.datatypes import Object
from minio.error import S3Error
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from headwater._references import checking, connections, profiles, s3_pages
from headwater._references.found import Found, Listing, listing_of
from headwater._references.uris import shown, split_object, split_one
from headwater.errors import ReferenceChanged

_ACCOUNTS_MAX = 8  # of which connections are kept
_MISSING = ("NoSuchKey", "NoSuchVersion", "MethodNotAllowed")  # the last for a version that says "deleted"
_UNKNOWN_VERSIONING = ("AccessDenied", "NotImplemented", "MethodNotAllowed")  # then objects have no versions to us
_UNVERSIONED = "null"  # the version id of objects from before a bucket had versions; others replace it
_WRONG_REGION = ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException")


class _At(NamedTuple):
    """An object, or a prefix, and the way to it."""

    client: Minio
    settings: S3Settings  # without keys
    key: str
    version: str | None
    is_signed: bool


def look_up(uri: str, objects_max: int) -> Listing:
    """The object of this name, or else the objects under it."""
    at = _at(uri)
    with _our_errors(at, uri):
        if at.key and not at.key.endswith("/") and (one := _stat(at)):
            path = at.key.rpartition("/")[2]
            return Listing([Found(path, uri, *_said(one))], is_prefix=False)
        if at.version:
            raise NotFound(f"{shown(uri)}: there is no such version of an object. Check the version id.")
        return listing_of(uri, _under(at), objects_max)


def pieces_of(reference: Reference) -> Iterator[bytes]:
    """The bytes of the recorded version. Raises: ReferenceChanged as soon as the answer says that it is another."""
    split_one(reference.uri)
    at = _at(reference.uri)
    at = at._replace(version=reference.object_version or at.version)
    first_etag: str | None = None

    def open_at(offset: int) -> BaseHTTPResponse:
        nonlocal first_etag
        answer = _get(at, reference, offset)
        etag = checking.typed_etag(answer.headers.get("ETag"))
        try:
            checking.check_etag(reference, etag)
            if offset:  # the rest must be that of the object which began to come
                checking.check_etag(Reference(reference.path, reference.uri, first_etag), etag)
            else:
                checking.check_size(reference, connections.length_of(answer))
        except ReferenceChanged:
            answer.close()
            raise
        first_etag = etag
        return answer

    return connections.pieces(open_at, shown(reference.uri))


def _get(at: _At, reference: Reference, offset: int) -> BaseHTTPResponse:
    with _our_errors(at, reference.uri):
        try:
            return at.client.get_object(at.settings.bucket, at.key, offset, version_id=at.version)
        except S3Error as error:
            if error.code not in _MISSING:
                raise
            what = f"version {at.version}" if at.version else "an object"
            raise checking.missing(reference, _and_what_is_there(at, what)) from error


def _and_what_is_there(at: _At, what: str) -> str:
    now = _stat(at._replace(version=None)) if at.version else None
    if now is None:
        return what
    checksum, size, version = _said(now)
    return f"{what}, where now is {f'version {version}, ' if version else ''}{checksum} of {size:,} bytes,"


def _stat(at: _At) -> Object | None:
    try:
        return at.client.stat_object(at.settings.bucket, at.key, version_id=at.version)
    except S3Error as error:
        if error.code in _MISSING:
            return None
        raise


def _under(at: _At) -> Iterator[Found]:
    """All objects under a prefix. What stands for an empty folder is none."""
    prefix = at.key if at.key.endswith("/") or not at.key else f"{at.key}/"
    start, cut = f"s3://{at.settings.bucket}/", len(prefix)
    for row in _rows(at, prefix):
        key = row.key
        if row.is_latest and (row.size or not key.endswith("/")):
            yield Found(key[cut:], start + key, checking.typed_etag(row.etag), row.size, _version(row.version))


def _rows(at: _At, prefix: str) -> Iterator[s3_pages.Row]:
    versions, rest = _has_versions(at), None
    while True:
        query = s3_pages.question(prefix, rest, versions=versions)
        page = s3_pages.read(at.client._execute("GET", at.settings.bucket, query_params=dict(query)).data)
        yield from page.rows
        if page.rest is None:
            return
        if page.rest == rest:
            raise StoreUnavailable(f"{at.settings} lists the same page again and again. Look at its server.")
        rest = page.rest


def _has_versions(at: _At) -> bool:
    try:
        return at.client.get_bucket_versioning(at.settings.bucket).status in ("Enabled", "Suspended")
    except S3Error as error:
        if error.code in _UNKNOWN_VERSIONING:
            return False
        raise


def _said(one: Object) -> tuple[str | None, int | None, str | None]:
    """Checksum, size and version of an object."""
    return checking.typed_etag(one.etag), one.size, _version(one.version_id)


def _version(given: str | None) -> str | None:
    return given if given and given != _UNVERSIONED else None


def _at(uri: str) -> _At:
    bucket, key, version = split_object(uri)
    account = profiles.account()
    client, is_signed = _client(account)
    return _At(client, S3Settings(account.endpoint, bucket, region=account.region), key, version, is_signed)


@lru_cache(_ACCOUNTS_MAX)
def _client(account: profiles.Account) -> tuple[Minio, bool]:
    """A client, and whether it signs its requests: without any keys it asks as anybody may."""
    place = S3Settings(account.endpoint, "any", region=account.region)  # which checks both
    keys = _keys(account)
    client = Minio(
        place.host,
        secure=place.is_secure,
        region=place.region,
        credentials=keys,
        http_client=connections.pool_for(account.endpoint, account.authorities),
    )
    return client, keys is not None


def _keys(account: profiles.Account) -> Provider | None:
    if account.keys:
        return StaticProvider(account.keys.access, account.keys.secret, account.keys.session_token)
    if not account.may_have_role:
        return None
    role = _Role()
    if not account.role:
        try:
            role.retrieve()
        except StoreUnavailable:  # a machine without a role, as most are
            return None
    return role


class _Role(Provider):
    """The keys of the role that this machine or container has, asked for anew before they end."""

    def __init__(self) -> None:
        quick = PoolManager(timeout=Timeout(connect=ROLE_S_MAX, read=ROLE_S_MAX), retries=Retry(1))
        self._provider = IamAwsProvider(http_client=quick)

    def retrieve(self) -> Credentials:
        try:
            return self._provider.retrieve()
        except (ValueError, KeyError, HTTPError, OSError) as error:
            raise StoreUnavailable(
                "the keys of this machine's role cannot be had. Look at its role, or set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY."
            ) from error


@contextmanager
def _our_errors(at: _At, uri: str) -> Iterator[None]:
    """What is special about buckets of others; all else is said as it is of our own."""
    with translate_errors(at.settings, at.key or None):
        try:
            yield
        except S3Error as error:
            if error.code == "NoSuchBucket":
                raise NotFound(
                    f"{shown(uri)}: there is no {at.settings}. Check its name, and AWS_ENDPOINT_URL."
                ) from error
            if error.code == "AccessDenied" and not at.is_signed:
                raise StoreUnavailable(
                    f"{shown(uri)}: it is not there for all to read, and no keys were found. Set AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
                ) from error
            if error.code in _WRONG_REGION:
                raise InvalidSettings(
                    f"{shown(uri)}: {at.settings} is in another region ({error.code}). Set AWS_REGION to its own."
                ) from error
            raise
