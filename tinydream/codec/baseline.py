"""What representatives are compared with: all rows, and random rows at the same bytes."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinydream.codec.layout import Budget, fit_tables
from tinydream.codec.quantise import cover_grid, pack_rows, quantise
from tinydream.codec.represent import Representatives
from tinydream.codec.scale import apply_inputs
from tinydream.data import check_table
from tinydream.errors import BudgetError, DataError, InputError
from tinydream.rows import Rows

__all__ = ["all_rows", "random_rows", "validation_rows"]

BLOCK = 1024  # rows brought to float64 at a time


def all_rows(reps: Representatives, X: ArrayLike, y: ArrayLike) -> Representatives:
    """Every row of X (n, d) once, as scaled inputs, at 16 bits and without deviation.

    Neither these nor random rows go through a projection: it is ours.

    y: (n,) class indices, as in `reps.y`; for regression (n,) or (n, t) in raw units. Raises
    DataError for others.
    """
    reps = _plainly(reps)
    Z, labels = _space(reps, X, y)
    width = np.full(Z.shape[1], 16, np.uint8)
    low, step = cover_grid(Z.min(axis=0), Z.max(axis=0), width)
    q = np.concatenate(
        [
            quantise(Z[i : i + BLOCK].astype(np.float64), low, step, width)
            for i in range(0, len(Z), BLOCK)
        ]
    )
    return _plain(reps, q, labels, width, low, step)


def random_rows(
    reps: Representatives, X: ArrayLike, y: ArrayLike, seed: int, bits: int | None = None
) -> Representatives:
    """As many random rows of X, y as the bytes of `reps` hold; scaled inputs, no deviation.

    bits: of each number, by default those of `reps`, column by column; needed where it has a
    projection. Grids are fitted to the rows, and what `reps` spends on sigma, weights and a
    projection is spent on rows. y: as for `all_rows`. Raises BudgetError when no row fits,
    InputError when bits are needed.
    """
    if bits is None and reps.inputs.projection is not None:
        raise InputError("bits is None, and projected columns have no bits in common with inputs")
    total, reps = reps.nbytes, _plainly(reps)
    Z, labels = _space(reps, X, y)
    width = reps.rows.width if bits is None else np.array([bits], np.uint8)
    units = {**reps.inputs.tables(), **reps.outputs.tables()}
    head = sum(map(len, units.values()))
    budget = Budget(Z.shape[1], head, reps.rows.hard_bits, 0, total, levels=1)
    fit = min(budget.rows(width), len(Z))
    if fit < 1:
        raise BudgetError(f"not one random row fits in {total} bytes; take a larger budget")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(Z))[:fit])
    values = Z[chosen].astype(np.float64)
    grid = fit_tables(values, np.ones(fit, np.int64), width)
    return _plain(reps, grid.store(values), labels[chosen], width, grid.low, grid.step)


def validation_rows(reps: Representatives, X: ArrayLike, y: ArrayLike) -> Rows:
    """Rows of X, y as the device may hold them beside `reps`: on its grid, and not dreamt.

    X, y: as for `all_rows`, at least one row.
    """
    Z, labels = _space(reps, X, y)
    rows, columns = reps.rows, np.zeros(Z.shape[1], int)  # tables may have one entry for all
    picked = columns if len(rows.width) == 1 else np.arange(len(columns))
    low, step, width = rows.low[picked], rows.step[picked], rows.width[picked]
    q = quantise(Z.astype(np.float64), low, step, width)
    return rows.plain(pack_rows(q, labels, rows.width, rows.hard_bits), len(q))


def _plainly(reps: Representatives) -> Representatives:
    """The same without a projection; only its inputs and outputs are of use then."""
    return replace(reps, inputs=replace(reps.inputs, projection=None))


def _space(
    reps: Representatives, X: ArrayLike, y: ArrayLike
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Rows (n, r + t), inputs and then targets, and labels (n,), all 0 for regression."""
    targets = reps.rows.targets
    task = "regression" if targets else "classification"
    rows, classes, given = check_table(X, y, task=task)
    Z = apply_inputs(reps.inputs, rows)
    if not targets:
        return Z, _class_indices(classes, given, len(reps.classes))
    if given.shape[1] != targets:
        raise DataError(f"y has {given.shape[1]} targets and the representatives {targets}")
    scaled = ((given - reps.outputs.shift) / reps.outputs.scale).astype(np.float32)
    return np.hstack([Z, scaled]), np.zeros(len(Z), np.int32)


def _class_indices(
    classes: NDArray[np.generic], index: NDArray[np.generic], count: int
) -> NDArray[np.int32]:
    if classes.dtype.kind not in "iu" or classes[0] < 0 or classes[-1] >= count:
        raise DataError(
            f"y holds {classes[0]!s}..{classes[-1]!s}; class indices 0..{count - 1} are needed, as"
            " in the representatives' y"
        )
    return np.asarray(classes[index], np.int32)


def _plain(
    reps: Representatives,
    q: NDArray[np.uint16],
    labels: NDArray[np.int32],
    width: NDArray[np.uint8],
    low: NDArray[np.int8],
    step: NDArray[np.uint8],
) -> Representatives:
    rows = Rows(
        columns=q.shape[1],
        targets=reps.rows.targets,
        label_bits=reps.rows.hard_bits,
        width=width,
        low=low,
        step=step,
        sigma=np.empty(0, np.uint8),
        levels=((1, len(q)),),
        bits=pack_rows(q, labels, width, reps.rows.hard_bits),
    )
    return Representatives(reps.inputs, rows, reps.classes, reps.outputs)
