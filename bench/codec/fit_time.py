"""How long the codec takes to fit, beside MiniBatchKMeans per class for as many rows."""

import time
import warnings
from typing import Any

import numpy as np

from bench.codec.cells import Cells
from bench.codec.ours import fit_ours
from bench.codec.pack import Space
from bench.codec.peers import allocate
from bench.codec.sets import load
from bench.codec.units import Unit

__all__ = ["FIT_SETS", "fit_unit", "measure_fits"]

FIT_SETS = ("letter", "mnist", "kddcup99_10pct", "skin_segmentation")
REPEATS, BUDGET, ITERATIONS = 3, 8192, 30


def fit_unit(name: str) -> Unit:
    """The cell that holds the seconds."""
    return Unit(name, "ours", BUDGET, learner="fit")


def measure_fits(names: list[str], cells: Cells) -> None:
    """Time what is not timed yet: in this process, alone, with all of the machine's cores."""
    for name in FIT_SETS:
        if name in names and cells.get(fit_unit(name), 0) is None:
            cells.add(fit_unit(name), [{"seed": 0, **_seconds(name)}])


def _seconds(name: str) -> dict[str, Any]:
    fold, unit = load(name), Unit(name, "ours", BUDGET)
    seconds, rows = [], 0
    for _ in range(REPEATS):
        fit_ours.cache_clear()
        if built := fit_ours(unit, fold):
            seconds.append(built.seconds)
            rows = built.reps.rows.count
    space = Space.of(fold)
    start = time.perf_counter()
    _mini_batch(space, rows)
    peer, ours = time.perf_counter() - start, float(np.median(seconds))
    return {"score": peer / ours, "ours": ours, "k-means": peer, "rows": rows}


def _mini_batch(space: Space, rows: int) -> None:
    from sklearn.cluster import MiniBatchKMeans

    for k, m in enumerate(allocate(rows, np.bincount(space.label)).tolist()):
        Z = space.Z[space.label == k]
        with warnings.catch_warnings():  # fewer distinct rows than clusters
            warnings.simplefilter("ignore")
            MiniBatchKMeans(m, n_init=1, max_iter=ITERATIONS, random_state=0).fit(Z)
