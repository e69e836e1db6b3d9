"""Runs what is missing, in processes of one thread each, and keeps every cell."""

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.queues import Queue
from queue import Empty
from typing import Any

from bench.codec.cells import Cells
from bench.codec.suite import Job, seconds
from bench.codec.units import METHODS, Unit

__all__ = ["estimate", "missing", "run"]

Task = list[tuple[Unit, list[int], dict[str, Any] | None]]
Found = tuple[Unit, list[dict[str, Any]]]
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
    context = get_context("spawn")
    with _one_thread(), _progress(trainings) as advance:
        told: Queue[Found] = context.Queue()
        pool = ProcessPoolExecutor(workers, context, initializer=_attach, initargs=(told,))
        try:
            running = {pool.submit(measure_all, task) for task in tasks}
            for unit, found in _heard(told, running):
                cells.add(unit, found)
                advance(sum(cell["seed"] >= 0 for cell in found), unit.set)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _heard(told: "Queue[Found]", running: set[Future[None]]) -> Iterator[Found]:
    """What workers tell until all are done and nothing more comes; raises what they raise."""
    waiting = True
    while waiting or running:
        try:
            yield told.get(timeout=1)
            continue
        except Empty:
            waiting = bool(running)
        done = {future for future in running if future.done()}
        running -= done
        for future in done:
            future.result()


_told: "Queue[Found] | None" = None  # of this worker


def _attach(told: "Queue[Found]") -> None:
    global _told
    _told = told


def measure_all(task: Task) -> None:
    """Measures one unit after the other in a worker, and tells each as soon as it is done."""
    from bench.codec.protocol import measure

    assert _told is not None
    for unit, seeds, choice in task:
        _told.put((unit, list(measure(unit, seeds, choice))))


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
    """Seconds of one core, roughly: trainings, and what making rows costs."""
    total = 0.0
    for task in tasks:
        for unit, seeds, choice in task:
            trainings = len(seeds) + (0 if choice else 2 + len(METHODS[unit.method].bits))
            making = 2e-5 * unit.budget if unit.method.startswith("k-means") else 0.0
            fits = 3.0 if unit.method in ("ours", "means") else 0.0
            total += trainings * (seconds(unit.set, unit.learner) + making) + fits
    return total
