"""Runs what is missing, in processes of one thread each, and keeps every cell."""

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from bench.codec.cells import Cells
from bench.codec.methods import METHODS, Unit
from bench.codec.sets import facts_of
from bench.codec.suite import Job

__all__ = ["estimate", "missing", "run"]

Task = list[tuple[Unit, list[int], dict[str, Any] | None]]
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TINYDREAM_THREADS")


def missing(jobs: list[Job], cells: Cells) -> list[Task]:
    """What is not measured yet: units with the seeds that lack, and their choice if it is known."""
    tasks = []
    for job in jobs:
        task: Task = []
        for unit, seeds in job:
            lack = [seed for seed in range(seeds) if cells.get(unit, seed) is None]
            if lack:
                task.append((unit, lack, cells.get(unit, -1)))
        if task:
            tasks.append(task)
    return tasks


def run(tasks: list[Task], cells: Cells, workers: int) -> None:
    """Measure all tasks. Ctrl-C keeps what is done."""
    if not tasks:
        return
    trainings = sum(len(seeds) for task in tasks for _, seeds, _ in task)
    with _one_thread(), _progress(trainings) as advance:
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
        try:
            _drain(pool, tasks, cells, advance)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _drain(
    pool: ProcessPoolExecutor, tasks: list[Task], cells: Cells, advance: Callable[[int, str], None]
) -> None:
    waiting: set[Future[list[tuple[Unit, list[dict[str, Any]]]]]]
    waiting = {pool.submit(measure_all, task) for task in tasks}
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            for unit, found in future.result():
                cells.add(unit, found)
                advance(sum(cell["seed"] >= 0 for cell in found), unit.set)


def measure_all(task: Task) -> list[tuple[Unit, list[dict[str, Any]]]]:
    """Of each unit its cells; runs in a process of its own."""
    from bench.codec.protocol import measure

    return [(unit, list(measure(unit, seeds, choice))) for unit, seeds, choice in task]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Workers do not compete for cores: as many processes as cores, one thread each."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _progress(trainings: int) -> Iterator[Callable[[int, str], None]]:
    if not sys.stderr.isatty():
        yield lambda count, name: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description:20}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        each = bar.add_task("trainings", total=trainings)
        yield lambda count, name: bar.update(each, advance=count, description=name)


def estimate(tasks: list[Task]) -> float:
    """Seconds of one core, roughly: updates, and what choosing rows costs."""
    total = 0.0
    for task in tasks:
        for unit, seeds, choice in task:
            trainings = len(seeds) + (0 if choice else 3 + len(METHODS[unit.method].bits))
            total += trainings * (facts_of(unit.set).steps * 8e-5 + unit.budget * 2e-5)
    return total
