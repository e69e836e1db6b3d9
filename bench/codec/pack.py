"""Any rows as the device holds them: packed by the codec's own code, the same bytes counted."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.codec.sets import Fold
from tinydream.codec import Representatives, all_rows
from tinydream.codec.layout import fit_tables
from tinydream.codec.quantise import f8_encode, fit_levels, pack_rows
from tinydream.codec.scale import apply_inputs, fit_inputs, fit_outputs
from tinydream.rows import Inputs, Outputs, Rows

__all__ = ["Rows8", "Space", "every_row", "pack"]

STRESS = 0.25  # how much targets count beside all inputs together, as in the codec
LEVELS = 8  # of weight, as in the codec

F64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Space:
    """Training rows as the network sees them: Z (n, r + t) float32, inputs and then targets.

    label: (n,) int32, all 0 for regression. stress: (r + t,) how much an error in each column
    counts in a distance.
    """

    inputs: Inputs
    outputs: Outputs
    classes: NDArray[Any]
    Z: NDArray[np.float32]
    label: NDArray[np.int32]
    stress: F64

    @classmethod
    def of(
        cls, fold: Fold, budget: int | None = None, ours: Representatives | None = None
    ) -> "Space":
        """Standardised inputs of plain columns, or those of `ours`, with a projection if it has."""
        inputs = ours.inputs if ours else fit_inputs(fold.X, budget)
        Z = apply_inputs(inputs, fold.X)
        if fold.task == "classification":
            count = int(fold.y.max()) + 1
            return cls(inputs, Outputs(), np.arange(count), Z, fold.y, np.ones(Z.shape[1]))
        y = fold.y.reshape(len(fold.y), -1)
        outputs = fit_outputs(y)
        scaled = ((y - outputs.shift) / outputs.scale).astype(np.float32)
        weight = STRESS * np.sqrt(Z.var(axis=0, dtype=np.float64).sum() / y.shape[1])
        stress = np.append(np.ones(Z.shape[1]), np.full(y.shape[1], weight))
        label = np.zeros(len(Z), np.int32)
        return cls(inputs, outputs, np.empty(0), np.hstack([Z, scaled]), label, stress)

    @property
    def label_bits(self) -> int:
        return max(len(self.classes) - 1, 0).bit_length()

    def width(self, bits: int, budget: int) -> NDArray[np.uint8]:
        """One grid a column where columns have scales of their own and 2.5 bytes each are little.

        Little: no more than an eighth of the budget.
        """
        columns = self.Z.shape[1]
        own = len(self.inputs.shift) > 1 and 20 * columns <= budget
        return np.full(columns if own else 1, bits, np.uint8)

    def room(self, width: NDArray[np.uint8], budget: int, levels: int, sigma: bool) -> int:
        """Rows that fit into `budget` bytes beside all tables; 0 when none does."""
        columns = self.Z.shape[1]
        units = {**self.inputs.tables(), **self.outputs.tables()}
        grid = (len(width) + 1) // 2 + 2 * len(width)
        tables = sum(map(len, units.values())) + grid + 8 * levels + (columns if sigma else 0)
        row = int(np.broadcast_to(width, columns).sum(dtype=int)) + self.label_bits
        return max(8 * (budget - tables) // row, 0)


@dataclass(frozen=True, eq=False)
class Rows8:
    """Rows that were chosen or made: values (m, r + t), label (m,), count (m,) they stand for."""

    values: F64
    label: NDArray[np.int32]
    count: NDArray[np.int64]


def pack(
    space: Space, rows: Rows8, width: NDArray[np.uint8], sigma: F64 | None = None
) -> Representatives:
    """Rows as the device holds them. sigma: (r + t,) spread of deviations, none by default."""
    weight, level = fit_levels(rows.count, LEVELS)
    order = np.argsort(level, kind="stable")
    grid = fit_tables(rows.values, rows.count, width)
    q = grid.store(rows.values)[order]
    packed = Rows(
        columns=space.Z.shape[1],
        targets=len(space.outputs.shift),
        label_bits=space.label_bits,
        width=grid.width,
        low=grid.low,
        step=grid.step,
        sigma=np.empty(0, np.uint8) if sigma is None else f8_encode(sigma),
        levels=tuple(zip(weight.tolist(), np.bincount(level).tolist(), strict=True)),
        bits=pack_rows(q, rows.label[order], grid.width, space.label_bits),
    )
    return Representatives(space.inputs, packed, space.classes, space.outputs)


def every_row(fold: Fold) -> Representatives:
    """All training rows at 16 bits, each column on a scale of its own: nothing is saved."""
    space = Space.of(fold)
    few = np.array([np.flatnonzero(space.label == k)[0] for k in np.unique(space.label)])
    one = Rows8(space.Z[few].astype(np.float64), space.label[few], np.ones(len(few), np.int64))
    template = pack(space, one, np.array([8], np.uint8))
    template = replace(template, inputs=space.inputs)
    return all_rows(template, fold.X, fold.y)
