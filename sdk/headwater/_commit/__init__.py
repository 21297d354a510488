"""The way onto the log: the process's client, its write queue and the tasks in it."""
