"""How much each bit of a table tells, column by column: for people to look at."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.codec.bits import bit_entropy
from tinydream.codec.grid import Grid

__all__ = ["table_entropy"]

ROWS = 65_536  # that are looked at; the second decimal of an entropy needs no more


def table_entropy(X: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Bits of each column and the entropy of each bit: (d,) int64, (d, most) float32.

    Values of a column are integers on its own grid; their most significant bit comes first, and
    behind the last one is NaN. Of a long table (n, d) evenly spaced rows stand for all; columns
    are taken one by one, so that memory stays small.
    """
    rows = X[:: -(-len(X) // ROWS)]
    told = [_column(rows[:, j : j + 1]) for j in range(X.shape[1])]
    bits = np.array([len(each) for each in told], np.int64)
    values = np.full((len(told), max(1, int(bits.max()))), np.nan, np.float32)
    for line, each in zip(values, told, strict=True):
        line[: len(each)] = each
    return bits, values


def _column(values: NDArray[Any]) -> NDArray[np.float64]:
    grid = Grid.fit(values)
    (integers,) = grid.encode(values).values()
    entropy = bit_entropy(integers)[0]
    return np.asarray(entropy[len(entropy) - grid.columns[0].bits :])
