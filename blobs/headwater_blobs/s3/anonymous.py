"""What a bucket lets everybody do, without any key: for an operator who wants to know before others do."""

import uuid
from http import HTTPStatus

from headwater_schemas.errors import StoreUnavailable
from urllib3.exceptions import HTTPError

from headwater_blobs.s3.client import without_keys
from headwater_blobs.s3.settings import S3Settings

PROBES = "probe/"  # no object's name starts with it


def rights_of_everybody(settings: S3Settings) -> list[str]:
    """What can be done without a key: some of "list", "read" and "write". A probe that was written is deleted again.

    Raises: StoreUnavailable.
    """
    bucket, name = f"{settings.endpoint.rstrip('/')}/{settings.bucket}", settings.key_of(f"{PROBES}{uuid.uuid4().hex}")
    found = []
    if _status(settings, "GET", f"{bucket}?list-type=2&max-keys=1&prefix={settings.key_of('')}") == HTTPStatus.OK:
        found.append("list")
    if _status(settings, "GET", f"{bucket}/{name}") == HTTPStatus.NOT_FOUND:  # who may not read is told only that
        found.append("read")
    if _status(settings, "PUT", f"{bucket}/{name}") == HTTPStatus.OK:
        found.append("write")
        _status(settings, "DELETE", f"{bucket}/{name}")
    return found


def _status(settings: S3Settings, method: str, url: str) -> int:
    client = without_keys(settings)
    try:
        return int(client.request(method, url, redirect=False).status)
    except HTTPError as error:
        raise StoreUnavailable(f"{settings} does not answer: {type(error).__name__}. Check the endpoint.") from error
    finally:
        client.clear()
