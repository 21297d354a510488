"""URIs: which can be recorded, what they name, and how they are redacted in messages."""

import re
from urllib.parse import parse_qsl, unquote, urlsplit

from headwater_schemas import references
from headwater_schemas.errors import InvalidInput
from headwater_schemas.frozen_unicode import quoted

WEB_SCHEMES = ("http", "https")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")  # RFC 3986, 3.1; a single letter would be a Windows drive
# Parameters of signed addresses, which give access to anyone and expire after hours.
_SIGNATURES = {
    "access_token",
    "awsaccesskeyid",
    "googleaccessid",
    "key-pair-id",
    "sig",
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-signature",
    "x-goog-credential",
    "x-goog-signature",
}
_QUERY = re.compile("[?#]")
# A user and a password, anywhere: also in an address inside an address.
_LOGIN = re.compile(r"//[^/?#@]*:[^/?#@]*(?:@|%40)", re.IGNORECASE)
_POSSIBLE_LOGIN = re.compile(r"[^/\\]*:[^/\\]*(?:@|%40)", re.IGNORECASE)
_RAW_SCHEMES = ("s3", "gs")  # the key follows the bucket verbatim: "%", "?" and "#" are part of it
_OBJECT_VERSION = re.compile(r"(.+)\?versionId=([^&#?/]+)", re.DOTALL)


def check_uri(uri: str) -> str:
    """Return `uri` as it is.

    Raises: InvalidInput when it has no scheme, is too long, or has a control character, user info or a signature.
    """
    is_raw = isinstance(uri, str) and scheme_of(uri) in _RAW_SCHEMES
    if is_raw and (found := references.FORBIDDEN_CHARACTER.search(uri)):
        raise InvalidInput(
            f"{quoted(redacted(uri))[1:-1]} contains {quoted(found[0])}: control characters cannot be recorded. Rename "
            "the object."
        )
    references.check_uri(uri)
    if not _SCHEME.match(uri):
        raise InvalidInput(
            f"{uri[:100]!r} has no scheme such as 'https:' or 's3:'. Pass a full URI. For a local file use "
            "`add_file`, or 'file:///…' for a reference."
        )
    _check_no_secret(uri)
    return uri


def scheme_of(uri: str) -> str:
    """In lower case, "" where there is none."""
    found = _SCHEME.match(uri)
    return found[1].lower() if found else ""


def redacted(uri: str) -> str:
    """`uri` for messages: without user info, query and fragment, which may contain a secret."""
    is_raw = scheme_of(uri) in _RAW_SCHEMES and "://" in uri
    body, query = (uri, "") if is_raw else _without_query(uri)
    start, separator, rest = body.partition("://" if "://" in body else ":")
    authority, slash, path = rest.partition("/")
    if not is_raw:
        path = _POSSIBLE_LOGIN.sub("…@", path)
    text = f"{start}{separator}{_POSSIBLE_LOGIN.sub('', authority).rpartition('@')[2]}{slash}{path}"
    return f"{text}?…" if query else text


def _without_query(uri: str) -> tuple[str, str]:
    start = _QUERY.search(uri)
    return (uri[: start.start()], uri[start.start() :]) if start else (uri, "")


def is_web_address(uri: str) -> bool:
    """Whether it is an http or https address with a host."""
    try:
        parts = urlsplit(uri)
        return parts.scheme in WEB_SCHEMES and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def name_from_uri(uri: str) -> str:
    """The last segment of the URI, "" where there is none."""
    if scheme_of(uri) in _RAW_SCHEMES:
        _, key, _ = split_bucket_uri(uri)
        return key.rstrip("/").rpartition("/")[2]
    parts = urlsplit(uri)
    last = parts.path.rstrip("/").rpartition("/")[2]
    try:
        plain = unquote(last, errors="strict")
    except UnicodeDecodeError:
        return last
    return last if "/" in plain or references.FORBIDDEN_CHARACTER.search(plain) else plain


def ends_with_slash(uri: str) -> bool:
    """Whether its path ends in a slash, as that of a prefix or folder."""
    return (split_bucket_uri(uri)[1] if scheme_of(uri) in _RAW_SCHEMES else urlsplit(uri).path).endswith("/")


def split_bucket_uri(uri: str) -> tuple[str, str, str | None]:
    """Bucket, key and object version of `s3://bucket/key?versionId=…`; the key is "" for a whole bucket.

    Raises: InvalidInput without a bucket, and for a key with `.` or `..` between slashes: clients would
    normalize it to another name.
    """
    location = uri.partition("://")[2]
    versioned = _OBJECT_VERSION.fullmatch(location) if scheme_of(uri) == "s3" else None
    bucket, _, key = (versioned[1] if versioned else location).partition("/")
    if not bucket:
        raise InvalidInput(f"{redacted(uri)} names no bucket. Write it as {scheme_of(uri)}://bucket/key.")
    if not {".", ".."}.isdisjoint(key.split("/")):
        raise InvalidInput(
            f"{redacted(uri)} has '.' or '..' between slashes, which clients normalize away. Rename the object."
        )
    return bucket, key, versioned[2] if versioned else None


def split_object_uri(uri: str) -> tuple[str, str, str | None]:
    """As `split_bucket_uri`. Raises: InvalidInput for a bucket or a prefix too, which have no content of their own."""
    bucket, key, version = split_bucket_uri(uri)
    if not key or key.endswith("/"):
        raise InvalidInput(f"{redacted(uri)} does not name a single object. Add the objects below it one by one.")
    return bucket, key, version


def _check_no_secret(uri: str) -> None:
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise InvalidInput("a URI has an invalid host address. Check its brackets.") from error
    if "@" in parts.netloc or (parts.scheme not in _RAW_SCHEMES and _LOGIN.search(uri)):
        raise InvalidInput(
            f"{redacted(uri)} contains a user or password, which every reader of the version could see. Remove it; "
            "credentials come from the environment."
        )
    if parts.scheme in WEB_SCHEMES and not is_web_address(uri):
        # In a URI this broken, what looks like a path may be a password.
        text = f"the given {parts.scheme} URI" if "@" in uri else redacted(uri)
        raise InvalidInput(
            f"{text} is not an address like https://host/path: its host is missing or its port is invalid. Correct it."
        )
    names = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    if signed := sorted(names & _SIGNATURES):
        raise InvalidInput(
            f"{redacted(uri)} is pre-signed ({signed[0]}): it grants access to every reader and expires soon. Use the "
            "address without the signature, such as s3://bucket/key."
        )
