"""How a byte budget is spent: bits a column, and as many rows as then fit."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.codec.quantise import dequantise, fit_grid, quantise
from tinydream.codec.scale import fit_inputs, lattice
from tinydream.codec.tree import Tree, grow, leaf_means
from tinydream.errors import BudgetError
from tinydream.rows import Inputs

__all__ = ["LEVELS", "Budget", "Grid8", "Layout", "Space", "choose_layout", "fit_tables"]

LEVELS = 8  # of weight; more bytes for finer weights did not pay
FEWEST_BITS = 2  # tried by "auto": one bit was never best

U8 = NDArray[np.uint8]
I8 = NDArray[np.int8]
I32 = NDArray[np.int32]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Space:
    """Rows as the network sees them.

    Z: (n, r) float32. y: (n,) int32. square: (r,) sums of Z**2.
    """

    inputs: Inputs
    Z: F32
    y: I32
    classes: int
    square: F64

    @classmethod
    def of(cls, X: NDArray[Any], y: I32, classes: int, budget: int | None) -> "Space":
        inputs = fit_inputs(X, budget)
        Z = np.ascontiguousarray(inputs.apply(X))
        square = np.einsum("ij,ij->j", Z, Z, dtype=np.float64)
        return cls(inputs, Z, y, classes, square)

    @property
    def label_bits(self) -> int:
        return (self.classes - 1).bit_length()

    def tree(self, X: NDArray[Any], leaves: int) -> Tree:
        grid, scale = lattice(X, self.inputs)
        return grow(grid, self.y, scale, leaves)

    def spread(self, leaf: I32, leaves: int) -> tuple[F64, NDArray[np.int64], F64]:
        """Means (leaves, r), rows (leaves,) and the variance within leaves (r,), unbiased.

        The mean of a leaf has adapted to its rows: n - leaves degrees of freedom are left.
        """
        mean, rows = leaf_means(self.Z, leaf, leaves)
        left = self.square - rows @ (mean * mean)
        return mean, rows, np.maximum(left, 0) / max(len(self.Z) - leaves, 1)


@dataclass(frozen=True)
class Budget:
    """What tables cost besides rows; `total` None: the number of rows is fixed instead."""

    total: int | None
    inputs: Inputs
    deviation: bool
    levels: int = LEVELS

    def tables(self, entries: int) -> int:
        """Bytes of all tables but the rows, with grids of `entries` columns (1: shared)."""
        kept = 0 if self.inputs.kept.all() else (self.inputs.raw_columns + 7) // 8
        grid = (entries + 1) // 2 + 2 * entries
        sigma = self.inputs.columns if self.deviation else 0
        return kept + 5 * len(self.inputs.shift) + grid + sigma + 8 * self.levels

    def rows(self, entries: int, row_bits: int) -> int:
        """Rows of `row_bits` that fit beside the tables; negative when these alone do not."""
        assert self.total is not None
        return 8 * (self.total - self.tables(entries)) // row_bits


@dataclass(frozen=True, eq=False)
class Layout:
    """width: bits, (1,) shared or (r,) a column. rows: representatives."""

    width: U8
    rows: int


@dataclass(frozen=True, eq=False)
class Grid8:
    """A grid as its tables say it: width, low, step, of one entry or one a column."""

    width: U8
    low: I8
    step: U8

    def store(self, values: F64) -> NDArray[np.uint16]:
        return quantise(values, self.low, self.step, self.width)

    def load(self, q: NDArray[np.uint16]) -> F32:
        return dequantise(q, self.low, self.step, self.width)


def fit_tables(mean: F64, rows: NDArray[np.int64], width: U8) -> Grid8:
    """The grid for representatives (m, r) of so many rows (m,) each, shared when width is (1,)."""
    weight = rows.astype(np.float64)
    if len(width) == 1:
        low, step = fit_grid(mean.reshape(-1, 1), np.repeat(weight, mean.shape[1]), width)
    else:
        low, step = fit_grid(mean, weight, width)
    return Grid8(width, low, step)


def choose_layout(
    space: Space, X: NDArray[Any], budget: Budget, bits: int | str, fixed: int | None
) -> tuple[Layout, Tree]:
    """The layout whose stored representatives lie nearest to the rows, and the tree to cut.

    Candidates: the same bits for all columns, on one grid; and bits by column, after the spread
    that is left within leaves, each on its own grid. Nearest: variance within leaves plus
    squared error of rounding, weighted by rows. This is found without training anything; on
    validation rows it picked within 0.5 points of the best candidate on letter, optdigits and
    digits at 2, 8 and 32 KiB.

    `fixed` is the number of representatives when bytes are not what is limited.
    Raises BudgetError when not even one row a class fits.
    """
    columns = space.inputs.columns
    fewest = FEWEST_BITS if bits == "auto" else int(bits)
    most = fixed if fixed is not None else _most_rows(space, budget, fewest)
    tree = space.tree(X, min(most, len(X)))
    if fixed is not None:
        budget = Budget(None, budget.inputs, budget.deviation, budget.levels)
    best, least, seen = None, math.inf, set[bytes]()
    for width in _candidates(space, tree, budget, bits, fixed):
        rows = fixed if fixed is not None else budget.rows(len(width), _row_bits(space, width))
        if rows < space.classes or width.tobytes() in seen:
            continue
        seen.add(width.tobytes())
        layout = Layout(width, min(rows, tree.leaves))
        error = _error(space, tree, layout)
        if error < least:
            best, least = layout, error
    assert best is not None, f"{columns} columns: the smallest layout fits, as was checked"
    return best, tree


def _row_bits(space: Space, width: U8) -> int:
    total = width.astype(int).sum() if len(width) > 1 else int(width[0]) * space.inputs.columns
    return int(total) + space.label_bits


def _most_rows(space: Space, budget: Budget, bits: int) -> int:
    """Rows that fit at so many bits a column; raises BudgetError when a class goes without."""
    row_bits = bits * space.inputs.columns + space.label_bits
    rows = budget.rows(1, row_bits)
    if rows >= space.classes:
        return rows
    assert budget.total is not None
    need = budget.tables(1) + (space.classes * row_bits + 7) // 8
    raise BudgetError(
        f"a budget of {budget.total} bytes is too small: tables take {budget.tables(1)} bytes and"
        f" one row of {row_bits} bits for each of {space.classes} classes makes {need}"
        f" ({need - budget.total} over); raise budget_bytes to {need} or more, remove columns"
        + (", or set deviation=False" if budget.deviation else "")
    )


def _candidates(
    space: Space, tree: Tree, budget: Budget, bits: int | str, fixed: int | None
) -> Iterator[U8]:
    columns = space.inputs.columns
    if bits != "auto":
        yield np.array([bits], np.uint8)
        if columns > 1:
            yield np.full(columns, bits, np.uint8)
        return
    for shared in range(FEWEST_BITS, 9) if fixed is None else ():
        yield np.array([shared], np.uint8)
    for fineness in (0.8, 1.2) if columns > 1 or fixed is not None else ():
        yield from _by_spread(space, tree, budget, fineness, fixed)


def _by_spread(
    space: Space, tree: Tree, budget: Budget, fineness: float, fixed: int | None
) -> Iterator[U8]:
    """Bits a column so that a step is about `fineness` of the spread within leaves.

    Bits and rows depend on each other; a few rounds settle them.
    """
    width = np.full(space.inputs.columns, 4, np.uint8)
    rows = 0
    for _ in range(3):
        fit = budget.rows(len(width), _row_bits(space, width)) if fixed is None else fixed
        fit = min(fit, tree.leaves)
        if fit < space.classes or abs(fit - rows) <= 0.03 * rows:
            break
        rows = fit
        mean, _, within = space.spread(tree.cut(rows), rows)
        steps = np.ptp(mean, axis=0) / np.maximum(fineness * np.sqrt(within), 1e-9)
        width = np.rint(np.log2(steps + 1)).clip(FEWEST_BITS, 8).astype(np.uint8)
    yield width


def _error(space: Space, tree: Tree, layout: Layout) -> float:
    """Mean squared distance of a row to its representative as stored."""
    mean, rows, within = space.spread(tree.cut(layout.rows), layout.rows)
    grid = fit_tables(mean, rows, layout.width)
    apart = grid.load(grid.store(mean)) - mean
    return float(within.sum() + rows @ (apart * apart).sum(axis=1) / rows.sum())
