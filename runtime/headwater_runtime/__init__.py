"""What several packages need of a process: fork hooks, fork-safe pools, locks, retries, atomic writes, connections.

Nothing here knows of events, blobs or artifacts, and nothing of ours is imported. Errors are those of the standard
library, or are made by the caller.
"""
