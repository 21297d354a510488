"""Commit to the log: the client of one process and store, its write queue, and the tasks in it."""
