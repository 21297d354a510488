"""Commands that free room work on a full disk: they may use what a store in a folder keeps in reserve for them."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from headwater_stores.config.settings import read_settings
from headwater_stores.reserve import reserve_released

P = ParamSpec("P")


def works_on_a_full_disk(command: Callable[P, None]) -> Callable[P, None]:
    """Run a command with the reserve of the store at hand."""

    @wraps(command)
    def wrapped(*arguments: P.args, **options: P.kwargs) -> None:
        settings = read_settings()
        if not settings.is_folder:
            command(*arguments, **options)
            return
        with reserve_released(settings.store):
            command(*arguments, **options)

    return wrapped


def works_on_a_full_disk_with(*names: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """The same for a command that frees room only where one of these options is given."""

    def decorated(command: Callable[P, None]) -> Callable[P, None]:
        freeing = works_on_a_full_disk(command)

        @wraps(command)
        def wrapped(*arguments: P.args, **options: P.kwargs) -> None:
            frees_room = any(options[name] is not None for name in names)
            (freeing if frees_room else command)(*arguments, **options)

        return wrapped

    return decorated
