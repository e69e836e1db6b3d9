"""Raw units to network inputs, and to the integers that the base tree splits on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.errors import DataError
from tinydream.rows import Inputs

__all__ = ["fit_inputs", "lattice"]

MOST_COLUMNS = 65535
TOP = 65535  # of the lattice, 16 bits
BLOCK = 1024  # rows brought to float64 at a time


def fit_inputs(X: NDArray[Any], budget: int | None = None) -> Inputs:
    """How rows X (n, d) become inputs with a standard deviation around 1.

    Columns that are constant (as float32) are dropped. One shift and gain serve all columns
    when they look like one unit, as pixels and samples do; else each column has its own, unless
    these 5 bytes a column were more than a quarter of `budget`.

    Raises DataError when no column varies, or numbers are beyond float32.
    """
    with np.errstate(over="ignore"):
        rows = X.astype(np.float32)
    low, high = rows.min(axis=0), rows.max(axis=0)
    if not (np.isfinite(low) & np.isfinite(high)).all():
        j = int((~(np.isfinite(low) & np.isfinite(high))).argmax())
        raise DataError(f"column {j} has numbers beyond float32 (3.4e38); scale it down")
    kept = low < high
    if not kept.any():
        raise DataError(f"all {len(kept)} columns are constant; nothing can be learned from them")
    if kept.sum() > MOST_COLUMNS or len(kept) > MOST_COLUMNS:
        raise DataError(f"{len(kept)} columns are too many; a device takes at most {MOST_COLUMNS}")
    mean, std = _moments(np.ascontiguousarray(rows[:, kept]))
    tight = budget is not None and 5 * int(kept.sum()) > budget // 4
    if tight or _one_unit((high - low)[kept].astype(np.float64), mean, std):
        std = np.sqrt([np.mean(std**2) + mean.var()])
        mean = np.array([mean.mean()])
    gain = np.rint(-np.log2(std)).clip(-126, 126).astype(np.int8)
    return Inputs(kept, mean.astype(np.float32), gain)


def _moments(rows: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mean = rows.mean(axis=0, dtype=np.float64)
    apart = rows - mean.astype(np.float32)  # first: squares of large numbers would drown it
    off = apart.mean(axis=0, dtype=np.float64)
    square = np.einsum("ij,ij->j", apart, apart, dtype=np.float64) / len(rows)
    return mean, np.sqrt(np.maximum(square - off**2, 0)) + np.finfo(np.float32).tiny


def _one_unit(
    span: NDArray[np.float64], mean: NDArray[np.float64], std: NDArray[np.float64]
) -> bool:
    """Do these columns look like one unit? Most have a similar range, about the same level.

    Held for all image, letter and motion sets tried, and for no table of mixed units; a few
    columns may be quieter, as the pixels of a border are.
    """
    similar = np.mean(span >= span.max() / 4) >= 0.8
    return bool(similar and mean.std() <= 2 * np.sqrt(np.mean(std**2)))


def lattice(X: NDArray[Any], inputs: Inputs) -> tuple[NDArray[np.uint16], NDArray[np.float64]]:
    """Kept columns as 16-bit integers (n, r), and the squared size of a step, in inputs.

    A column of whole numbers that fit is taken as it is, less its minimum; any other is spread
    evenly over 16 bits.
    """
    rows = np.ascontiguousarray(X[:, inputs.kept])
    low, high = rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64)
    whole = rows.dtype.kind in "iu" or (rows == np.rint(rows)).all(axis=0)
    factor = np.where(whole & (high - low <= TOP), 1.0, TOP / (high - low))
    grid = np.empty(rows.shape, np.uint16)
    for i in range(0, len(rows), BLOCK):
        grid[i : i + BLOCK] = np.rint((rows[i : i + BLOCK] - low) * factor)
    size = np.exp2(inputs.gain.astype(np.float64)) / factor
    return grid, size**2
