"""`headwater projector`: a process that keeps the projection up with a log that many share.

`projecting` is the loop, `standing` what there is to say about it, `measuring` adds what must be asked for, `observing`
says it over HTTP, `watchdog` ends a process that hangs, `running` puts these together. Several such processes share the
partitions; which of them is right about a partition the database alone decides.
"""

from headwater_consumer.service.running import run_projector

__all__ = ("run_projector",)
