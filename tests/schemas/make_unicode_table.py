"""Print the table of printable characters of the interpreter's Unicode version, as `frozen_unicode` reads it.

The table that ships came from Python 3.11, whose version is 14.0: `python3.11 -m tests.schemas.make_unicode_table`.
It is final; another one would let a replay decide differently.
"""

from collections.abc import Iterator
from itertools import groupby

CODE_POINTS = 0x110000


def ranges() -> Iterator[tuple[int, int]]:
    """The first and the last code point of each unbroken range of printable characters."""
    for printable, group in groupby(range(CODE_POINTS), key=lambda point: chr(point).isprintable()):
        if printable:
            points = list(group)
            yield points[0], points[-1]


def main() -> None:
    for first, last in ranges():
        print(f"{first:x}-{last:x}")


if __name__ == "__main__":
    main()
