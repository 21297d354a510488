"""Threads of this process by what they do: other tests leave threads of other names, which come and go."""

import threading


def threads_named(name: str) -> set[threading.Thread]:
    """Those that run now and have this name."""
    return {thread for thread in threading.enumerate() if thread.name == name}
