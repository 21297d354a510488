"""Which layers are merged: chains stay short whatever is committed, and few rows are written more than once."""

from collections.abc import Callable, Sequence
from math import log2
from random import Random

import pytest
from headwater_consumer.projector.merging import chain_length_max, layers_to_merge
from headwater_consumer.rows import LayerRow
from hypothesis import given
from hypothesis import strategies as st

Merge = Callable[[Sequence[LayerRow]], int]
Chain = list[LayerRow]  # topmost first


def _sealed(chain: Chain, rows: int, merge: Merge = layers_to_merge, kept: float = 1.0) -> tuple[Chain, int]:
    """The chain with one more layer, and how many rows that wrote; of rows that are merged a part is hidden."""
    chain = [LayerRow(0, rows, 0), *chain]
    count = merge(chain)
    if count == 1:
        return chain, rows
    merged, rest = chain[:count], chain[count:]
    sizes = [layer.row_count for layer in merged]
    together = max(max(sizes), int(sum(sizes) * kept))
    return [LayerRow(0, together, 1 + max(layer.merges for layer in merged)), *rest], rows + together


def _former(chain: Sequence[LayerRow]) -> int:
    """Each layer at least twice as large as the one above it: what is compared with."""
    count, rows = 1, chain[0].row_count
    while count < len(chain) and chain[count].row_count < 2 * rows:
        rows += chain[count].row_count
        count += 1
    return count


def _written(sizes: Sequence[int], merge: Merge) -> tuple[float, int]:
    """Rows written for each that was committed, and the longest chain."""
    chain: Chain = []
    written, longest = 0, 0
    for rows in sizes:
        chain, added = _sealed(chain, rows, merge)
        written += added
        longest = max(longest, len(chain))
    return written / sum(sizes), longest


@given(
    st.lists(st.one_of(st.just(1), st.integers(1, 20), st.integers(1, 10**6)), min_size=1, max_size=200),
    st.floats(0, 1),
)
def test_chains_are_short_and_listings_read_at_most_twice_what_they_show(sizes: list[int], kept: float) -> None:
    chain: Chain = []
    for rows in sizes:
        chain, _ = _sealed(chain, rows, kept=kept)
        bottom = chain[-1].row_count
        assert len(chain) <= chain_length_max(bottom) <= max(1, 0.75 * (1 + log2(bottom)))
        assert sum(layer.row_count for layer in chain) <= 2 * bottom


_RANDOM = Random(1)
SIZES = {
    "of one entry": [1] * 20_000,
    "of one entry on a large version": [100_000] + [1] * 5_000,
    "of up to a hundred": [_RANDOM.randint(1, 100) for _ in range(5_000)],
    "of any size": [int(2 ** _RANDOM.uniform(0, 16)) for _ in range(2_000)],
    "each smaller than the last": list(range(2_000, 0, -1)),
    "each larger than the last": list(range(1, 2_000)),
}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
def test_fewer_rows_are_written_than_by_doubling(sizes: Sequence[int]) -> None:
    written, longest = _written(sizes, layers_to_merge)
    by_doubling, _ = _written(sizes, _former)

    print(f"{written:.2f} rows written for each, {by_doubling:.2f} by doubling; the longest chain has {longest} layers")
    assert written < by_doubling
