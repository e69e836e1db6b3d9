"""How a byte budget is spent: bits a column, and as many rows as then fit."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tinydream.codec.quantise import dequantise, fit_grid, quantise
from tinydream.codec.scale import lattice
from tinydream.codec.tree import Tree, grow, grow_global, leaf_sums, lloyd
from tinydream.errors import BudgetError

__all__ = ["LEVELS", "Budget", "Grid8", "Layout", "Space", "choose_layout", "fit_tables"]

LEVELS = 8  # of weight; with 2, 4 and 16 letter and digits did as well, within the noise

# How much targets count in the tree and between layouts, as a share of all inputs together. On
# validation rows of california_housing, ccpp, protein_casp, appliances_energy, cmapss_fd001 and
# naval at 2 and 8 KiB, 0.25 had the best mean R2 of 0.25, 0.35, 0.5 and 0.7; naval decided.
# (`scripts/bench options --sets ...`)
STRESS = 0.25

T = TypeVar("T")
U8 = NDArray[np.uint8]
I8 = NDArray[np.int8]
I32 = NDArray[np.int32]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Space:
    """Rows as the network sees them.

    Z: (n, r + t) float32, inputs and then targets. label: (n,) int32, all 0 for regression.
    kinds: of rows that no representative mixes: the classes, or 1. grid: (n, r + t) uint16, the
    same rows as integers that the tree splits, and scale: (r + t,) the squared size of their
    steps. square: (r + t,) sums of Z**2. stress: (r + t,) how much an error in each column
    counts, as a factor of it. rule: of the tree.
    """

    Z: F32
    label: I32
    targets: int
    kinds: int
    grid: NDArray[np.uint16]
    scale: F64
    square: F64
    stress: F64
    rule: str = "adaptive"
    _kept: dict[Any, Any] = field(default_factory=dict, repr=False)  # of what several models need

    @classmethod
    def of(
        cls,
        Z: F32,
        y: NDArray[Any],
        classes: int,
        exact: F64 | None = None,
        rule: str = "adaptive",
    ) -> "Space":
        """The space of inputs Z (n, r) and y: labels (n,), or targets (n, t) if classes is 0.

        exact: as for `lattice`. rule: of the tree, "adaptive" or "global".
        """
        targets = 0 if classes else y.shape[1]
        label = y if classes else np.zeros(len(y), np.int32)
        exact = np.zeros(Z.shape[1]) if exact is None else exact
        if targets:
            Z, exact = np.hstack([Z, y.astype(np.float32)]), np.append(exact, np.zeros(targets))
        grid, scale = lattice(Z, exact)
        square = np.einsum("ij,ij->j", Z, Z, dtype=np.float64)
        stress = np.ones(Z.shape[1])
        if targets:
            variance = square / len(Z) - Z.mean(axis=0, dtype=np.float64) ** 2
            stress[-targets:] = STRESS * np.sqrt(variance[:-targets].sum() / targets)
        return cls(Z, label, targets, max(classes, 1), grid, scale, square, stress, rule)

    @property
    def label_bits(self) -> int:
        return (self.kinds - 1).bit_length()

    def tree(self, leaves: int) -> Tree:
        """A tree of as many leaves or more, fewer where rows are equal."""
        known: tuple[int, Any] = self._kept.get("tree", (0, None))
        tree: Tree = known[1]
        if known[0] < leaves:
            if self.rule == "global":
                tree = grow_global(self.grid, self.label, leaves)
            else:
                tree = grow(self.grid, self.label, self.scale * self.stress**2, leaves)
            self._kept["tree"] = leaves, tree
        return tree

    def leaves(self, tree: Tree, leaves: int, passes: int) -> I32:
        """Each row's leaf (n,) of the cut tree, after so many passes of Lloyd's."""
        return self.once(
            (tree, leaves, passes),
            lambda: lloyd(self.Z, self.label, tree.cut(leaves), leaves, passes, self.stress),
        )

    def once(self, key: object, make: Callable[[], T]) -> T:
        """What `make` gives, made the first time that a key is asked for."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]  # type: ignore[no-any-return]

    def spread(self, leaf: I32, leaves: int) -> tuple[F64, NDArray[np.int64], F64]:
        """Means (leaves, r + t), rows (leaves,) and the variance within leaves, unbiased.

        The mean of a leaf has adapted to its rows: n - leaves degrees of freedom are left.
        """
        return self._spread(*leaf_sums(self.Z, leaf, leaves))

    def spread_cut(self, tree: Tree, leaves: int) -> tuple[F64, NDArray[np.int64], F64]:
        """The same of a cut tree; the rows themselves are summed once for all cuts."""
        whole = self.once(tree, lambda: leaf_sums(self.Z, tree.leaf, tree.leaves))
        sums, rows = tree.merge(leaves, *whole)
        return self._spread(sums, rows)

    def _spread(self, sums: F64, rows: NDArray[np.int64]) -> tuple[F64, NDArray[np.int64], F64]:
        mean, leaves = sums / np.maximum(rows, 1)[:, None], len(rows)
        left = self.square - rows @ (mean * mean)
        return mean, rows, np.maximum(left, 0) / max(len(self.Z) - leaves, 1)


@dataclass(frozen=True, eq=False)
class Layout:
    """width: bits, (1,) shared or (r,) a column. rows: representatives. levels: of weight."""

    width: U8
    rows: int
    levels: int


@dataclass(frozen=True)
class Budget:
    """What is limited: bytes in all (`total`), or else the number of rows (`fixed`).

    columns: inputs and targets. head: bytes of what brings raw rows there and targets back.
    tail: bits of a row behind its columns. model: bytes of how it deviates.
    """

    columns: int
    head: int
    tail: int
    model: int
    total: int
    fixed: int | None = None
    levels: int = LEVELS

    def row_bits(self, width: U8) -> int:
        return int(np.broadcast_to(width, self.columns).sum(dtype=np.int64)) + self.tail

    def tables(self, width: U8) -> int:
        """Bytes of all but the rows; grids have as many entries as `width`."""
        grid = (len(width) + 1) // 2 + 2 * len(width)
        return self.head + grid + self.model + 8 * self.levels

    def rows(self, width: U8) -> int:
        """Rows of these bits that fit beside the tables; negative when these alone do not."""
        if self.fixed is not None:
            return self.fixed
        return 8 * (self.total - self.tables(width)) // self.row_bits(width)


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


def choose_layout(space: Space, budget: Budget, bits: int | str) -> tuple[Layout, Tree]:
    """The layout whose stored representatives lie nearest to the rows, and the tree to cut.

    Candidates: the same bits for all columns, on one grid; and bits by column, after the spread
    that is left within leaves, each on its own grid. Nearest: variance within leaves plus
    squared error of rounding, weighted by rows. This is found without training anything.

    Raises BudgetError when not even one row a class fits.
    """
    return space.once((budget, bits), lambda: _nearest(space, budget, bits))


def _nearest(space: Space, budget: Budget, bits: int | str) -> tuple[Layout, Tree]:
    narrow = np.array([1 if bits == "auto" else bits], np.uint8)
    budget = _fewer_levels(budget, narrow, space.kinds)
    # with one level of weight most rows fit: weights may turn out to be equal
    most = replace(budget, levels=1).rows(narrow)
    tree = space.tree(min(most, len(space.Z)))
    best, least = None, math.inf
    for widths in _candidates(space, tree, budget, bits):
        last, rises = math.inf, 0
        for width in widths:
            if budget.rows(width) < space.kinds:
                continue
            layout = Layout(width, min(budget.rows(width), tree.leaves), budget.levels)
            error = _error(space, tree, layout)
            if error < least:
                best, least = layout, error
            last, rises = error, rises + 1 if error >= last else 0
            if rises == 2:  # fewer bits and more rows will not help any more
                break
    assert best is not None, "the narrowest fits, as was checked"
    return best, tree


def _fewer_levels(budget: Budget, width: U8, classes: int) -> Budget:
    """The budget with as many levels as leave room for a row a class; raises BudgetError."""
    for levels in range(budget.levels, 0, -1):
        least = replace(budget, levels=levels)
        if least.rows(width) >= classes:
            return least
    tables, row_bits = least.tables(width), least.row_bits(width)
    need = tables + (classes * row_bits + 7) // 8
    each = f" for each of {classes} classes" if classes > 1 else ""
    raise BudgetError(
        f"a budget of {budget.total} bytes is too small: tables take {tables} bytes and a row of"
        f" {row_bits} bits{each} makes {need} ({need - budget.total} over);"
        f" raise budget_bytes to {need} or more, or remove columns"
        + (", or set deviation=False" if budget.model else "")
    )


def _candidates(
    space: Space, tree: Tree, budget: Budget, bits: int | str
) -> Iterator[Iterable[U8]]:
    """Widths in runs, along which fewer bits leave room for more rows."""
    columns = space.Z.shape[1]
    if bits != "auto":
        yield [np.array([bits], np.uint8)]
        if columns > 1:
            yield [np.full(columns, bits, np.uint8)]
        return
    if budget.fixed is None:  # else more bits would cost nothing
        yield (np.array([shared], np.uint8) for shared in range(8, 0, -1))
    if columns > 1 or budget.fixed is not None:
        for fineness in (0.8, 1.2):
            yield [_by_spread(space, tree, budget, fineness)]


def _by_spread(space: Space, tree: Tree, budget: Budget, fineness: float) -> U8:
    """Bits a column so that a step is about `fineness` of the spread within leaves.

    Bits and rows depend on each other; a few rounds settle them.
    """
    width, rows = np.full(space.Z.shape[1], 4, np.uint8), 0
    for _ in range(3):
        fit = min(budget.rows(width), tree.leaves)
        if fit < space.kinds or abs(fit - rows) <= 0.03 * rows:
            break
        rows = fit
        mean, _, within = space.spread_cut(tree, rows)
        steps = np.ptp(mean, axis=0) / np.maximum(fineness * np.sqrt(within), 1e-9)
        width = np.rint(np.log2(steps + 1)).clip(2, 8).astype(np.uint8)
    return width


def _error(space: Space, tree: Tree, layout: Layout) -> float:
    """Mean squared distance of a row to its representative as stored."""
    mean, rows, within = space.spread_cut(tree, layout.rows)
    grid = fit_tables(mean, rows, layout.width)
    apart = grid.load(grid.store(mean)) - mean
    square = within + rows @ (apart * apart) / rows.sum()
    return float(square @ space.stress**2)
