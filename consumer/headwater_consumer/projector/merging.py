"""Which layers are merged when a version is sealed: chains stay short, and few rows are written again.

Every layer of a chain costs each reader a look-up, and every merge writes rows again. With B rows in the bottom layer:

- the layers above the bottom have at most B rows together, so that a listing reads at most twice what it shows;
- a chain has at most three quarters of 1 + log2(B) layers.

Proof. A seal adds one layer. If then there are more than B rows above the bottom, all become one layer. Else, if there
are too many layers, at least the two topmost become one, so that there are as many as before, and the bottom has the
same B as long as one of these layers is not the bottom; if it is, all become one.

Which layers are merged decides what is written: those that were merged equally often, as in a binomial tree. With room
for k layers, so C(k + m, k) commits are written at most m times each, which is the least that is possible (Mathieu,
Staelin, Young, Yousefi: Bigtable merge compaction, 2014). A layer that is many times as large as those above it stays.
"""

from collections.abc import Sequence

from headwater_consumer.rows import LayerRow

LARGER_STAYS = 8  # times as large as all that would be merged into it


def layers_to_merge(chain: Sequence[LayerRow]) -> int:
    """How many layers at the top of a chain, the new one included, become one; 1 for none. Topmost first."""
    bottom, total = chain[-1].row_count, sum(layer.row_count for layer in chain)
    if total > 2 * bottom:
        return len(chain)
    if len(chain) <= chain_length_max(bottom):
        return 1
    count, rows = 2, chain[0].row_count + chain[1].row_count
    while (
        count < len(chain) and chain[count].merges <= chain[1].merges and chain[count].row_count < LARGER_STAYS * rows
    ):
        rows += chain[count].row_count
        count += 1
    return count


def chain_length_max(bottom: int) -> int:
    """How many layers a chain may have whose bottom has so many rows."""
    return max(1, bottom.bit_length() * 3 // 4)
