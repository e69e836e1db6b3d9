"""The score of one option set on rows held out of the training rows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, reduce
from importlib import import_module
from inspect import isclass, signature
from typing import Any

import numpy as np

import tinydream as td
from bench.codec.learn import score_of, simulator, train
from bench.codec.sets import SHAPED, SHAPES, Fold, held_out
from bench.options.rows import Constants, Row
from tinydream.codec import Representatives

__all__ = ["changed", "scores"]

RATE = 3e-3  # of Adam: the middle one of scripts/bench codec


def scores(name: str, budget: int, row: Row, seeds: int) -> dict[str, Any]:
    """Scores (seeds,) in points: accuracy in %, or R2 x 100; none where the budget is too small.

    The codec fits once; seeds are of the network's weights, of the order and the deviations.
    """
    options = tuple(sorted(row.options.items()))
    found = _found(name, budget, options, tuple(row.constants.items()), seeds)
    return {"scores": list(found), "mean": float(np.mean(found)) if found else None}


@cache  # several questions begin with the same options
def _found(
    name: str,
    budget: int,
    options: tuple[tuple[str, Any], ...],
    constants: tuple[tuple[str, Any], ...],
    seeds: int,
) -> tuple[float, ...]:
    fold = held_out(name)
    reps = _fitted(name, budget, dict(options), dict(constants), fold)
    if reps is None:
        return ()
    return tuple(100 * _learned(reps, fold, seed) for seed in range(seeds))


def _fitted(
    name: str, budget: int, options: dict[str, Any], constants: Constants, fold: Fold
) -> Representatives | None:
    if options.get("shape") == SHAPED:
        options["shape"] = SHAPES[name]
    codec = td.EntroGeDe(budget_bytes=budget, task=fold.task, **options)
    try:
        with changed(constants):
            return codec.fit(fold.X, fold.y, groups=fold.groups).representatives_
    except td.BudgetError:
        return None


def _learned(reps: Representatives, fold: Fold, seed: int) -> float:
    device = simulator(reps, fold)
    return score_of(device, fold) if train(device, fold.facts.steps, RATE, seed) else fold.chance


@contextmanager
def changed(constants: Constants) -> Iterator[None]:
    """Constants of the codec with other values for a while, named as in `Row`.

    A name is of a module's constant, "layout.STRESS"; or of a parameter's default, which is bound
    when its function is made, "layout.Budget.levels"; or "layout.fineness", of bits by column.
    """
    undo: list[Callable[[], None]] = []
    try:
        for path, value in constants.items():
            undo.append(_set(path, value))
        yield
    finally:
        for each in reversed(undo):
            each()


def _set(path: str, value: Any) -> Callable[[], None]:
    """Sets it, and tells how to set it back."""
    name, *within, last = path.split(".")
    module = import_module(f"tinydream.codec.{name}")
    if last == "fineness":
        last, value = "_by_spread", _always(module._by_spread, value)
    if within:
        return _set_default(reduce(getattr, within, module), last, value)
    before = getattr(module, last)
    setattr(module, last, value)
    return lambda: setattr(module, last, before)


def _always(by_spread: Callable[..., Any], fineness: float) -> Callable[..., Any]:
    return lambda space, tree, budget, _: by_spread(space, tree, budget, fineness)


def _set_default(owner: Any, parameter: str, value: Any) -> Callable[[], None]:
    function = owner.__init__ if isclass(owner) else owner
    before: tuple[Any, ...] = function.__defaults__ or ()
    names = list(signature(function).parameters)[-len(before) :]
    assert parameter in names, f"{parameter} has no default"
    function.__defaults__ = tuple(
        value if name == parameter else default for name, default in zip(names, before, strict=True)
    )
    return lambda: setattr(function, "__defaults__", before)
