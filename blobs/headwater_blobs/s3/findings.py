"""What an operator is told about a bucket: who answers, what these keys may do, and what is left lying around.

Each look needs the one before it, so the first that fails ends the list and names what to do.
"""

import io
import uuid
from collections.abc import Callable, Iterator
from itertools import islice

from headwater_schemas.errors import HeadwaterError
from headwater_schemas.findings import Finding
from minio.error import S3Error

from headwater_blobs.s3 import uploads
from headwater_blobs.s3.answers import as_our_errors, missing_bucket
from headwater_blobs.s3.client import Line
from headwater_blobs.s3.settings import S3Settings

PROBES = "probe/"  # no object's name begins so
RETRIES = 1  # whoever asks what is wrong waits for the answer
INCOMPLETE_MAX = 1000  # looked at, each with a request; more are not counted

_PROBE = b"headwater was here and may be deleted"


def describe(settings: S3Settings) -> list[Finding]:
    """Look at the bucket; nothing in it is changed but an object that is written and deleted again."""
    line = Line(settings, on_fork=lambda: None, retries=RETRIES)
    looks: tuple[Callable[[Line], Finding], ...] = (_endpoint, _bucket, _writing, _incomplete)
    found: list[Finding] = []
    try:
        for look in looks:
            found.append(look(line))
    except HeadwaterError as error:
        found.append(Finding(False, str(error)))
    finally:
        line.close()
    return found


def _endpoint(line: Line) -> Finding:
    """Any answer will do, a refusal too; wrong keys show with the next look."""
    with as_our_errors(line.settings):
        try:
            line.client.bucket_exists(line.settings.bucket)
        except S3Error:
            return Finding(True, f"{line.settings.endpoint} answers.")
    return Finding(True, f"{line.settings.endpoint} answers, and accepts the keys.")


def _bucket(line: Line) -> Finding:
    with as_our_errors(line.settings):
        if not line.client.bucket_exists(line.settings.bucket):
            raise missing_bucket(line.settings)
    return Finding(True, f"{line.settings} is there.")


def _writing(line: Line) -> Finding:
    bucket, name = line.settings.bucket, f"{PROBES}{uuid.uuid4().hex}"
    with as_our_errors(line.settings, name, writing=True):
        line.client.put_object(bucket, name, io.BytesIO(_PROBE), len(_PROBE))
        response = line.client.get_object(bucket, name)
        try:
            is_same = response.data == _PROBE
        finally:
            response.release_conn()
        line.client.remove_object(bucket, name)
    if is_same:
        return Finding(True, "an object can be written, read and deleted there.")
    return Finding(
        False,
        f"an object written to {line.settings} came back with other bytes: something in between changes content. "
        "Look at proxies, and at the server's disks.",
    )


def _incomplete(line: Line) -> Finding:
    found = list(islice(_sizes(line), INCOMPLETE_MAX))
    if not found:
        return Finding(True, "no incomplete uploads are left there.")
    count = f"{len(found):,}" if len(found) < INCOMPLETE_MAX else f"at least {INCOMPLETE_MAX:,}"
    return Finding(
        True,
        f"{count} incomplete uploads hold {sum(found):,} bytes: of writers at work, or of writers that were killed. "
        "Have the bucket's lifecycle abort incomplete uploads after a day or more; MinIO does so by itself.",
    )


def _sizes(line: Line) -> Iterator[int]:
    return (left.size for left in uploads.incomplete(line))
