"""Cells: figures that were measured, one JSON line each, kept until what made them changes."""

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import tinydream as td
from bench.codec.learn import score_of, simulator, train
from bench.codec.pack import Space, every_row, pack
from bench.codec.peers import random_rows
from bench.codec.sets import ROOT, Facts, Fold, facts_of
from bench.codec.units import METHODS, Unit

__all__ = ["Cells", "core_stamp", "stamp"]

# sources that decide a peer's figures; ours depend on all of the codec as well
PEERS = ("learn", "methods", "pack", "peers", "protocol", "rival")
# of the codec, what only says who does what: results are the same on any number of threads
ASIDE = ("threads.py",)


@cache
def core_stamp() -> str:
    """What the C core and the packing of rows compute, told by what becomes of two small tables.

    Their numbers are exact: a faster core that computes the same keeps its cells.
    """
    digest = hashlib.blake2b(digest_size=8)
    for fold in _probes():
        everything = every_row(fold)
        device = simulator(everything, fold)
        train(device, fold.facts.steps, 3e-3, seed=1)
        digest.update(device.weights.tobytes() + f"{score_of(device, fold)}".encode())
        space = Space.of(fold, 1000)
        for bits in (3, 8):
            width = space.width(bits, 1000)
            reps = pack(space, random_rows(space, space.room(width, 1000, 1, False), 1), width)
            digest.update(reps.X.tobytes() + reps.y.tobytes() + f"{reps.nbytes}".encode())
    return digest.hexdigest()


def _probes() -> Iterator[Fold]:
    """A table of mixed units with gaps and outliers, and one of a single unit."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(200, 37)).astype(np.float32)
    pixels = generator.integers(0, 256, (200, 64)).astype(np.uint8)
    y = X[:, :5].argmax(axis=1).astype(np.int32)
    X *= 10.0 ** np.arange(-18, 19, dtype=np.float32) / 100
    X[::9, 3], X[7, 11], X[:, 20] = np.nan, 1e9, 5
    yield Fold("probe", Facts("classification", "table", 64), X, y, X, y, None, 0.0)
    brightness = pixels[:, :20].mean(axis=1)
    yield Fold(
        "p", Facts("regression", "image", 64), pixels, brightness, pixels, brightness, None, 0
    )


@cache
def codec_stamp() -> str:
    """What the codec's kernels compute, told by what becomes of the same tables."""
    digest = hashlib.blake2b(digest_size=8)
    for fold in _probes():
        usual = td.EntroGeDe(budget_bytes=1500, task=fold.task)
        other = replace(usual, projection="trained", components=5, tree="global")
        for codec in (usual, other):
            made = codec.fit(fold.X, fold.y).representatives_
            digest.update(made.inputs.to_bytes() + made.rows.to_bytes())
    return digest.hexdigest()


@cache
def stamp(ours: bool) -> str:
    """Names the code that makes a figure: a peer's, or one of the codec's."""
    files = [ROOT / f"bench/codec/{name}.py" for name in PEERS]
    if ours:
        codec = sorted((ROOT / "tinydream" / "codec").glob("*.py"))
        files += [file for file in codec if file.name not in ASIDE]
        files += [ROOT / f"bench/codec/{name}.py" for name in ("ours", "unseen")]
    digest = hashlib.blake2b(core_stamp().encode(), digest_size=8)
    if ours:
        digest.update(codec_stamp().encode())
    for file in files:
        digest.update(_meaning(file.read_text("utf-8")).encode())
    return digest.hexdigest()


def _meaning(source: str) -> str:
    """A module without comments, docstrings, and how its lines are broken."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            if isinstance(body[0].value, ast.Constant):
                body[0] = ast.Expr(ast.Constant(None))
    return ast.dump(tree)


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
