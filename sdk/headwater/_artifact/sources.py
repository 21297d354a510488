"""Where the paths of an artifact come from, so that of two sources of one path none is lost in silence."""

from collections.abc import Iterable

from headwater_schemas.errors import InvalidInput


class Sources:
    """The source of each path: a local file or a URI."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def claim(self, found: Iterable[tuple[str, str]]) -> None:
        """Each path comes from the source beside it. Raises: InvalidInput naming the two sources of one path."""
        for path, source in found:
            other = self._of.setdefault(path, source)
            if other != source:
                raise InvalidInput(
                    f"{path!r} would come from both {other!r} and {source!r}, and one would be lost. Add them in two "
                    "commands with different --to folders, or rename one."
                )
