"""Objects of Google Cloud Storage, by its own client, which is an extra: `pip install 'headwater[gs]'`.

A prefix is a folder, as for S3. The generation is recorded, and the MD5 or CRC-32C that the service gives. Credentials
are the application's default ones; without them requests are anonymous.
"""

import os
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from headwater_blobs.port import CHUNK_BYTES
from headwater_blobs.s3.client import CONNECT_S_MAX
from headwater_schemas.entries import Reference
from headwater_schemas.errors import HeadwaterError, InvalidInput, InvalidSettings, NotFound, StoreUnavailable

from headwater._references import verification
from headwater._references.connections import ANSWER_S_MAX
from headwater._references.listing import FoundObject, Listing, list_prefix
from headwater._references.uris import redacted, split_bucket_uri, split_object_uri

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Client

PIECE_BYTES = 8 * 1024 * 1024  # one request each: with smaller ones latency dominates
RETRY_S_MAX = 30.0  # of one request, all attempts together

_TIMEOUT = (CONNECT_S_MAX, ANSWER_S_MAX)
_FIELDS = "items(name,size,generation,md5Hash,crc32c,etag),nextPageToken"
_EMULATOR = "STORAGE_EMULATOR_HOST"  # read by the client itself


def look_up(uri: str, objects_max: int) -> Listing:
    """The object of this name, or else the objects under this prefix."""
    bucket, key, _ = split_bucket_uri(uri)
    with _translated_errors(uri):
        client = _client()
        if key and not key.endswith("/") and (one := client.bucket(bucket).get_blob(key, **_request_options())):
            return Listing([_found_object(key.rpartition("/")[2], uri, one)], is_prefix=False)
        return list_prefix(uri, _list_objects(client, bucket, key), objects_max)


def pieces_of(reference: Reference) -> Iterator[bytes]:
    """The bytes of the recorded generation. Raises: ReferenceChanged at once when it no longer exists."""
    bucket, key, _ = split_object_uri(reference.uri)
    with _translated_errors(reference.uri):
        now = _client().bucket(bucket).get_blob(key, generation=_generation(reference), **_request_options())
        if now is None:
            raise _missing(reference, bucket, key)
    found = _found_object(reference.path, reference.uri, now)
    verification.check_size(reference, found.size)
    verification.check_etag(reference, found.checksum)
    return _pieces(reference, now)


def _pieces(reference: Reference, blob: "Blob") -> Iterator[bytes]:
    """The bytes as stored. The generation of `blob` is fixed, so that all pieces are of one object."""
    fixed = blob.bucket.blob(blob.name, generation=blob.generation)
    retry = _request_options()["retry"]
    with fixed.open("rb", chunk_size=PIECE_BYTES, retry=retry, timeout=_TIMEOUT, raw_download=True) as source:
        while True:
            with _translated_errors(reference.uri, reference):
                piece = source.read(CHUNK_BYTES)
            if not piece:
                return
            yield piece


def _missing(reference: Reference, bucket: str, key: str) -> HeadwaterError:
    recorded = reference.object_version
    if not recorded:
        return verification.missing_error(reference, "an object")
    now = _client().bucket(bucket).get_blob(key, **_request_options())
    there = f" (now generation {now.generation}, {now.size:,} bytes)" if now else ""
    return verification.missing_error(reference, f"generation {recorded}{there}")


def _generation(reference: Reference) -> int | None:
    if reference.object_version is None:
        return None
    if not reference.object_version.isdecimal():
        raise InvalidInput(
            f"{reference.object_version!r} of {reference.path!r} is not a generation number. Add the reference again."
        )
    return int(reference.object_version)


def _list_objects(client: "Client", bucket: str, key: str) -> Iterator[FoundObject]:
    """All objects under a prefix, without the markers of empty folders."""
    prefix = key if key.endswith("/") or not key else f"{key}/"
    for one in client.list_blobs(bucket, prefix=prefix or None, fields=_FIELDS, **_request_options()):
        if not (one.name.endswith("/") and not one.size):
            yield _found_object(one.name[len(prefix) :], f"gs://{bucket}/{one.name}", one)


def _found_object(path: str, uri: str, blob: "Blob") -> FoundObject:
    generation = None if blob.generation is None else str(blob.generation)
    return FoundObject(path, uri, _checksum_of(blob), blob.size, generation)


def _checksum_of(blob: "Blob") -> str | None:
    """Composite objects have no MD5."""
    if blob.md5_hash:
        return f"md5:{b64decode(blob.md5_hash).hex()}"
    if blob.crc32c:
        return f"crc32c:{b64decode(blob.crc32c).hex()}"
    return verification.typed_etag(blob.etag)


def _client() -> "Client":
    return _client_of(os.environ.get(_EMULATOR), os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"), os.getpid())


@lru_cache(4)
def _client_of(_emulator: str | None, _credentials: str | None, _process: int) -> "Client":
    """One client for all threads of a process, as long as the settings that it reads stay the same."""
    storage = _storage_module()
    from google.auth.exceptions import DefaultCredentialsError

    try:
        return storage.Client()
    except DefaultCredentialsError as error:
        if _credentials:
            raise InvalidSettings(
                "GOOGLE_APPLICATION_CREDENTIALS does not name a usable credentials file. Correct or unset it."
            ) from error
        return storage.Client.create_anonymous_client()
    except OSError:  # credentials without a project; reading needs none
        return storage.Client(project="none")


def _storage_module() -> Any:
    try:
        from google.cloud import storage
    except ImportError:
        raise InvalidSettings(
            "the Google Cloud Storage client is not installed. Install it with: pip install 'headwater[gs]'"
        ) from None
    return storage


def _request_options() -> dict[str, Any]:
    _storage_module()
    from google.cloud.storage.retry import DEFAULT_RETRY

    return {"timeout": _TIMEOUT, "retry": DEFAULT_RETRY.with_timeout(RETRY_S_MAX)}


@contextmanager
def _translated_errors(uri: str, reference: Reference | None = None) -> Iterator[None]:
    """Translate the service's errors. Only its status is passed on, not its texts."""
    _storage_module()
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.api_core.exceptions import NotFound as NotThere
    from google.auth.exceptions import GoogleAuthError
    from requests import RequestException

    try:
        yield
    except NotThere as error:
        if reference:
            raise verification.missing_error(reference) from error
        raise NotFound(f"{redacted(uri)}: no such bucket. Check its name.") from error
    except GoogleAPICallError as error:
        raise StoreUnavailable(
            f"{redacted(uri)}: access denied ({error.code}). Check that your credentials may read it: create some "
            "with `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS."
        ) from error
    except GoogleAuthError as error:
        raise StoreUnavailable(
            f"{redacted(uri)}: the Google credentials cannot be used. Log in again with `gcloud auth "
            "application-default login`."
        ) from error
    except (RetryError, RequestException) as error:
        raise StoreUnavailable(f"{redacted(uri)}: the request timed out. Try again; check the network.") from error
