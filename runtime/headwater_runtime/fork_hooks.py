"""Functions to call around a fork of this process: the one place that registers with the interpreter.

As with `os.register_at_fork`, what was registered last runs first before a fork, and last after it. A hook that raises
does not keep the others from running.
"""

# These two take locks of their own before a fork. Imported first, they take them after our hooks ran: a hook may wait
# for a thread that needs such a lock, to import a library for example.
import concurrent.futures.thread  # noqa: F401
import logging  # noqa: F401
import os
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class _Hooks:
    before: Callable[[], None] | None
    in_parent: Callable[[], None] | None
    in_child: Callable[[], None] | None


_registered: list[_Hooks] = []
_kept: list[object] = []


def register(
    *,
    before: Callable[[], None] | None = None,
    in_parent: Callable[[], None] | None = None,
    in_child: Callable[[], None] | None = None,
) -> None:
    """Call `before` ahead of every fork, then `in_parent` and `in_child` in the process that each names."""
    _registered.append(_Hooks(before, in_parent, in_child))


def register_object(
    owner: T,
    *,
    before: Callable[[T], None] | None = None,
    in_parent: Callable[[T], None] | None = None,
    in_child: Callable[[T], None] | None = None,
) -> None:
    """As `register`, for as long as `owner` lives, which every function is given. They must not refer to it."""
    reference: weakref.ref[T]

    def bind(function: Callable[[T], None] | None) -> Callable[[], None] | None:
        if function is None:
            return None

        def call() -> None:
            found = reference()
            if found is not None:
                function(found)

        return call

    hooks = _Hooks(bind(before), bind(in_parent), bind(in_child))
    reference = weakref.ref(owner, lambda _: _registered.remove(hooks))
    _registered.append(hooks)


def keep_forever(inherited: object) -> None:
    """In a forked child: never drop `inherited`, since its finalizer would act on what is the parent's."""
    _kept.append(inherited)


def _before_fork() -> None:
    _run([hooks.before for hooks in reversed(tuple(_registered))])  # other threads may drop objects meanwhile


def _after_fork_in_parent() -> None:
    _run([hooks.in_parent for hooks in tuple(_registered)])


def _after_fork_in_child() -> None:
    _run([hooks.in_child for hooks in tuple(_registered)])


def _run(functions: list[Callable[[], None] | None]) -> None:
    with ExitStack() as stack:
        for function in reversed(functions):
            if function is not None:
                stack.callback(function)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
