"""What representatives are called and worth in raw units: inputs, then targets."""

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
F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Columns:
    """The columns (d,) of a row in raw units = shift + scale * scaled.

    names: of scaled inputs, which are the kept features, `NAME=WORD` for a category that became
    several inputs, and then of `targets` targets. stored: of the (r,) columns of packed rows: the
    same, or z1, z2, ... for what a projection gives. inverse: (r, d), targets included, what is
    stored to what is scaled; None without a projection.
    """

    names: tuple[str, ...]
    stored: tuple[str, ...]
    targets: int
    shift: F64
    scale: F64
    inverse: F64 | None

    def raw(self, stored: F32) -> F32:
        """Rows (m, r) in raw units (m, d); through a projection, their back-projection."""
        scaled = stored.astype(np.float64)
        scaled = scaled if self.inverse is None else scaled @ self.inverse
        return np.asarray(scaled * self.scale + self.shift, np.float32)

    def raw_spread(self, sigma: F32) -> F64:
        """Spreads (r,) of independent stored columns as spreads (d,) in raw units."""
        square = sigma.astype(np.float64) ** 2
        square = square if self.inverse is None else square @ self.inverse**2
        return np.asarray(np.sqrt(square) * self.scale)


def columns(run: Run, reps: Representatives, names: Names) -> tuple[Columns, F32]:
    """What the stored columns mean, and the representatives (m, r) as they are stored.

    Raises RunError when compress.json does not say which categories there are.
    """
    inputs, outputs, rows = reps.inputs, reps.outputs, reps.rows
    each = np.ones(inputs.columns)
    shift = np.concatenate([inputs.shift * each, outputs.shift])
    scale = np.concatenate([np.ldexp(each, -inputs.gain.astype(np.int32)), outputs.scale])
    targets = names.targets if rows.targets else ()
    stored = dequantise(unpack_rows(rows)[0], rows.low, rows.step, rows.width)
    made = (*_input_names(run, reps, names.features), *targets)
    own, inverse = made, None
    if inputs.projection is not None:
        own = (*(f"z{k + 1}" for k in range(inputs.outputs)), *targets)
        inverse = np.eye(len(own), len(made), inputs.columns - inputs.outputs)
        inverse[: inputs.outputs, : inputs.columns] = inputs.projection.inverse
        inverse[: inputs.outputs, inputs.columns :] = 0
    return Columns(made, own, rows.targets, shift, scale, inverse), stored


def _input_names(run: Run, reps: Representatives, features: Sequence[str]) -> list[str]:
    inputs = reps.inputs
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
