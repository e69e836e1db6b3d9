"""Cells: figures that were measured, one JSON line each, kept until what made them changes."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.codec.learn import simulator, train
from bench.codec.methods import METHODS, Unit
from bench.codec.pack import every_row
from bench.codec.sets import ROOT, Facts, Fold, facts_of

__all__ = ["Cells", "core_stamp", "stamp"]

# sources that decide a peer's figures; ours depend on all of the codec
PEERS = [
    "tinydream/inputs.py",
    "tinydream/rows.py",
    "tinydream/codec/quantise.py",
    "tinydream/codec/scale.py",
    "bench/codec/learn.py",
    "bench/codec/pack.py",
    "bench/codec/peers.py",
    "bench/codec/rival.py",
]


@cache
def core_stamp() -> str:
    """What the C core computes, told by the weights of two short trainings.

    Its numbers are exact: a faster core that computes the same keeps its cells.
    """
    generator, digest = np.random.default_rng(0), hashlib.blake2b(digest_size=8)
    X = generator.normal(size=(200, 37)).astype(np.float32)
    for facts, y in (
        (Facts("classification", "table", 64), X[:, :5].argmax(axis=1).astype(np.int32)),
        (Facts("regression", "table", 64), X[:, 0] * X[:, 1]),
    ):
        fold = Fold("probe", facts, X, y, X, y, None, 0.0)
        device = simulator(every_row(fold), fold)
        train(device, facts.steps, 3e-3, seed=1)
        digest.update(device.weights.tobytes())
    return digest.hexdigest()


@cache
def stamp(ours: bool) -> str:
    """Names the code that makes a figure: a peer's, or one of the codec's."""
    files = [ROOT / name for name in PEERS]
    if ours:
        codec = ROOT / "tinydream" / "codec"
        files += sorted(f for f in codec.iterdir() if f.suffix in (".py", ".c", ".h"))
        files += [ROOT / "bench/codec/methods.py", ROOT / "bench/codec/unseen.py"]
    digest = hashlib.blake2b(core_stamp().encode(), digest_size=8)
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


class Cells:
    """A file of cells. One process writes; what it wrote is never lost by an interruption."""

    def __init__(self, path: Path, fresh: bool = False) -> None:
        self.path = path
        self._cells: dict[str, dict[str, Any]] = {}
        if fresh:
            path.unlink(missing_ok=True)
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    cell = json.loads(line)
                except ValueError:  # cut off in the middle of a line
                    continue
                self._cells[cell["key"]] = cell

    def key(self, unit: Unit, seed: int) -> str:
        """The name of a cell: all that decides its figures."""
        made_by = stamp(METHODS[unit.method].ours)
        told = {**asdict(unit), "seed": seed, "stamp": made_by, "steps": facts_of(unit.set).steps}
        return hashlib.blake2b(
            json.dumps(told, sort_keys=True).encode(), digest_size=12
        ).hexdigest()

    def get(self, unit: Unit, seed: int) -> dict[str, Any] | None:
        """The cell, or None where it must be measured."""
        return self._cells.get(self.key(unit, seed))

    def add(self, unit: Unit, cells: Iterable[dict[str, Any]]) -> None:
        """Keep cells of a unit; each tells its seed (-1: the choice on held-out rows)."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            for cell in cells:
                key = self.key(unit, cell["seed"])
                self._cells[key] = {"key": key, **asdict(unit), **cell}
                file.write(json.dumps(self._cells[key]) + "\n")

    def scores(self, unit: Unit, seeds: Iterable[int]) -> list[float] | None:
        """The scores of these seeds; None unless all are there."""
        found = [self.get(unit, seed) for seed in seeds]
        return None if None in found else [cell["score"] for cell in found if cell]
