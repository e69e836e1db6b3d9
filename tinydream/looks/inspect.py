"""What is in a run: entropy of its bits, representatives, deviations, and where the bytes go."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.codec import Representatives
from tinydream.run import Run
from tinydream.stages import read_representatives

__all__ = ["Group", "Inspected", "Spread", "inspect"]

FACTS = ("rows", "features", "kept", "raw_dtype", "raw_bytes", "representative_bytes", "row_bits")

NOTES = {
    "kept": "which raw columns are kept, a bit each",
    "shift": "input scales: what is taken away",
    "gain": "input scales: powers of two",
    "width": "bits of each stored number",
    "low": "grids: lowest values",
    "step": "grids: steps",
    "sigma": "deviation model: a spread a column",
    "levels": "weights, and how many representatives have each",
    "bits": "representatives with their labels, bit-packed",
}


@dataclass(frozen=True)
class Group:
    """The representatives of one class: how many, the rows they stand for, the weights' range."""

    name: str
    representatives: int
    rows: int
    lightest: int
    heaviest: int


@dataclass(frozen=True)
class Spread:
    """How far rows lie from their representatives in one column: raw units, network inputs."""

    name: str
    raw: float
    input: float


@dataclass(frozen=True)
class Inspected:
    """A run, to be looked at.

    facts: of compress.json. names: the features, as `entropy` (features, bits) has them: most
    significant bit first, NaN where a column has fewer. groups: by class. spreads: by kept
    column, empty when rows are not dreamt. tables: name, bytes and use of each constant table.
    """

    facts: dict[str, Any]
    names: tuple[str, ...]
    entropy: NDArray[np.float32]
    groups: tuple[Group, ...]
    spreads: tuple[Spread, ...]
    tables: tuple[tuple[str, int, str], ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: a column's entropies are as many as it has bits."""
        bits = [[round(float(h), 6) for h in row[~np.isnan(row)]] for row in self.entropy]
        return {
            **self.facts,
            "entropy": dict(zip(self.names, bits, strict=True)),
            "classes": [vars(group) for group in self.groups],
            "deviation": [vars(spread) for spread in self.spreads],
            "tables": {name: size for name, size, _ in self.tables},
        }


def inspect(run: Run) -> Inspected:
    """Look into what `compress` left; raises RunError when something is absent or damaged."""
    facts = run.read_json("compress.json", *FACTS)
    reps, names = read_representatives(run)
    arrays = run.read_arrays("entropy.npz", "entropy", "names")
    entropy = arrays["entropy"]
    if entropy.ndim != 2 or len(entropy) != len(arrays["names"]):
        raise run.damaged("entropy.npz", "it needs one row a name")
    return Inspected(
        {key: facts[key] for key in FACTS} | {"representatives": reps.rows.count},
        tuple(map(str, arrays["names"])),
        entropy,
        _groups(reps, names.classes),
        _spreads(reps, names.features),
        _tables(reps),
    )


def _groups(reps: Representatives, classes: tuple[str, ...]) -> tuple[Group, ...]:
    groups = []
    for k, name in enumerate(classes):
        weight = reps.weight[reps.y == k]
        low, high = (int(weight.min()), int(weight.max())) if len(weight) else (0, 0)
        groups.append(Group(name, len(weight), int(weight.sum()), low, high))
    return tuple(groups)


def _spreads(reps: Representatives, features: tuple[str, ...]) -> tuple[Spread, ...]:
    if not len(reps.rows.sigma):
        return ()
    kept = np.flatnonzero(reps.inputs.kept)
    raw = np.ldexp(reps.sigma.astype(np.float64), -reps.inputs.gain.astype(np.int32))
    columns = zip(kept, raw.tolist(), reps.sigma.tolist(), strict=True)
    return tuple(Spread(features[j], a, b) for j, a, b in columns)


def _tables(reps: Representatives) -> tuple[tuple[str, int, str], ...]:
    inputs = reps.inputs
    scales = {
        "kept": 0 if inputs.kept.all() else (inputs.raw_columns + 7) // 8,
        "shift": 4 * len(inputs.shift),
        "gain": len(inputs.gain),
    }
    sizes = scales | {name: len(data) for name, data in reps.rows.tables().items()}
    return tuple((name, size, NOTES.get(name, "")) for name, size in sizes.items() if size)
