"""Check a bucket for an operator: whether it answers, what the keys may do, and which uploads are incomplete.

Each check needs the one before it, so the first that fails ends the list and names the next step.
"""

import io
import uuid
from collections.abc import Callable, Iterator
from itertools import islice

from headwater_schemas.diagnostics import Diagnostic
from headwater_schemas.errors import HeadwaterError

from headwater_blobs.ownership import log_in
from headwater_blobs.s3 import uploads
from headwater_blobs.s3.claim import read_marker
from headwater_blobs.s3.client import BucketClient
from headwater_blobs.s3.deleting import Deleter
from headwater_blobs.s3.errors import missing_bucket, translate_errors
from headwater_blobs.s3.minio_client import S3Error
from headwater_blobs.s3.settings import S3Settings

PROBES = "probe/"  # no object's name starts with it
RETRIES = 1  # an operator is waiting for the answer
INCOMPLETE_MAX = 1000  # each needs a request; more are not counted

_PROBE = b"headwater was here and may be deleted"


def describe(settings: S3Settings) -> list[Diagnostic]:
    """Check the bucket. The only change is an object that is written and deleted again."""
    bucket_client = BucketClient(settings, retries=RETRIES)
    checks: tuple[Callable[[BucketClient], Diagnostic], ...] = (_endpoint, _bucket, _owner, _writing, _incomplete)
    found: list[Diagnostic] = []
    try:
        for check in checks:
            found.append(check(bucket_client))
    except HeadwaterError as error:
        found.append(Diagnostic(False, str(error)))
    finally:
        bucket_client.close()
    return found


def _endpoint(bucket_client: BucketClient) -> Diagnostic:
    """Any response will do, also a refusal; the next check finds wrong keys."""
    with translate_errors(bucket_client.settings):
        try:
            bucket_client.client.bucket_exists(bucket_client.settings.bucket)
        except S3Error:
            return Diagnostic(True, f"{bucket_client.settings.endpoint} answers.")
    return Diagnostic(True, f"{bucket_client.settings.endpoint} answers, and accepts the keys.")


def _bucket(bucket_client: BucketClient) -> Diagnostic:
    with translate_errors(bucket_client.settings):
        if not bucket_client.client.bucket_exists(bucket_client.settings.bucket):
            raise missing_bucket(bucket_client.settings)
    return Diagnostic(True, f"{bucket_client.settings} exists.")


def _owner(bucket_client: BucketClient) -> Diagnostic:
    marker = read_marker(bucket_client)
    if marker is None:
        return Diagnostic(True, "it belongs to no log yet; the first who writes there claims it.")
    return Diagnostic(True, f"it has the content of log {log_in(marker, str(bucket_client.settings))}.")


def _writing(bucket_client: BucketClient) -> Diagnostic:
    bucket, name = bucket_client.settings.bucket, f"{PROBES}{uuid.uuid4().hex}"
    key = bucket_client.settings.key_of(name)
    with translate_errors(bucket_client.settings, name, writing=True):
        bucket_client.client.put_object(bucket, key, io.BytesIO(_PROBE), len(_PROBE))
        response = bucket_client.client.get_object(bucket, key)
        try:
            is_same = response.data == _PROBE
        finally:
            response.release_conn()
    Deleter(bucket_client).delete([name])
    if is_same:
        return Diagnostic(True, "an object can be written, read and deleted there.")
    return Diagnostic(
        False,
        f"an object written to {bucket_client.settings} came back with other bytes: something in between changes "
        "content. Check proxies and the server's disks.",
    )


def _incomplete(bucket_client: BucketClient) -> Diagnostic:
    found = list(islice(_sizes(bucket_client), INCOMPLETE_MAX))
    if not found:
        return Diagnostic(True, "there are no incomplete uploads.")
    count = f"{len(found):,}" if len(found) < INCOMPLETE_MAX else f"at least {INCOMPLETE_MAX:,}"
    return Diagnostic(
        True,
        f"{count} incomplete uploads hold {sum(found):,} bytes, of writers that are running or were killed. "
        "Let the bucket's lifecycle abort incomplete uploads after a day or more; MinIO does so by itself.",
    )


def _sizes(bucket_client: BucketClient) -> Iterator[int]:
    return (upload.size for upload in uploads.incomplete(bucket_client))
