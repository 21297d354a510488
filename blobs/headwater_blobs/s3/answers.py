"""What a bucket answers, as our errors: each names the bucket or the object and what to do, and no secret.

Texts of the server and of the client library are not passed on, only their codes: a proxy may have put anything there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import ParseError

from headwater_schemas.errors import HeadwaterError, StoreReadOnly, StoreUnavailable
from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3 import exceptions as http

from headwater_blobs import verify
from headwater_blobs.s3.settings import S3Settings

_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "InvalidTokenId"}
_FORBIDDEN = {"AccessDenied", "AllAccessDisabled", "AccountProblem"}
_FULL = {"XMinioStorageFull", "InsufficientStorage", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded"}
_BUSY = {"SlowDown", "SlowDownRead", "SlowDownWrite", "ServiceUnavailable", "RequestTimeout"}
_CAUSES_MAX = 8  # an error that goes round in circles is not followed for ever


def is_missing(error: S3Error) -> bool:
    """Whether there is no such object. An answer without a body cannot tell that the bucket is gone instead."""
    return error.code in ("NoSuchKey", "NoSuchVersion") or (error.code == "MethodNotAllowed" and not error.message)


@contextmanager
def as_our_errors(settings: S3Settings, name: str | None = None, *, writing: bool = False) -> Iterator[None]:
    """Turn what goes wrong with the bucket, or its object `name`, into our errors.

    Raises: BlobMissing for an object that is read and not there, StoreReadOnly for one that may not be written,
    StoreUnavailable for all else.
    """
    try:
        yield
    except S3Error as error:
        raise _of_code(error, settings, name, writing=writing) from error
    except (InvalidResponseError, ServerError, ParseError, UnicodeDecodeError) as error:
        raise StoreUnavailable(
            f"{_what(settings, name)}: the answer was not one of S3. Check that {settings.endpoint} is the address of "
            "the S3 interface, and any proxy in between."
        ) from error
    except http.HTTPError as error:
        raise StoreUnavailable(
            f"{_what(settings, name)}: {describe_failure(error)}. Check the endpoint, that the server runs, and the "
            "network in between."
        ) from error


def missing_bucket(settings: S3Settings) -> StoreUnavailable:
    """The error for a bucket that is not there."""
    return StoreUnavailable(f"there is no {settings}. Check its name, or log something, which makes it.")


def describe_failure(error: http.HTTPError) -> str:
    """Why nothing, or only half of it, was answered: in a few words, without addresses."""
    found: BaseException | None = error
    for _ in range(_CAUSES_MAX):
        match found:
            case http.MaxRetryError(reason=reason) if reason is not None:
                found = reason
            case http.ProxyError():
                return "the proxy does not answer"
            case http.NameResolutionError():
                return "that host name is not known"
            case http.NewConnectionError():  # a kind of time-out to the library, whatever the reason
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


def _of_code(error: S3Error, settings: S3Settings, name: str | None, *, writing: bool) -> HeadwaterError:
    code, what = error.code or "an error without a code", _what(settings, name)
    if name is not None and is_missing(error):
        return verify.missing(name, str(settings))
    if code == "NoSuchBucket":
        return missing_bucket(settings)
    if code in _KEYS:
        return StoreUnavailable(f"{what}: the keys were refused ({code}). Check the access key and the secret key.")
    if code in _FORBIDDEN and writing:
        return StoreReadOnly(f"{what}: these keys may not write there ({code}). Use others, or have them allowed to.")
    if code in _FORBIDDEN:
        return StoreUnavailable(
            f"{what}: these keys are wrong or have no right to this ({code}). Check them and their policy."
        )
    if code in _FULL:
        return StoreUnavailable(f"{what}: the store is full ({code}). Free space there and repeat.")
    if code == "RequestTimeTooSkewed":
        return StoreUnavailable(f"{what}: the clocks of this machine and the server differ too much. Set them right.")
    if code in _BUSY:
        return StoreUnavailable(
            f"{what}: answered {code} again and again. Either its disks are too busy, or they cannot read what is "
            "there. Try later; if it stays, look at the server's log and run `headwater doctor --content`."
        )
    return StoreUnavailable(f"{what}: the server refused with {code}. Look at its log.")


def _what(settings: S3Settings, name: str | None) -> str:
    return str(settings) if name is None else f"object {name!r} in {settings}"
