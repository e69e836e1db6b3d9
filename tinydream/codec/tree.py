"""The base tree: which rows share a base."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream import _core
from tinydream.codec.threads import threads
from tinydream.errors import BudgetError

__all__ = ["Tree", "grow", "grow_global", "leaf_sums", "lloyd"]

I32 = NDArray[np.int32]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tree:
    """A base tree that can be cut at any number of leaves, from one a class to `leaves`.

    leaf: (n,) int32, each row's leaf when uncut. parent: (leaves,) int32, the older leaf that
    leaf t was split off, -1 for the classes themselves. error: (leaves,) float64, squared
    error within all leaves, in scaled units, when there are t + 1 of them.
    """

    classes: int
    leaf: I32
    parent: I32
    error: F64

    @property
    def leaves(self) -> int:
        return len(self.parent)

    def cut(self, leaves: int) -> I32:
        """Each row's leaf (n,) int32 when the tree had `leaves` of them."""
        return self._roots(leaves)[self.leaf]

    def merge(
        self, leaves: int, sums: F64, rows: NDArray[np.int64]
    ) -> tuple[F64, NDArray[np.int64]]:
        """Sums (self.leaves, d) and rows (self.leaves,) of the uncut tree's leaves, as those of a
        cut one's."""
        self._check(leaves)
        cut, count = np.empty((leaves, sums.shape[1])), np.empty(leaves, np.int64)
        root = np.empty(self.leaves, np.int32)
        sizes = (self.leaves, sums.shape[1], leaves)
        _core.merge_leaves(self.parent, sums, rows, *sizes, root, cut, count)
        return cut, count

    def _roots(self, leaves: int) -> I32:
        self._check(leaves)
        number = np.arange(self.leaves, dtype=np.int32)
        root = np.where(number < leaves, number, self.parent)
        while (root >= leaves).any():
            root = root[root]
        return root

    def _check(self, leaves: int) -> None:
        if not self.classes <= leaves <= self.leaves:
            raise ValueError(f"leaves is {leaves}; this tree has {self.classes}..{self.leaves}")


def grow(grid: NDArray[np.uint16], labels: I32, scale: F64, leaves: int) -> Tree:
    """Grow a base tree with at most `leaves` leaves (fewer when rows are equal).

    grid: (n, d) unsigned integers. labels: (n,) classes 0..k-1, each present; a leaf never
    mixes them. scale: (d,) the squared size of one step of the grid.

    The leaf with the largest squared error is split first, whatever its class, on the next
    most significant bit that is not constant within the leaf, of the column where this
    removes most of the column's squared error. Equal errors: the older leaf; equal gains: the
    first column. Bits as bases: EntroGeDe (arXiv 2506.22190) and EntroGD (arXiv 2511.04148);
    that every leaf picks its own bit is ours.

    Raises BudgetError when there are fewer leaves than classes.
    """
    n, d = grid.shape
    classes = int(labels.max()) + 1
    if leaves < classes:
        raise BudgetError(
            f"{leaves} representatives cannot stand for {classes} classes;"
            f" at least {classes} are needed: ask for more, or merge classes"
        )
    leaves = min(leaves, n)
    leaf, parent = np.empty(n, np.int32), np.empty(leaves, np.int32)
    error = np.empty(leaves, np.float64)
    grid = np.ascontiguousarray(grid, np.uint16)
    labels = np.ascontiguousarray(labels, np.int32)
    scale = np.ascontiguousarray(scale, np.float64)
    sizes = (n, d, classes, leaves, threads())
    made = _core.grow_tree(grid, labels, scale, *sizes, leaf, parent, error)
    return Tree(classes, leaf, parent[:made].copy(), error[:made].copy())


def grow_global(grid: NDArray[np.unsignedinteger[Any]], labels: I32, leaves: int) -> Tree:
    """A base tree whose every leaf is split on the same bits, as EntroGeDe condenses.

    A reconstruction of stage A (arXiv 2506.22190; no code was published): in rounds, the next
    left-most bit that varies of each column in turn splits all groups; the last bit splits only
    the largest, as many as there is room for. grid, labels, leaves: as for `grow`; errors are
    not told (NaN).
    """
    group, classes = labels.astype(np.int32), int(labels.max()) + 1
    parent, most = [-1] * classes, min(leaves, len(grid))
    for column, mask in _rounds(grid):
        one = grid[:, column] & mask != 0
        size = np.bincount(group, minlength=len(parent))
        ones = np.bincount(group[one], minlength=len(parent))
        split = np.flatnonzero((ones > 0) & (ones < size))
        split = split[np.argsort(-size[split], kind="stable")][: most - len(parent)]
        fresh = np.full(len(parent), -1, np.int32)
        fresh[split] = len(parent) + np.arange(len(split))
        moved = one & (fresh[group] >= 0)
        group[moved] = fresh[group[moved]]
        parent += split.tolist()
        if len(parent) == most:
            break
    return Tree(classes, group, np.array(parent, np.int32), np.full(len(parent), np.nan))


def _rounds(grid: NDArray[np.unsignedinteger[Any]]) -> Iterator[tuple[int, int]]:
    """(column, mask) of the bits that vary: of each column its first from the left, and so on."""
    vary = np.bitwise_or.reduce(grid) ^ np.bitwise_and.reduce(grid)
    places = [[b for b in range(15, -1, -1) if int(v) >> b & 1] for v in vary]
    for turn in range(16):
        for column, bits in enumerate(places):
            if turn < len(bits):
                yield column, 1 << bits[turn]


def lloyd(
    rows: F32, labels: I32, leaf: I32, leaves: int, passes: int, stress: F64 | None = None
) -> I32:
    """Each row's leaf (n,) after `passes` rounds of moving rows to the nearest mean of their
    class.

    rows: (n, d) float32. stress: (d,) factors of the columns. No leaf loses its last row. Stops
    early when no row moves. (Lloyd, "Least squares quantization in PCM", 1982.)
    """
    leaf = np.array(leaf, np.int32)
    if passes == 0 or leaves == len(leaf):
        return leaf
    n, d = rows.shape
    rows, labels = np.ascontiguousarray(rows, np.float32), np.ascontiguousarray(labels, np.int32)
    factors = np.ones(d, np.float32) if stress is None else stress.astype(np.float32)
    sizes = (n, d, int(labels.max()) + 1, leaves, passes, threads())
    _core.move_rows(rows, labels, factors, *sizes, leaf)
    return leaf


def leaf_sums(rows: F32, leaf: I32, leaves: int) -> tuple[F64, NDArray[np.int64]]:
    """The sum (leaves, d) float64 and the number of rows (leaves,) of each leaf."""
    n, d = rows.shape
    sums, counts = np.empty((leaves, d)), np.empty(leaves, np.int64)
    rows = np.ascontiguousarray(rows, np.float32)
    _core.sum_leaves(rows, np.ascontiguousarray(leaf, np.int32), n, d, leaves, sums, counts)
    return sums, counts
