"""Turn events into changes to the read model.

Everything here is pure: the same events in the same order give the same changes, on any machine, at any time. Reading
rows, writing rows and remembering positions belong to `runner`; nothing in this package may import it.
"""

from headwater_consumer.projector.dispatch import apply, needs, needs_then, resume_parked
from headwater_consumer.projector.moment import Moment

__all__ = ["Moment", "apply", "needs", "needs_then", "resume_parked"]
