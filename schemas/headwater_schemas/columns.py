"""Mappings whose values are pairs, kept in two columns.

Tuples are made only of what is asked for by itself: a version can have a million files, and the garbage collector looks
at every tuple again and again.
"""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Generic, TypeVar

K = TypeVar("K")
A = TypeVar("A")
B = TypeVar("B")


class Pairs(MutableMapping[K, tuple[A, B]], Generic[K, A, B]):
    """Pairs by key. Subclasses name the columns."""

    __slots__ = ("firsts", "seconds")

    def __init__(self, pairs: Mapping[K, tuple[A, B]] | None = None) -> None:
        self.firsts: dict[K, A] = {}  # both columns are in one order
        self.seconds: dict[K, B] = {}
        self.update(pairs or {})

    def add(self, keys: Iterable[K], firsts: Iterable[A], seconds: Iterable[B]) -> None:
        """Add pairs in columns of one length. A key that is there gets the new pair, and keeps its place."""
        keys = list(keys)
        self.firsts.update(zip(keys, firsts, strict=True))
        self.seconds.update(zip(keys, seconds, strict=True))

    def __getitem__(self, key: K) -> tuple[A, B]:
        return self.firsts[key], self.seconds[key]

    def __setitem__(self, key: K, pair: tuple[A, B]) -> None:
        self.firsts[key], self.seconds[key] = pair

    def __delitem__(self, key: K) -> None:
        del self.firsts[key], self.seconds[key]

    def __contains__(self, key: object) -> bool:
        return key in self.firsts

    def __iter__(self) -> Iterator[K]:
        return iter(self.firsts)

    def __len__(self) -> int:
        return len(self.firsts)
