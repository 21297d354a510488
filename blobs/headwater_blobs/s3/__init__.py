"""Blobs in a bucket of MinIO, or of anything else that speaks S3.

    BUCKET/packs/ENTITY/PROJECT/<32 hex>
    BUCKET/files/ENTITY/PROJECT/<algorithm>-<hex>-<attempt>

S3 cannot rename, so bytes are sent at once under the name that they will most likely keep, and need no local disk. An
object becomes visible whole or not at all; a killed writer leaves an incomplete upload, which only `abandoned` lists.
An object that no event names is garbage, which collection deletes.

Only `minio_client` imports the client library, for the modules of this package: import them where a bucket is used.
"""
