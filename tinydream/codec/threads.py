"""Work on blocks of rows, shared out among threads."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tinydream.errors import InputError

__all__ = ["each_block", "threads"]

MOST_THREADS = 64

T = TypeVar("T")


def each_block(work: Callable[[slice], T], n: int, step: int) -> list[T]:
    """work(rows) for each block of `step` rows of n, in order, on several threads."""
    blocks = [slice(i, min(i + step, n)) for i in range(0, n, step)]
    if len(blocks) == 1 or threads() == 1:
        return list(map(work, blocks))
    with ThreadPoolExecutor(threads()) as pool:
        return list(pool.map(work, blocks))


def threads() -> int:
    """How many threads the kernels may use: TINYDREAM_THREADS, or the processors there are.

    What they compute does not depend on it. Raises InputError.
    """
    given = os.environ.get("TINYDREAM_THREADS", "")
    if not given:
        return min(os.cpu_count() or 1, MOST_THREADS)
    if not given.isdecimal() or not 1 <= int(given) <= MOST_THREADS:
        raise InputError(f"TINYDREAM_THREADS is {given!r}; it must be in 1..{MOST_THREADS}")
    return int(given)
