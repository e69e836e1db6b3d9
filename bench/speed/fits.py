"""Seconds and memory of `fit` by rows, and beside MiniBatchKMeans per class."""

import json
import subprocess
import sys
import time
import warnings
from typing import Any

import numpy as np

from bench.codec.peers import allocate
from bench.codec.sets import load
from tinydream.codec import EntroGeDe
from tinydream.codec.scale import apply_inputs, fit_inputs

__all__ = ["peers", "slope"]

ROWS, COLUMNS = (10**4, 10**5, 10**6, 10**7), 4
SETS = ("letter", "mnist", "kddcup99_10pct", "skin_segmentation")
BUDGET, ITERATIONS, REPEATS = 8192, 30, 3

# in a process of its own: a process never gives its peak back
ONE_FIT = """
import json, resource, sys, time
import numpy as np
from tinydream.codec import EntroGeDe
n, d, choice = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
generator = np.random.default_rng(0)
X = generator.standard_normal((n, d), np.float32)
y = (X[:, 0] > 0).astype(np.int32)
X[:, 1] += y
EntroGeDe(projection=choice).fit(X[:2000], y[:2000])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before, start = peak(), time.perf_counter()
EntroGeDe(budget_bytes=8192, projection=choice).fit(X, y)
seconds = time.perf_counter() - start
size = X.nbytes + y.nbytes
print(json.dumps({"seconds": seconds, "bytes": size, "memory": (size + peak() - before) / size}))
"""


def slope(quick: bool) -> list[dict[str, Any]]:
    """Seconds and peak memory, as a multiple of the input with it, for tables of more rows."""
    found: list[dict[str, Any]] = []
    for n in ROWS[: 2 if quick else None]:
        command = [sys.executable, "-c", ONE_FIT, str(n), str(COLUMNS), "none"]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        row = {"rows": n, "columns": COLUMNS, **json.loads(ran.stdout)}
        if found:
            times = row["seconds"] / found[-1]["seconds"]
            row["slope"] = float(np.log(times) / np.log(n / found[-1]["rows"]))
        found.append(row)
    return found


def _ours(X: Any, y: Any, projection: str) -> tuple[float, int]:
    seconds = []
    for _ in range(REPEATS):
        codec = EntroGeDe(budget_bytes=BUDGET, projection=projection)
        start = time.perf_counter()
        codec.fit(X, y)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), codec.representatives_.rows.count


def _k_means(X: Any, y: Any, rows: int) -> float:
    """Seconds for as many centres, on scaled rows; the scaling is not counted."""
    from sklearn.cluster import MiniBatchKMeans

    Z, seconds = apply_inputs(fit_inputs(X), X), 0.0
    for k, m in enumerate(allocate(rows, np.bincount(y)).tolist()):
        one = Z[y == k]
        with warnings.catch_warnings():  # fewer distinct rows than centres
            warnings.simplefilter("ignore")
            start = time.perf_counter()
            MiniBatchKMeans(m, n_init=1, max_iter=ITERATIONS, random_state=0).fit(one)
            seconds += time.perf_counter() - start
    return seconds


def peers(quick: bool) -> list[dict[str, Any]]:
    """Seconds of fit at 8 KiB, with and without a choice of projection, and of k-means.

    The k-means has as many centres as ours without a choice has rows.
    """
    found = []
    for name in SETS[: 1 if quick else None]:
        fold = load(name)
        plain, rows = _ours(fold.X, fold.y, "none")
        auto, _ = _ours(fold.X, fold.y, "auto")
        peer = _k_means(fold.X, fold.y, rows)
        row = {"set": name, "rows": rows, "none": plain, "auto": auto, "k_means": peer}
        found.append(row | {"times_none": peer / plain, "times_auto": peer / auto})
    return found
