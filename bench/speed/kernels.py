"""How fast the codec's kernels read a table, beside NumPy on the same bytes in the same run."""

import os
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.codec.bits import count_bits
from tinydream.codec.threads import threads
from tinydream.codec.tree import grow, lloyd

__all__ = ["best", "bits", "levels", "machine", "scaling", "using"]

BITS = ((10**6, 16, "u1"), (10**6, 16, "u2"), (60_000, 784, "u1"), (4 * 10**6, 4, "u4"))
LEVELS = ((10**6, 16), (10**6, 64), (4 * 10**6, 4), (60_000, 784))
REPEATS = 7

U16 = NDArray[np.uint16]


def machine() -> dict[str, Any]:
    """What the figures hang on."""
    return {"processors": os.cpu_count(), "threads": threads(), "numpy": np.__version__}


def best(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """The least seconds of some runs: what others do on the machine only adds to it."""
    least = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - start)
    return float(least)


@contextmanager
def using(count: int) -> Any:
    """So many threads."""
    before = os.environ.get("TINYDREAM_THREADS")
    os.environ["TINYDREAM_THREADS"] = str(count)
    yield
    os.environ.pop("TINYDREAM_THREADS")
    if before is not None:
        os.environ["TINYDREAM_THREADS"] = before


def bits(quick: bool) -> list[dict[str, Any]]:
    """GB/s of counting all bits, on one thread and on all, and of summing the same bytes."""
    found = []
    for n, d, kind in BITS[: 1 if quick else None]:
        table = np.random.default_rng(0).integers(0, 256, (n, d), dtype=np.uint8).astype(kind)
        words = table.reshape(-1).view(np.uint64)
        size = table.nbytes / 1e9
        with using(1):
            one = size / best(lambda table=table: count_bits(table))  # type: ignore[misc]
        every = size / best(lambda table=table: count_bits(table))  # type: ignore[misc]
        read = size / best(words.sum)
        row = {"rows": n, "columns": d, "dtype": kind, "sum": read, "one": one, "all": every}
        found.append(row | {"ratio_one": one / read, "ratio_all": every / read})
    return found


def _numpy_level(grid: U16, column: int, mask: int) -> None:
    """What one level does for all rows: split them, and measure both halves."""
    one = grid[:, column] & mask != 0
    for half in (grid[~one], grid[one]):
        every, some = np.bitwise_and.reduce(half), np.bitwise_or.reduce(half)
        half.sum(axis=0, dtype=np.uint64)
        bit = (every ^ some) & ~((every ^ some) >> 1)
        np.where(half & bit, half, 0).sum(axis=0, dtype=np.uint64)


def levels(quick: bool) -> list[dict[str, Any]]:
    """GB/s of splitting all rows once and measuring both halves, and of a tree of 256 leaves."""
    found = []
    for n, d in LEVELS[: 1 if quick else None]:
        grid = np.random.default_rng(0).integers(0, 65536, (n, d)).astype(np.uint16)
        labels, scale, size = np.zeros(n, np.int32), np.ones(d), grid.nbytes / 1e9

        def tree(leaves: int, grid: Any = grid, labels: Any = labels, scale: Any = scale) -> float:
            repeats = REPEATS if leaves > 2 else 3 * REPEATS  # of two, only the difference counts
            return best(lambda: grow(grid, labels, scale, leaves), repeats)

        level, whole = tree(2) - tree(1), tree(256)
        slow = best(lambda grid=grid: _numpy_level(grid, 0, 1 << 15), 3)  # type: ignore[misc]
        row = {"rows": n, "columns": d, "level": size / level, "deep": 8 * size / whole}
        found.append(row | {"numpy": size / slow, "ratio": slow / level})
    return found


def scaling(quick: bool) -> list[dict[str, Any]]:
    """Seconds of each kernel on one and on two threads; what it computes is the same."""
    n, d, m = (100_000 if quick else 500_000), 16, 1000
    generator = np.random.default_rng(0)
    grid = generator.integers(0, 65536, (n, d)).astype(np.uint16)
    rows, labels = generator.standard_normal((n, d), np.float32), np.zeros(n, np.int32)
    leaf = grow(grid, labels, np.ones(d), m).leaf
    works: dict[str, Callable[[], Any]] = {
        "bits": lambda: count_bits(grid),
        "tree, 256 leaves": lambda: grow(grid, labels, np.ones(d), 256),
        "one Lloyd pass, 1000 leaves": lambda: lloyd(rows, labels, leaf, m, 1),
    }
    found = []
    for name, work in works.items():
        seconds = []
        for count in (1, 2):
            with using(count):
                seconds.append(best(work, 3))
        found.append({"kernel": name, "one": seconds[0], "two": seconds[1]})
    return found
