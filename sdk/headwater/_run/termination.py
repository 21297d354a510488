"""SIGTERM: what is to be recorded about open runs before the process ends by it, as it would without headwater.

A handler is set only where the process has none, while runs are open. Python calls it in the main thread, between two
of its instructions, where that may hold any lock: so the recording is left to another thread, and the main thread goes
on until the process ends, a moment later.
"""

import _thread
import os
import signal
import threading
from collections.abc import Callable

from headwater_runtime import fork_hooks

RECORD_S_MAX = 5.0  # a store that does not answer does not keep the process from ending

Action = Callable[[], None]

_actions: dict[Action, None] = {}  # of this process


def before_termination(action: Action) -> None:
    """Call `action`, which raises nothing, before the process ends by SIGTERM.

    Without effect where the process handles the signal itself, or where this is not the main thread, which alone can
    set a handler.
    """
    _actions[action] = None
    # The kernel ignores the signal for the first process of a container, so that this one could not end by it.
    if _is_main_thread() and os.getpid() != 1 and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def not_before_termination(action: Action) -> None:
    """Drop `action`, and with the last one the handler."""
    _actions.pop(action, None)
    if not _actions and _is_main_thread() and signal.getsignal(signal.SIGTERM) is _terminate:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _terminate(number: int, frame: object) -> None:
    del number, frame
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second signal ends the process at once
    if not _actions:  # of a forked child, or ended by another thread
        os.kill(os.getpid(), signal.SIGTERM)
        return
    # Not `threading.Thread`, which takes locks that the main thread may hold.
    _thread.start_new_thread(_record_and_end, ())


def _record_and_end() -> None:
    recording = threading.Thread(target=_record, name="headwater-termination", daemon=True)
    recording.start()
    recording.join(RECORD_S_MAX)
    os.kill(os.getpid(), signal.SIGTERM)


def _record() -> None:
    for action in tuple(_actions):
        action()


fork_hooks.register(in_child=_actions.clear)
