"""The codec itself, and other rows in its inputs, with its bits and its deviations."""

import time
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

import tinydream as td
from bench.codec.pack import LEVELS, Rows8, Space
from bench.codec.peers import clusters, random_rows
from bench.codec.sets import SHAPED, SHAPES, Fold
from bench.codec.units import Built, Unit
from tinydream.codec import Representatives
from tinydream.codec.layout import fit_tables
from tinydream.codec.quantise import fit_levels, pack_rows

__all__ = ["dreamt", "fit_ours", "our_rows", "our_width"]


@lru_cache(maxsize=16)  # the seeds of a unit, for the methods that follow its choices
def fit_ours(unit: Unit, fold: Fold, seed: int) -> Built | None:
    """The codec's own answer; None when the budget is too small for it."""
    options = dict(unit.options) | {"task": fold.task, "random_state": seed}
    if unit.method == "means":
        options["deviation"] = False
    if options.get("shape") == SHAPED:
        options["shape"] = SHAPES[unit.set]
    if unit.rows:
        options["representatives"] = unit.rows
    else:
        options["budget_bytes"] = unit.budget
    codec, start = td.EntroGeDe(**options), time.process_time()
    try:
        codec.fit(fold.X, fold.y, groups=fold.groups)
    except td.BudgetError:
        return None
    return Built(codec.representatives_, time.process_time() - start)


def our_rows(unit: Unit, fold: Fold, seed: int) -> Representatives | None:
    """What the codec makes of the budget of another method's unit."""
    built = fit_ours(replace(unit, method="ours", learner="mlp"), fold, seed)
    return built.reps if built else None


def our_width(ours: Representatives, space: Space, budget: int) -> NDArray[np.uint8]:
    """The codec's bits where it keeps the columns as they are, else as many as its mean."""
    width = ours.rows.width
    if len(width) in (1, space.Z.shape[1]) and ours.rows.columns == space.Z.shape[1]:
        fits = space.room(width, budget, 1, sigma=False) > 0
        if fits:
            return width
    return space.width(int(np.rint(width.mean())), budget)


def dreamt(unit: Unit, fold: Fold, seed: int) -> Representatives | None:
    """Rows or clusters in the codec's own inputs, its bits, and deviations drawn as it does."""
    ours = our_rows(unit, fold, seed)
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
