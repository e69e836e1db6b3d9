"""How much each bit of a table tells: its entropy, and the order in which bits are taken."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream import _core
from tinydream.codec.threads import threads

__all__ = ["bit_entropy", "count_bits", "order_bits"]


def count_bits(values: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.int64]:
    """How many rows have each bit set: (c, bits) int64 for (n, c), most significant bit first."""
    n, columns = values.shape
    size = values.dtype.itemsize
    rows = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    counts = np.empty((columns, 8 * size), np.int64)
    if columns and n:
        _core.bit_counts(rows, n, columns * size, threads(), counts)
    return counts[:, ::-1] if n else np.zeros_like(counts)


def bit_entropy(values: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.float64]:
    """Entropy of each bit, 0..1, (c, bits) for (n, c), most significant first; 0: constant.

    H = -p log2 p - (1 - p) log2(1 - p), p the share of rows with the bit set.
    """
    p = count_bits(values) / max(len(values), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -p * np.log2(p) - (1 - p) * np.log2(1 - p)
    return np.where((p == 0) | (p == 1), 0.0, entropy)


def order_bits(entropy: NDArray[np.float64]) -> NDArray[np.intp]:
    """The bits that vary, in the order in which they become base bits: (k, 2), column and bit.

    Of the columns' next bits, most significant first, always the one of least entropy; equal
    ones by column (EntroGD, arXiv 2511.04148). bit 0 is the most significant of its column.
    """
    # a bit waits for all before it, so what counts is the largest entropy so far
    wait = np.maximum.accumulate(entropy, axis=1)
    column, bit = np.nonzero(entropy > 0)
    order = np.lexsort((bit, column, wait[column, bit]))
    return np.column_stack([column[order], bit[order]])
