"""Uploads in several requests that came to nothing: their staged bytes, and what is remembered of them."""

from contextlib import suppress

from headwater_blobs.port import BlobStore, Kept, KeptInUse, KeptLost
from headwater_consumer.operational.database import OperationalDatabase
from headwater_consumer.operational.partial_uploads import (
    PartialUpload,
    expired_uploads,
    forget_upload,
    release_upload,
    take_upload,
)
from headwater_schemas.errors import StoreError

ENDED_MAX = 1_000  # uploads that one call ends; the next ends more


def discard_upload(blobs: BlobStore, operational: OperationalDatabase, held: PartialUpload) -> None:
    """Keep nothing of an upload that the caller holds. What is an object already, and was told of, is left.

    Raises: KeptInUse while its bytes are; UploadTaken; StoreError.
    """
    if held.kept:
        with suppress(KeptLost):
            blobs.continue_stream(Kept.of_text(held.kept)).abort()
    elif held.object_name and not held.digest:  # nobody was told of it
        blobs.delete([held.object_name])
    forget_upload(operational, held)


def discard_expired(blobs: BlobStore, operational: OperationalDatabase) -> int:
    """Keep nothing of uploads that have expired; returns how many, ENDED_MAX at most.

    Raises: StoreError, where that failed for one, once it was tried for all others.
    """
    ended, failed = 0, None
    for upload_id in expired_uploads(operational, limit=ENDED_MAX):
        held = take_upload(operational, upload_id)
        if held is None or held.expires_in_s > 0:  # somebody goes on with it
            if held is not None:
                release_upload(operational, held)
            continue
        try:
            discard_upload(blobs, operational, held)
            ended += 1
        except KeptInUse:  # by a collection that looks at it
            release_upload(operational, held)
        except StoreError as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return ended
