"""What a model that `tinydream pull` wrote does to rows before the network: recognised again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.inputs import Inputs

__all__ = ["MARK", "SCALED", "Front", "is_front_of", "read_front"]

F32 = NDArray[np.float32]
MARK = "network_inputs"  # the layer behind which the network begins; it computes nothing
SCALED = "scaled"  # of the layer that scales
PLAIN = {"InputLayer", "Rescaling", "Clip", "Equal", "Where", "Identity"}
PROBES, CLOSE = 256, 1e-3  # rows that are compared, and how far they may be off


@dataclass(frozen=True, eq=False)
class Front:
    """inputs: of the network behind it. apply: raw rows (n, columns) to these (n, inputs).
    scaling: the layer that is all it does but for clipping and gaps; None where there is more.
    """

    inputs: int
    apply: Callable[[F32], F32]
    scaling: Any


def read_front(model: Any) -> Front | None:
    """The front of a functional model, if it has one."""
    named = {layer.name: layer for layer in model.layers}
    if type(named.get(MARK)).__name__ != "Identity":
        return None
    cut = type(model)(model.inputs[0], named[MARK].output)
    kinds = {type(each).__name__ for each in cut.operations}
    scaling = named.get(SCALED) if kinds <= PLAIN else None
    return Front(int(cut.output_shape[-1]), lambda rows: np.asarray(cut(rows)), scaling)


def is_front_of(front: Front, columns: int, inputs: Inputs) -> bool:
    """Whether it makes of raw rows (n, columns) what `inputs` does, by rows that tell.

    These have numbers on both sides of the clipping, codes, and gaps.
    """
    if columns != inputs.raw_columns or front.inputs != inputs.outputs:
        return False
    raw = _probes(inputs)
    return bool(np.abs(front.apply(raw) - inputs.apply(raw)).max() < CLOSE)


def _probes(inputs: Inputs) -> F32:
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(PROBES, inputs.raw_columns))
    expand = np.maximum(inputs.expand, 1) if len(inputs.expand) else np.ones(1, int)
    expand = np.broadcast_to(expand, int(inputs.kept.sum()))
    first = np.cumsum(expand) - expand  # of a column's inputs
    shift, gain = (np.broadcast_to(each, inputs.columns) for each in (inputs.shift, inputs.gain))
    plain = shift[first] + rng.uniform(-20, 20, (PROBES, len(first))) * np.exp2(-gain[first] * 1.0)
    codes = rng.integers(0, expand, (PROBES, len(first)))
    raw[:, inputs.kept] = np.where(expand > 1, codes, plain)
    raw[rng.random(raw.shape) < 0.05] = np.nan
    return raw.astype(np.float32)
