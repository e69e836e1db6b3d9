"""Each method as a function: rows to learn from, bits and a budget in, packed rows out."""

import inspect
import time
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tinydream as td
from bench.codec.pack import LEVELS, Rows8, Space, every_row, pack
from bench.codec.peers import CHOOSERS, clusters, random_rows
from bench.codec.sets import Fold
from tinydream.codec import Representatives
from tinydream.codec.layout import fit_tables
from tinydream.codec.quantise import fit_levels, pack_rows

__all__ = ["METHODS", "Built", "Method", "Unit", "all_rows", "build", "fit_ours"]

OURS = 0  # in place of bits: as many as the codec chose
REAL = ("random", "stratified", "herding")  # rows of weight 1: one level


@dataclass(frozen=True)
class Method:
    """bits: those to choose from on held-out rows. ours: whether it depends on the codec."""

    text: str
    bits: tuple[int, ...] = (OURS,)
    ours: bool = False


METHODS = {
    "ours": Method("EntroGeDe, defaults", ours=True),
    "all": Method("all rows, 16 bits"),
    "random 8": Method("random rows, 8 bits", (8,)),
    "random": Method("random rows, our bits", ours=True),
    "stratified 8": Method("stratified random rows, 8 bits", (8,)),
    "stratified": Method("stratified random rows, our bits", ours=True),
    "k-means": Method("weighted k-means per class, best of 3, 4, 6, 8 bits", (4, 3, 6, 8)),
    "rival": Method("the network trained on all rows, its weights in the same bytes", (8, 4, 32)),
    "herding": Method("kernel herding per class, best of 4, 8 bits", (4, 8)),
    "one mask": Method("one mask of base bits (the paper's rule, reconstructed)", (4, 8)),
    "means": Method("ours without the deviation model", ours=True),
    "random, dreamt": Method("random rows with our projection and noise", ours=True),
    "k-means, dreamt": Method("k-means with our projection and noise", ours=True),
}


@dataclass(frozen=True)
class Unit:
    """One figure to be measured over seeds.

    budget: bytes, 0 for none. rows: their number is fixed instead. noise: share of training
    labels that are wrong. options: of EntroGeDe. held: a class or group the codec never sees.
    """

    set: str
    method: str
    budget: int = 0
    learner: str = "mlp"
    noise: float = 0.0
    rows: int = 0
    options: tuple[tuple[str, Any], ...] = ()
    held: bool = False


@dataclass(frozen=True, eq=False)
class Built:
    """Packed rows, and the seconds that making them took."""

    reps: Representatives
    seconds: float


def build(unit: Unit, fold: Fold, bits: int, seed: int) -> Built | None:
    """The rows of a method; None when not one fits. `seed` decides whatever is random in it."""
    if unit.method in ("ours", "means"):
        return fit_ours(replace(unit, learner="mlp"), fold)
    start = time.perf_counter()
    if unit.method == "all":
        return all_rows(fold)
    reps = _dreamt(unit, fold, seed) if unit.method.endswith("dreamt") else None
    if not unit.method.endswith("dreamt"):
        reps = _peer(unit, fold, bits, seed)
    return Built(reps, time.perf_counter() - start) if reps else None


@lru_cache(maxsize=2)
def all_rows(fold: Fold) -> Built:
    """Every row, packed once for all seeds."""
    start = time.perf_counter()
    return Built(every_row(fold), time.perf_counter() - start)


@lru_cache(maxsize=4)
def fit_ours(unit: Unit, fold: Fold) -> Built | None:
    """The codec's own answer; None when the budget is too small for it."""
    options = dict(unit.options) | {"task": fold.task}
    if unit.method == "means":
        options["deviation"] = False
    if unit.rows:
        options["representatives"] = unit.rows
    else:
        options["budget_bytes"] = unit.budget
    known = {field.name for field in fields(td.EntroGeDe)}
    if not options.keys() <= known:
        raise td.InputError(f"this codec has no {', '.join(sorted(options.keys() - known))}")
    codec, extra = td.EntroGeDe(**options), {}
    if fold.groups is not None and "groups" in inspect.signature(codec.fit).parameters:
        extra["groups"] = fold.groups
    start = time.perf_counter()
    try:
        codec.fit(fold.X, fold.y, **extra)
    except td.BudgetError:
        return None
    return Built(codec.representatives_, time.perf_counter() - start)


def _ours(unit: Unit, fold: Fold) -> Representatives | None:
    built = fit_ours(replace(unit, method="ours", learner="mlp"), fold)
    return built.reps if built else None


@lru_cache(maxsize=4)
def _space(fold: Fold, budget: int | None) -> Space:
    return Space.of(fold, budget)


def _peer(unit: Unit, fold: Fold, bits: int, seed: int) -> Representatives | None:
    kind = unit.method.split(" 8")[0]
    budget = unit.budget or 2**40
    space = _space(fold, unit.budget or None)
    width = space.width(bits, budget)
    if bits == OURS:
        ours = _ours(unit, fold)
        if ours is None:
            return None
        width = _our_width(ours, space, budget)
    levels = 1 if kind in REAL else LEVELS
    room = unit.rows or space.room(width, budget, levels, sigma=False)
    if room < 1:
        return None
    made = pack(space, CHOOSERS[kind](space, room, seed), width)
    assert unit.rows or made.nbytes <= unit.budget
    return made


def _our_width(ours: Representatives, space: Space, budget: int) -> NDArray[np.uint8]:
    """The codec's bits where it keeps the columns as they are, else as many as its mean."""
    width = ours.rows.width
    if len(width) in (1, space.Z.shape[1]) and ours.rows.columns == space.Z.shape[1]:
        fits = space.room(width, budget, 1, sigma=False) > 0
        if fits:
            return width
    return space.width(int(np.rint(width.mean())), budget)


def _dreamt(unit: Unit, fold: Fold, seed: int) -> Representatives | None:
    """Rows or clusters in the codec's own inputs, its bits, and deviations drawn as it does."""
    ours = _ours(unit, fold)
    if ours is None:
        return None
    space = Space.of(fold, ours=ours)
    spare = 8 * (unit.budget - ours.nbytes + len(ours.rows.bits))
    real = unit.method.startswith("random")
    spare += 64 * (len(ours.rows.levels) - (1 if real else LEVELS))
    room = spare // ours.rows.row_bits
    if room < 1:
        return None
    if real:
        return _repack(ours, random_rows(space, room, seed))
    made, _ = clusters(space, room, seed)
    return _repack(ours, made)


def _repack(ours: Representatives, rows: Rows8) -> Representatives:
    """Other rows in the place of ours; grids are fitted to them, the rest stays as it is."""
    weight, level = fit_levels(rows.count, LEVELS)
    order = np.argsort(level, kind="stable")
    grid = fit_tables(rows.values, rows.count, ours.rows.width)
    q = grid.store(rows.values)[order]
    label_bits = max(len(ours.classes) - 1, 0).bit_length()
    packed = replace(
        ours.rows,
        label_bits=label_bits,
        classes=0,  # labels in place of shares, and no spread of their own
        soft_bits=0,
        spread=np.empty(0, np.uint8),
        spread_bits=0,
        low=grid.low,
        step=grid.step,
        levels=tuple(zip(weight.tolist(), np.bincount(level).tolist(), strict=True)),
        bits=pack_rows(q, rows.label[order], grid.width, label_bits),
    )
    return Representatives(ours.inputs, packed, ours.classes, ours.outputs)
