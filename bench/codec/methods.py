"""Each method as a function: rows to learn from, bits and a budget in, packed rows out."""

import time
from dataclasses import replace
from functools import lru_cache

from bench.codec.ours import dreamt, fit_ours, our_rows, our_width
from bench.codec.pack import LEVELS, Space, every_row, pack
from bench.codec.peers import CHOOSERS
from bench.codec.sets import Fold
from bench.codec.units import OURS, Built, Unit
from tinydream.codec import Representatives

__all__ = ["all_rows", "build"]

REAL = ("random", "stratified", "herding")  # rows of weight 1: one level


def build(unit: Unit, fold: Fold, bits: int, seed: int) -> Built | None:
    """The rows of a method; None when not one fits. `seed` decides whatever is random in it."""
    if unit.method in ("ours", "means"):
        return fit_ours(replace(unit, learner="mlp"), fold, seed)
    start = time.process_time()
    if unit.method == "all":
        return all_rows(fold)
    reps = dreamt(unit, fold, seed) if unit.method.endswith("dreamt") else None
    if not unit.method.endswith("dreamt"):
        reps = _peer(unit, fold, bits, seed)
    return Built(reps, time.process_time() - start) if reps else None


@lru_cache(maxsize=2)
def all_rows(fold: Fold) -> Built:
    """Every row, packed once for all seeds."""
    start = time.process_time()
    return Built(every_row(fold), time.process_time() - start)


@lru_cache(maxsize=4)
def _space(fold: Fold, budget: int | None) -> Space:
    return Space.of(fold, budget)


def _peer(unit: Unit, fold: Fold, bits: int, seed: int) -> Representatives | None:
    kind = unit.method.split(" 8")[0]
    budget = unit.budget or 2**40
    space = _space(fold, unit.budget or None)
    width = space.width(bits, budget)
    if bits == OURS:
        ours = our_rows(unit, fold, seed)
        if ours is None:
            return None
        width = our_width(ours, space, budget)
    levels = 1 if kind in REAL else LEVELS
    room = unit.rows or space.room(width, budget, levels, sigma=False)
    if room < 1:
        return None
    made = pack(space, CHOOSERS[kind](space, room, seed), width)
    assert unit.rows or made.nbytes <= unit.budget
    return made
