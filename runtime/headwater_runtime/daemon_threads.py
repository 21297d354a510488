"""Threads that work in the background and keep no process from ending."""

import threading
from collections.abc import Callable


def start_daemon(work: Callable[[], object], name: str) -> threading.Thread | None:
    """A thread that runs `work`; None where none can be started any more, since the interpreter is ending."""
    thread = threading.Thread(target=work, name=f"headwater-{name}", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread
