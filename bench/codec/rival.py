"""The rival of all representatives: the trained network itself, in the same bytes."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bench.codec.learn import HIDDEN
from bench.codec.sets import Fold
from tinydream.codec.scale import apply_inputs, fit_inputs
from tinydream.plan import Layer

__all__ = ["fits", "round_weights"]


def fits(fold: Fold, budget: int, bits: int) -> tuple[int, int]:
    """The largest hidden layer, at most 32 units, that fits beside the inputs' scales; its bytes.

    A weight takes `bits`, and below 32 bits each unit has a scale of 2 bytes.
    """
    inputs = fit_inputs(fold.X, budget)
    columns = apply_inputs(inputs, fold.X[:1]).shape[1]
    outputs = int(fold.y.max()) + 1 if fold.task == "classification" else 1
    tables = sum(map(len, inputs.tables().values()))
    for hidden in range(HIDDEN, 0, -1):
        weights = (columns + 1) * hidden + (hidden + 1) * outputs
        scales = 2 * (hidden + outputs) if bits < 32 else 0
        size = tables + scales + (weights * bits + 7) // 8
        if size <= budget:
            return hidden, size
    return 0, 0


def round_weights(
    weights: NDArray[np.float32], layers: Iterable[Layer], bits: int
) -> NDArray[np.float32]:
    """All parameters on a grid of `bits` a unit, with the least squared error."""
    if bits == 32:
        return weights
    parts, at = [], 0
    for layer in layers:
        count = layer.parameters
        own, at = weights[at : at + count], at + count
        if count:
            split = layer.inputs * layer.outputs
            table = np.column_stack([own[:split].reshape(layer.outputs, -1), own[split:]])
            rounded = _round_rows(table, 2 ** (bits - 1) - 1)
            parts += [rounded[:, :-1].ravel(), rounded[:, -1]]
    return np.concatenate(parts).astype(np.float32)


def _round_rows(table: NDArray[np.float32], top: int) -> NDArray[np.float32]:
    most = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-20)
    best, least = table, np.full((len(table), 1), np.inf)
    for share in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5):
        step = (share * most / top).astype(np.float16).astype(np.float32)
        step = np.maximum(step, np.float32(2**-24))
        rounded = np.clip(np.rint(table / step), -top - 1, top) * step
        error = ((table - rounded) ** 2).sum(axis=1, keepdims=True)
        best = np.where(error < least, rounded, best)
        least = np.minimum(error, least)
    return best
