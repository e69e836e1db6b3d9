"""Stored columns and what they are called: network inputs, then targets, in raw units."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinydream.codec import Representatives
from tinydream.codec.quantise import dequantise, unpack_rows
from tinydream.run import Run
from tinydream.stages import Names

__all__ = ["Columns", "categories", "columns"]

F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Columns:
    """The columns (r,) of packed rows. raw units = shift + scale * what is stored.

    names: of inputs, which are the kept features, `NAME=WORD` for a category that became several
    inputs, and then of `targets` targets. Projected inputs are called z0, z1, ... and have no
    unit: what is stored is what they are.
    """

    names: tuple[str, ...]
    targets: int
    shift: NDArray[np.float64]
    scale: NDArray[np.float64]

    def raw(self, stored: F32) -> F32:
        """Rows (m, r) in raw units."""
        return np.asarray(stored.astype(np.float64) * self.scale + self.shift, np.float32)


def columns(run: Run, reps: Representatives, names: Names) -> tuple[Columns, F32]:
    """What the stored columns mean, and the representatives (m, r) as they are stored.

    Raises RunError when compress.json does not say which categories there are.
    """
    inputs, outputs, rows = reps.inputs, reps.outputs, reps.rows
    each = np.ones(inputs.outputs)
    shift, scale = 0 * each, each
    if not inputs.projection:
        shift, scale = inputs.shift * each, np.ldexp(each, -inputs.gain.astype(np.int32))
    shift = np.concatenate([shift, outputs.shift])
    scale = np.concatenate([scale, outputs.scale])
    targets = names.targets if rows.targets else ()
    stored = dequantise(unpack_rows(rows)[0], rows.low, rows.step, rows.width)
    told = Columns((*_input_names(run, reps, names.features), *targets), rows.targets, shift, scale)
    return told, stored


def _input_names(run: Run, reps: Representatives, features: Sequence[str]) -> list[str]:
    inputs = reps.inputs
    if inputs.projection:
        return [f"z{k}" for k in range(inputs.outputs)]
    kept = [name for name, keep in zip(features, inputs.kept, strict=True) if keep]
    expand = inputs.expand.tolist() or [0] * len(kept)
    made = []
    known = categories(run) if len(inputs.expand) else {}
    for name, codes in zip(kept, expand, strict=True):
        words = known.get(name, ())
        words = words if len(words) == codes else tuple(map(str, range(codes)))
        made += [f"{name}={word}" for word in words] if codes > 1 else [name]
    return made


def categories(run: Run) -> dict[str, tuple[str, ...]]:
    """Categories by feature, in order of their codes, as `compress` found them."""
    told = run.read_json("compress.json", "columns")["columns"]
    try:
        return {c["name"]: tuple(c["categories"]) for c in told if c["kind"] == "category"}
    except (KeyError, TypeError):
        raise run.damaged("compress.json", "its columns are not columns") from None
