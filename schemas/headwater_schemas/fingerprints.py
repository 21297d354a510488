"""The CRC-64-AVRO fingerprint of every schema that was ever released, as on the wire (little-endian).

Computing one takes longer than encoding an event. A schema never changes once it is released, so neither do these; a
test compares them with `avsc/`. A new file there gets its line here.
"""

FINGERPRINTS = {  # "NAME.NUMBER", as the file is called
    "access-granted.1": "be03c3a0ad40d81f",
    "access-revoked.1": "48270171b5b5b136",
    "alias-moved.1": "2ba31f4e9585cc2d",
    "artifact-used.1": "23d0a207fa7f9915",
    "blobs-condemned.1": "729ed34be96be0f7",
    "blobs-moved.1": "35bc055cf7dbd8d7",
    "dead-letter-resolved.1": "797fd727d10c7e24",
    "draft-discarded.1": "49a962c24fe38277",
    "draft-opened.1": "fad0acdf32cccf8f",
    "entry-added.1": "b0ee2c177a076995",
    "entry-removed.1": "18be277d9d488880",
    "rules-changed.1": "ffd82bb2ddf27067",
    "run-finished.1": "81bef215b9882d67",
    "run-heartbeat.1": "1f38dd8e10a4c3fd",
    "run-started.1": "91205d964c38bad9",
    "run-updated.1": "f2e7df54f7ba74bc",
    "sessions-retired.1": "3d47b66b8e64b35a",
    "settings-changed.1": "ced47412d737789e",
    "subscription-added.1": "85aabf2c3a54e09f",
    "subscription-removed.1": "e1cc27ee5a11984d",
    "token-created.1": "740162ffaa6d7550",
    "token-revoked.1": "9e576feaeffca6a1",
    "version-committed.1": "ab6d44051add3262",
    "version-deleted.1": "b7ef5d3d338ef072",
    "version-deleted.2": "1c52dea584865611",
    "version-described.1": "aa6a7b9df888d98a",
    "version-purged.1": "b1c8f5aafa48e468",
    "version-recalled.1": "d2d0cfdcfb2e7e84",
    "version-restored.1": "290d2138a739a388",
    "writer-done.1": "4aabe74fb91e04c5",
}
