"""Processes of `multiprocessing` that start in milliseconds: forked from one that has loaded the libraries.

Like spawned processes, they have nothing open that this process has open. The environment is that of the first start.
"""

import multiprocessing

# Installed modules only: the process that loads them does not find the tests.
_LOADED = [
    "pytest",
    "hypothesis",
    "headwater_blobs.folder",
    "headwater_blobs.s3.store",
    "headwater_consumer.database",
    "headwater_consumer.service",
    "headwater_eventlog.embedded",
    "headwater_eventlog.kafka.log",
]

warm = multiprocessing.get_context("forkserver")
warm.set_forkserver_preload(_LOADED)
