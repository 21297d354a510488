"""Blobs in a bucket of MinIO, or of anything else that speaks S3.

    BUCKET/packs/ENTITY/PROJECT/<32 hex>
    BUCKET/files/ENTITY/PROJECT/<algorithm>-<hex>-<attempt>

S3 cannot rename, so bytes are sent at once under the name that they will most likely have, and nothing waits on a local
disk. An object shows itself whole or not at all; what a killed writer leaves is an incomplete upload, which only
`abandoned` lists. An object that no event names is garbage, and collection finds it.

The client library is imported by the modules in here and by nothing else: import them where a bucket is used.
"""
