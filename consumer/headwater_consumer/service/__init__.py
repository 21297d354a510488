"""`headwater projector`: a process that keeps the projection up with a log that many share.

`projecting` is the loop, `status` its state, `lag_sampler` adds the lag, `http_endpoint` serves its `pages`, `watchdog`
ends a process that hangs, `process` puts these together. Several such processes share the partitions; if two of them
project the same one, the database decides.
"""

from headwater_consumer.service.process import run_projector

__all__ = ("run_projector",)
