"""Shared infrastructure of a process: fork hooks, fork-safe pools, locks, retries, atomic writes, HTTP connections.

Nothing here depends on events, blobs or artifacts, and no other package of ours is imported. Errors are those of the
standard library, or are created by the caller.
"""
