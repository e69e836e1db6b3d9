"""Seconds and memory of `fit` by rows, of its choices, and beside MiniBatchKMeans per class."""

import json
import subprocess
import sys
import time
import warnings
from typing import Any

import numpy as np

from bench.codec.peers import allocate
from bench.codec.sets import load
from bench.speed.kernels import best
from tinydream.codec import EntroGeDe
from tinydream.codec.scale import apply_inputs, fit_inputs

__all__ = ["choice", "peers", "slope"]

ROWS, COLUMNS = (10**4, 10**5, 10**6, 10**7), 4
SETS = ("letter", "mnist", "kddcup99_10pct", "skin_segmentation")
BUDGET, ITERATIONS, REPEATS = 8192, 30, 5
CHOICE = (20_000, 64, 16)  # rows, columns, classes that a projection is chosen for
# k-means chooses nothing: neither how rows deviate nor, with projection="none", what it looks at
BUILD: dict[str, Any] = {"rank": 0, "noise": 1.0, "spread": "none"}

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
def memory(name):
    try:  # ru_maxrss is inherited from the parent, these begin anew
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name)) * 1024
    except (OSError, StopIteration):  # no Linux
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

before, start = memory("VmRSS"), time.perf_counter()
EntroGeDe(budget_bytes=8192, projection=choice).fit(X, y)
seconds = time.perf_counter() - start
size = X.nbytes + y.nbytes
peak = size + memory("VmHWM") - before
print(json.dumps({"seconds": seconds, "bytes": size, "peak": peak, "memory": peak / size}))
"""


def slope(quick: bool) -> list[dict[str, Any]]:
    """Seconds and peak memory for tables of more rows.

    bytes: of the input. peak: bytes with it. memory: the peak as a multiple of the input.
    """
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


def choice(quick: bool) -> list[dict[str, Any]]:
    """Seconds that the choice of a projection takes: best of `fit` with it less best without."""
    n, d, classes = CHOICE
    generator = np.random.default_rng(0)
    X = generator.standard_normal((n, d)) @ generator.standard_normal((d, d))
    y = (X[:, :4] > 0) @ (1 << np.arange(4))
    X = X.astype(np.float32)
    seconds = {}
    for projection in ("none", "auto"):
        codec = EntroGeDe(budget_bytes=BUDGET, projection=projection, **BUILD)
        seconds[projection] = best(lambda codec=codec: codec.fit(X, y), REPEATS)  # type: ignore[misc]
    row = {"rows": n, "columns": d, "classes": classes, **seconds}
    return [row | {"choice": seconds["auto"] - seconds["none"]}]


def _ours(X: Any, y: Any, groups: Any, **options: Any) -> tuple[float, int]:
    """Seconds of fit, the median of some, and how many representatives it made."""
    seconds = []
    for _ in range(REPEATS):
        codec = EntroGeDe(budget_bytes=BUDGET, **options)
        start = time.perf_counter()
        codec.fit(X, y, groups=groups)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), codec.representatives_.rows.count


def _k_means(X: Any, y: Any, rows: int) -> float:
    """Seconds for as many centres, the median of some; rows are scaled, which is not counted."""
    Z, seconds = apply_inputs(fit_inputs(X), X), []
    kinds = [(Z[y == k], m) for k, m in enumerate(allocate(rows, np.bincount(y)).tolist())]
    for _ in range(REPEATS):
        start = time.perf_counter()
        for own, m in kinds:
            _mini_batch(own, m)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def _mini_batch(Z: Any, m: int) -> None:
    from sklearn.cluster import MiniBatchKMeans

    with warnings.catch_warnings():  # fewer distinct rows than centres
        warnings.simplefilter("ignore")
        MiniBatchKMeans(m, n_init=1, max_iter=ITERATIONS, random_state=0).fit(Z)


def peers(quick: bool) -> list[dict[str, Any]]:
    """Seconds at 8 KiB: of building representatives, of `fit` with all its choices, of k-means.

    The k-means has as many centres as are built without any choice.
    """
    found = []
    for name in SETS[: 1 if quick else None]:
        fold = load(name)
        build, rows = _ours(fold.X, fold.y, fold.groups, projection="none", **BUILD)
        default, _ = _ours(fold.X, fold.y, fold.groups)
        peer = _k_means(fold.X, fold.y, rows)
        row = {"set": name, "rows": rows, "build": build, "default": default, "k_means": peer}
        found.append(row | {"times_build": peer / build, "times_default": peer / default})
    return found
