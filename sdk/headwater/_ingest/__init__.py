"""The bytes of local files: scan, skip what is unchanged, hash, stage."""
