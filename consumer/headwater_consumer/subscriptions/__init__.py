"""Following the version events of one projection: where to begin, reading on, and waiting for more."""
