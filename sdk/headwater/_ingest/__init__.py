"""Ingest local files: scan, skip unchanged ones by the stat cache, hash, and stage their bytes."""
