"""What a scan left out, to be said in one line."""

NAMED_MAX = 5  # of each kind; the rest is counted


class LeftOut:
    """The names that a scan left out: headwater's and Git's own, and those that rules ignore."""

    def __init__(self) -> None:
        self._own = _Names()
        self._ignored = _Names()

    def add_own(self, path: str, what: str | None = None) -> None:
        """Something that is left out of every folder, with what it is where its name does not say it."""
        self._own.add(path if what is None else f"{path} ({what})")

    def add_ignored(self, path: str) -> None:
        """Something that a rule leaves out."""
        self._ignored.add(path)

    def __bool__(self) -> bool:
        return bool(self._own.count or self._ignored.count)

    def __str__(self) -> str:
        """`.git, store (a headwater store); ignored: a.tmp, b.tmp and 12 more`."""
        parts = [str(self._own)] if self._own.count else []
        if self._ignored.count:
            parts.append(f"ignored: {self._ignored}")
        return "; ".join(parts)


class _Names:
    def __init__(self) -> None:
        self._named: list[str] = []
        self.count = 0

    def add(self, text: str) -> None:
        self.count += 1
        if len(self._named) < NAMED_MAX:
            self._named.append(text)

    def __str__(self) -> str:
        named = ", ".join(self._named)
        others = self.count - len(self._named)
        return f"{named} and {others:,} more" if others else named
