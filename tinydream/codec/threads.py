"""Work on blocks of rows, shared out among threads."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

from tinydream.errors import InputError

__all__ = ["all_at_once", "at_once", "each_block", "one_blas_thread", "threads"]

MOST_THREADS = 64

S = TypeVar("S")
T = TypeVar("T")


def each_block(work: Callable[[slice], T], n: int, step: int) -> list[T]:
    """work(rows) for each block of `step` rows of n, in order, on several threads."""
    return at_once(work, [slice(i, min(i + step, n)) for i in range(0, n, step)])


def at_once(work: Callable[[S], T], items: Sequence[S]) -> list[T]:
    """work(item) for each, in order, on several threads."""
    if len(items) < 2 or threads() == 1:
        return list(map(work, items))
    with ThreadPoolExecutor(threads()) as pool:
        return list(pool.map(work, items))


def all_at_once(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each task gives, in order, on several threads."""

    def call(task: Callable[[], Any]) -> Any:
        return task()

    return at_once(call, tasks)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """While it lasts, NumPy's products run on the thread that asks for them.

    OpenBLAS' own threads wait in a loop for more: with two processors and threads of ours they
    took a third of all time. The number is the whole process's: of several fits at once the first
    one sets it, and sets it back, and the others leave it alone.
    """
    if not _setting.acquire(blocking=False):
        yield
        return
    try:
        with _libraries().limit(limits=1, user_api="blas"):
            yield
    finally:
        _setting.release()


_setting = Lock()


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


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
