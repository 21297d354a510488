"""What is called around a fork, by whom and in which order."""

import gc
from collections.abc import Callable

import pytest
from headwater_runtime import fork_hooks

from tests.runtime.forks import in_a_fork


class Owner:
    """Somebody whose hooks end with him."""

    def __init__(self) -> None:
        self.called: list[str] = []


def noting(what: str) -> Callable[[Owner], None]:
    return lambda owner: owner.called.append(what)


def test_the_last_registered_is_first_before_a_fork_and_last_after_it() -> None:
    owner = Owner()
    for name in ("one", "two"):
        fork_hooks.register_object(
            owner,
            before=noting(f"{name} before"),
            in_parent=noting(f"{name} in parent"),
            in_child=noting(f"{name} in child"),
        )

    before = ["two before", "one before"]
    assert in_a_fork(lambda: owner.called == [*before, "one in child", "two in child"])
    assert owner.called == [*before, "one in parent", "two in parent"]


def test_an_object_is_called_only_while_it_lives() -> None:
    owner, kept = Owner(), Owner()
    fork_hooks.register_object(owner, in_parent=lambda _: kept.called.append("owner"))
    fork_hooks.register_object(kept, in_parent=noting("kept"))
    assert in_a_fork(lambda: True)
    assert kept.called == ["owner", "kept"]

    del owner
    assert in_a_fork(lambda: True)
    assert kept.called == ["owner", "kept", "kept"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # which the interpreter makes of it
def test_a_hook_that_fails_does_not_keep_others_from_running() -> None:
    owner, faults = Owner(), [RuntimeError("a broken hook")]

    def fail(_: Owner) -> None:
        if faults:  # once: a traceback may keep the owner alive, and with it this hook
            raise faults.pop()

    fork_hooks.register_object(owner, in_parent=noting("first"))
    fork_hooks.register_object(owner, in_parent=fail)
    fork_hooks.register_object(owner, in_parent=noting("last"))

    assert in_a_fork(lambda: True)
    assert owner.called == ["first", "last"]


def test_what_is_kept_for_ever_is_never_finalised() -> None:
    called: list[str] = []

    class Inherited:
        def __del__(self) -> None:
            called.append("finalised")

    def is_kept() -> bool:
        fork_hooks.keep_forever(Inherited())
        gc.collect()
        return called == []

    assert in_a_fork(is_kept)
