"""A user's script: read files of a version, each by itself. ARTIFACT PATH…

Says {"path", "bytes"} for what could be read, {"path", "error", "text"} for what could not.
"""

import json
import sys

import headwater
from headwater._artifact.artifact import stored_version
from headwater.errors import ContentError
from headwater_consumer import queries
from headwater_schemas.entries import BlobLocation


def main() -> None:
    name, *paths = sys.argv[1:]
    artifact = headwater.Api().artifact(name)
    version = stored_version(artifact)
    stores, layers = version.client.stores, version.info.layers
    for path in paths:
        entry = queries.entry(stores.database, layers, path)
        assert entry is not None
        assert entry.object_name is not None
        assert entry.object_offset is not None
        assert entry.size is not None
        assert entry.digest is not None
        place = BlobLocation(entry.object_name, entry.object_offset, entry.size)
        try:
            size = sum(map(len, stores.blobs.stream(place, entry.digest)))
        except ContentError as error:
            print(json.dumps({"path": path, "error": type(error).__name__, "text": str(error)}))
        else:
            print(json.dumps({"path": path, "bytes": size}))


if __name__ == "__main__":
    main()
