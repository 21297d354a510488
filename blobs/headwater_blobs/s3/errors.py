"""Our errors for those of a bucket: each names the bucket or the object and the next step, and no secret.

Only the codes of the server and the client library are shown, not their texts: a proxy may have written anything there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import ParseError

from headwater_schemas.errors import (
    HeadwaterError,
    StoreFull,
    StoreMissing,
    StoreNotAnswering,
    StoreReadOnly,
    StoreUnavailable,
)
from urllib3 import exceptions as http

from headwater_blobs import verify
from headwater_blobs.s3.minio_client import InvalidResponseError, S3Error, ServerError
from headwater_blobs.s3.settings import S3Settings

_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "InvalidTokenId"}
_FORBIDDEN = {"AccessDenied", "AllAccessDisabled", "AccountProblem"}
_FULL = {"XMinioStorageFull", "InsufficientStorage", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded"}
_BUSY = {
    "SlowDown",
    "SlowDownRead",
    "SlowDownWrite",
    "ServiceUnavailable",
    "RequestTimeout",
    "XMinioServerNotInitialized",
}
_CAUSES_MAX = 8  # bounds a cycle of causes


def is_missing(error: S3Error) -> bool:
    """Whether the object does not exist. A response without a body does not reveal a missing bucket."""
    return error.code in ("NoSuchKey", "NoSuchVersion") or (error.code == "MethodNotAllowed" and not error.message)


def is_forbidden(error: S3Error | str) -> bool:
    """Whether these keys have no right to it. `error` or its code."""
    return (error if isinstance(error, str) else error.code) in _FORBIDDEN


@contextmanager
def translate_errors(settings: S3Settings, name: str | None = None, *, writing: bool = False) -> Iterator[None]:
    """Translate errors of the bucket, or of its object `name`, which they call by its key.

    Raises: BlobMissing for an object that does not exist, StoreReadOnly for one that may not be written,
    StoreUnavailable for all else.
    """
    try:
        yield
    except S3Error as error:
        raise _from_code(error, settings, name, writing=writing) from error
    except (InvalidResponseError, ServerError, ParseError, UnicodeDecodeError) as error:
        raise StoreUnavailable(
            f"{_what(settings, name)}: the response was not one of S3. Check that {settings.endpoint} is the address "
            "of the S3 interface, and any proxy in between."
        ) from error
    except http.HTTPError as error:
        raise StoreNotAnswering(
            f"{_what(settings, name)}: {describe_failure(error)}. Check the endpoint, that the server runs, and the "
            "network in between."
        ) from error


def missing_bucket(settings: S3Settings) -> StoreMissing:
    """The error for a bucket that does not exist."""
    return StoreMissing(f"there is no {settings}. Check its name, or log something, which creates it.")


def describe_failure(error: http.HTTPError) -> str:
    """The reason of a failed or incomplete response: in a few words, without addresses."""
    found: BaseException | None = error
    for _ in range(_CAUSES_MAX):
        match found:
            case http.MaxRetryError(reason=reason) if reason is not None:
                found = reason
            case http.ProxyError():
                return "the proxy does not answer"
            case http.NameResolutionError():
                return "that host name is not known"
            case http.NewConnectionError():  # the library makes it a kind of time-out, whatever the reason
                found = found.__cause__ or found.__context__
            case http.SSLError():
                return "no TLS connection can be made (is its certificate one that this machine trusts?)"
            case http.TimeoutError():
                return "no answer in time"
            case OSError(strerror=str(reason)):
                return reason.lower()
            case None:
                break
            case _:
                found = found.__cause__ or found.__context__
    return "the connection broke"


def _from_code(error: S3Error, settings: S3Settings, name: str | None, *, writing: bool) -> HeadwaterError:
    code, what = error.code or "an error without a code", _what(settings, name)
    if name is not None and is_missing(error):
        return verify.missing(settings.key_of(name), str(settings))
    if code == "NoSuchBucket":
        return missing_bucket(settings)
    if code in _KEYS:
        return StoreUnavailable(f"{what}: the keys were refused ({code}). Check the access key and the secret key.")
    if code in _FORBIDDEN and writing:
        return StoreReadOnly(
            f"{what}: these keys may not write there ({code}). Use others, or grant them write access."
        )
    if code in _FORBIDDEN:
        return StoreUnavailable(
            f"{what}: these keys are wrong or have no right to this ({code}). Check them and their policy."
        )
    if code in _FULL:
        return StoreFull(f"{what}: the store is full ({code}). Free space there and repeat.")
    if code == "RequestTimeTooSkewed":
        return StoreUnavailable(f"{what}: the clocks of this machine and the server differ too much. Synchronise them.")
    if code in _BUSY:
        return StoreNotAnswering(
            f"{what}: every attempt was answered with {code}. Either the server's disks are too busy, or they cannot "
            "read the object. Try later; if it persists, check the server's log and run `headwater doctor --verify`."
        )
    return StoreUnavailable(f"{what}: the server refused with {code}. Check its log.")


def _what(settings: S3Settings, name: str | None) -> str:
    return str(settings) if name is None else settings.shown(name)
