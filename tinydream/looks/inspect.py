"""What is in a run: entropy of its bits, representatives, deviations, and where the bytes go."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.archive import STORE
from tinydream.codec import Representatives
from tinydream.errors import DataError
from tinydream.looks.columns import Columns, columns
from tinydream.rows import f8_decode
from tinydream.run import Run
from tinydream.stages import Names, read_representatives
from tinydream.store import Column, explain, load_store

__all__ = ["Group", "Inspected", "Spread", "inspect"]

FACTS = (
    "rows", "features", "kept", "scaled_inputs", "inputs", "raw_dtype", "raw_bytes",
    "representative_bytes", "row_bits", "trials", "chosen", "options",
)  # fmt: skip

NOTES = {
    "kept": "which raw columns are kept, a bit each",
    "expand": "categories that become several inputs",
    "shift": "input scales: what is taken away",
    "gain": "input scales: powers of two",
    "fill": "inputs where the raw value is missing",
    "code_scale": "projection: a factor of each sum",
    "codes": "projection: what each input counts in each sum, bit-packed",
    "target_shift": "targets' scales: what is taken away",
    "target_scale": "targets' scales: factors",
    "width": "bits of each stored number",
    "low": "grids: lowest values",
    "step": "grids: steps",
    "sigma": "deviation model: a spread a column",
    "spread": "deviation model: factors of all spreads, by class or by row",
    "factor_scale": "deviation model: scales of factors in common",
    "factors": "deviation model: what each factor moves in each column",
    "axes": "deviation model: axes of a transform",
    "correction": "deviation model: what makes spreads right behind it",
    "levels": "weights, and how many representatives have each",
    "bits": "representatives with their labels, bit-packed",
}


@dataclass(frozen=True)
class Group:
    """The representatives of one class: how many, the rows they stand for, the weights' range.

    For regression there is one group, called after the targets.
    """

    name: str
    representatives: int
    rows: int
    lightest: int
    heaviest: int


@dataclass(frozen=True)
class Spread:
    """How far rows lie from their representatives in one column: in raw units, and as stored.

    raw: None for what a projection gives, which has no raw units.
    """

    name: str
    raw: float | None
    stored: float


@dataclass(frozen=True)
class Inspected:
    """A run, to be looked at.

    facts: of compress.json. names: the features, as `entropy` (features, bits) has them: most
    significant bit first, NaN where a column has fewer. groups: by class. spreads: by stored
    column, empty when rows are not dreamt. tables: name, bytes and use of each constant table.
    store: what each column of RUN/store.tds takes, and why; empty without it.
    """

    facts: dict[str, Any]
    names: tuple[str, ...]
    entropy: NDArray[np.float32]
    groups: tuple[Group, ...]
    spreads: tuple[Spread, ...]
    tables: tuple[tuple[str, int, str], ...]
    store: tuple[Column, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON: a column's entropies are as many as it has bits."""
        bits = [[round(float(h), 6) for h in row[~np.isnan(row)]] for row in self.entropy]
        return {
            **self.facts,
            "entropy": dict(zip(self.names, bits, strict=True)),
            "classes": [vars(group) for group in self.groups],
            "deviation": [vars(spread) for spread in self.spreads],
            "tables": {name: size for name, size, _ in self.tables},
            "store": [vars(column) for column in self.store],
        }


def inspect(run: Run) -> Inspected:
    """Look into what `compress` left; raises RunError when something is absent or damaged."""
    facts = run.read_json("compress.json", *FACTS)
    reps, names = read_representatives(run)
    _check_trials(run, facts)
    arrays = run.read_arrays("entropy.npz", "bits", "values")
    entropy = arrays["values"]
    if entropy.ndim != 2 or len(entropy) != len(names.features):
        raise run.damaged("entropy.npz", "it needs one row a feature")
    return Inspected(
        {key: facts[key] for key in FACTS} | {"representatives": reps.rows.count},
        names.features,
        entropy,
        _groups(reps, names),
        _spreads(reps, columns(run, reps, names)[0]),
        _tables(reps),
        _store(run),
    )


def _store(run: Run) -> tuple[Column, ...]:
    if not run.has(STORE):
        return ()
    try:
        return tuple(explain(load_store(run.path(STORE))))
    except DataError as error:
        raise run.damaged(STORE, str(error)) from None


def _check_trials(run: Run, facts: dict[str, Any]) -> None:
    """Raises RunError when compress.json does not tell trials as `compress` does."""
    try:
        for trial in facts["trials"]:
            trial["candidate"]["kind"], trial["candidate"]["rank"], trial["candidate"]["bits"]
            trial["model"]["noise"] + trial["score"] + trial["margin"] + trial["rows"]
        assert not facts["trials"] or facts["trials"][facts["chosen"]]
        facts["options"]["projection"]
    except (AssertionError, KeyError, TypeError, IndexError):
        raise run.damaged("compress.json", "its trials are not trials") from None


def _groups(reps: Representatives, names: Names) -> tuple[Group, ...]:
    if names.classes:
        of = {name: reps.weight[reps.y == k] for k, name in enumerate(names.classes)}
    else:
        of = {", ".join(names.targets): reps.weight}
    groups = []
    for name, weight in of.items():
        low, high = (int(weight.min()), int(weight.max())) if len(weight) else (0, 0)
        groups.append(Group(name, len(weight), int(weight.sum()), low, high))
    return tuple(groups)


def _spreads(reps: Representatives, told: Columns) -> tuple[Spread, ...]:
    if not len(reps.rows.sigma):
        return ()
    sigma = f8_decode(reps.rows.sigma)
    projected = told.inverse is not None
    raw = [None] * len(sigma) if projected else told.raw_spread(sigma).tolist()
    return tuple(Spread(*each) for each in zip(told.stored, raw, sigma.tolist(), strict=True))


def _tables(reps: Representatives) -> tuple[tuple[str, int, str], ...]:
    tables = reps.inputs.tables() | reps.outputs.tables() | reps.rows.tables()
    return tuple((name, len(data), NOTES.get(name, "")) for name, data in tables.items() if data)
