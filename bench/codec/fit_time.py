"""How long the codec takes to fit, beside MiniBatchKMeans per class for as many rows."""

import time
import warnings
from typing import Any

import numpy as np

from bench.codec.cells import Cells
from bench.codec.ours import fit_ours
from bench.codec.pack import Space
from bench.codec.peers import allocate
from bench.codec.sets import Fold, load
from bench.codec.units import Built, Unit

__all__ = ["FIT_SETS", "fit_unit", "measure_fits"]

FIT_SETS = ("letter", "mnist", "kddcup99_10pct", "skin_segmentation")
REPEATS, BUDGET, ITERATIONS = 3, 8192, 30
# k-means chooses nothing: neither a projection nor how rows deviate
NO_CHOICE = (("projection", "none"), ("noise", 1.0), ("spread", "none"), ("rank", 0))


def fit_unit(name: str) -> Unit:
    """The cell that holds the seconds."""
    return Unit(name, "ours", BUDGET, learner="fit")


def measure_fits(names: list[str], cells: Cells) -> None:
    """Time what is not timed yet: in this process, alone, with all of the machine's cores."""
    for name in FIT_SETS:
        if name in names and cells.get(fit_unit(name), 0) is None:
            cells.add(fit_unit(name), [{"seed": 0, **_seconds(name)}])


def _seconds(name: str) -> dict[str, Any]:
    fold = load(name)
    built, ours = _fit(fold, Unit(name, "ours", BUDGET, options=NO_CHOICE))
    _, default = _fit(fold, Unit(name, "ours", BUDGET))
    space, rows = Space.of(fold), built.reps.rows.count if built else 0
    peers = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        _mini_batch(space, rows)
        peers.append(time.perf_counter() - start)
    peer = float(np.median(peers))
    return {"score": peer / ours, "ours": ours, "default": default, "k-means": peer, "rows": rows}


def _fit(fold: Fold, unit: Unit) -> tuple[Built | None, float]:
    """The rows, and the median of the seconds."""
    seconds, built = [], None
    for _ in range(REPEATS):
        fit_ours.cache_clear()
        start = time.perf_counter()  # not the cores' time: several may help
        built = fit_ours(unit, fold, 0)
        seconds.append(time.perf_counter() - start)
    return built, float(np.median(seconds))


def _mini_batch(space: Space, rows: int) -> None:
    from sklearn.cluster import MiniBatchKMeans

    for k, m in enumerate(allocate(rows, np.bincount(space.label)).tolist()):
        Z = space.Z[space.label == k]
        with warnings.catch_warnings():  # fewer distinct rows than clusters
            warnings.simplefilter("ignore")
            MiniBatchKMeans(m, n_init=1, max_iter=ITERATIONS, random_state=0).fit(Z)
