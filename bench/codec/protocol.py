"""How one figure is made: bits and rate chosen on held-out training rows, then test rows, seeds."""

import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tinydream as td
from bench.codec.learn import HIDDEN, LEARNERS, RATES, fit_model, score_of, simulator, train
from bench.codec.methods import all_rows, build
from bench.codec.rival import fits, round_weights
from bench.codec.sets import Fold, held_out, load, noisy
from bench.codec.units import METHODS, Built, Unit
from bench.codec.unseen import scene, with_rows

__all__ = ["measure"]

CHOOSING = 99  # the seed of construction and weights while bits and rate are chosen


def measure(
    unit: Unit, seeds: list[int], choice: dict[str, Any] | None
) -> Iterator[dict[str, Any]]:
    """Cells: first the choice of bits and rate, unless it is known, then one for each seed."""
    if choice is None:
        choice = _choose(unit, held_out(unit.set, unit.noise))
        yield {"seed": -1, **choice}
    for seed in seeds:
        fold = noisy(load(unit.set), unit.noise, seed + 1)
        yield {"seed": seed, **_attempt(unit, fold, choice["bits"], choice["rate"], seed)}


def _choose(unit: Unit, fold: Fold) -> dict[str, Any]:
    """Bits at the middle rate, then the rate with these bits."""
    rates = LEARNERS.get(unit.learner, RATES)
    tried: dict[tuple[int, float], float] = {}
    middle = rates[len(rates) // 2]
    for bits in METHODS[unit.method].bits:
        tried[bits, middle] = _attempt(unit, fold, bits, middle, CHOOSING)["score"]
    best = max(tried, key=lambda key: tried[key])[0]
    for rate in rates:
        if (best, rate) not in tried:
            tried[best, rate] = _attempt(unit, fold, best, rate, CHOOSING)["score"]
    bits, rate = max(tried, key=lambda key: tried[key])
    scores = [[b, r, s] for (b, r), s in tried.items()]
    return {"bits": bits, "rate": rate, "score": tried[bits, rate], "tried": scores}


def _attempt(unit: Unit, fold: Fold, bits: int, rate: float, seed: int) -> dict[str, Any]:
    """One training and its score. What does not fit scores as the most frequent class does."""
    cell: dict[str, Any] = {"bits": bits, "rate": rate, "read": fold.read}
    if unit.method == "rival":
        return cell | _rival(unit, fold, bits, rate, seed)
    if unit.held:
        fold, built = _unseen(unit, fold, seed)
    else:
        built = _built(unit, fold, bits, seed)
    if built is None:
        return cell | {"score": fold.chance, "nbytes": 0, "rows": 0, "compress": 0.0, "train": 0.0}
    reps, start = built.reps, time.perf_counter()
    if unit.learner == "mlp":
        device = _device(unit, fold, built, rate, seed)
        score = fold.chance if device is None else score_of(device, fold)
    else:
        score = fit_model(unit.learner, reps, fold, rate, seed)
    spent = time.perf_counter() - start
    told = {"score": score, "nbytes": reps.nbytes, "rows": reps.rows.count}
    return cell | told | {"compress": built.seconds, "train": spent}


@lru_cache(maxsize=4)
def _built(unit: Unit, fold: Fold, bits: int, seed: int) -> Built | None:
    return build(unit, fold, bits, seed)


def _device(unit: Unit, fold: Fold, built: Built, rate: float, seed: int) -> td.Simulator | None:
    if unit.method != "all":
        return _trained(fold, built, HIDDEN, rate, seed)
    weights = _weights(fold, HIDDEN, rate, seed)  # the rival asks for the same ones
    if weights is None:
        return None
    device = simulator(built.reps, fold)
    device.push(weights)
    return device


def _trained(fold: Fold, built: Built, hidden: int, rate: float, seed: int) -> td.Simulator | None:
    device = simulator(built.reps, fold, hidden)
    return device if train(device, fold.facts.steps, rate, seed) else None


def _unseen(unit: Unit, fold: Fold, seed: int) -> tuple[Fold, Built | None]:
    known, scored, X, y = scene(fold, seed)
    built = build(unit, known, 0, seed)
    return scored, built and Built(with_rows(built.reps, X, y, scored), built.seconds)


# ---- the rival ----


@lru_cache(maxsize=64)
def _weights(fold: Fold, hidden: int, rate: float, seed: int) -> NDArray[np.float32] | None:
    device = _trained(fold, all_rows(fold), hidden, rate, seed)
    return None if device is None else device.weights


def _rival(unit: Unit, fold: Fold, bits: int, rate: float, seed: int) -> dict[str, Any]:
    start = time.perf_counter()
    hidden, size = fits(fold, unit.budget, bits)
    told = {"score": fold.chance, "nbytes": size, "rows": hidden, "compress": 0.0, "train": 0.0}
    if not hidden:
        return told
    weights = _weights(fold, hidden, rate, seed)
    if weights is not None:
        device = simulator(all_rows(fold).reps, fold, hidden)
        device.push(round_weights(weights, device.plan.layers, bits))
        told["score"] = score_of(device, fold)
    return told | {"train": time.perf_counter() - start}
