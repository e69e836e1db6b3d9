"""The fair comparison: the same network, the same number of updates, other rows."""

import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinydream.plan import Plan
from tinydream.planner import Record
from tinydream.simulator import Simulator
from tinydream.training import Knobs

__all__ = ["accuracy_of", "baseline_accuracy"]


def accuracy_of(plan: Plan, weights: ArrayLike, X: ArrayLike, y: ArrayLike) -> float:
    """Share of raw rows (n, features) that these weights predict right; R2 for targets."""
    simulator = Simulator(plan)
    simulator.push(weights)
    return simulator.score(X, y)


def baseline_accuracy(
    plan: Plan,
    record: Record,
    knobs: Knobs,
    X: ArrayLike,
    y: NDArray[Any],
    initial: NDArray[np.float32] | None = None,
) -> float:
    """Accuracy after training `plan`'s network on `record`'s rows instead of its own.

    As many rows are drawn in each epoch, in batches of the same size: as many updates. Where the
    record has more inputs or fewer, the first layer has as many. initial: weights to begin with,
    None for drawn ones.
    """
    first, *others = plan.layers
    inputs = record.inputs.outputs
    if first.inputs != inputs:
        limit = float(np.float32(math.sqrt(6 / (inputs + first.outputs))))
        first = replace(first, inputs=inputs, limit=limit)
    other = replace(
        plan,
        inputs=record.inputs,
        outputs=record.outputs,
        rows=record.rows,
        layers=(first, *others),
    )
    rows = knobs.epoch_rows or plan.rows.rows
    simulator = Simulator(other)
    if initial is not None:
        simulator.push(initial)
    simulator.train(**(asdict(knobs) | {"epoch_rows": rows}), fresh=initial is None)
    return simulator.score(X, y)
