"""The demo: handwritten digits, from the table to a device that has learnt them."""

import importlib.resources
import time
from collections.abc import Callable
from concurrent.futures import (
    FIRST_EXCEPTION,
    CancelledError,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from tinydream import stages
from tinydream.board import load_board
from tinydream.codec import EntroGeDe
from tinydream.data import Data, load_data, split
from tinydream.errors import VerifyError
from tinydream.network import Adam
from tinydream.ports import boards_of
from tinydream.report import Report, accuracy_of, make_report
from tinydream.run import Run
from tinydream.simulator import Simulator
from tinydream.training import Knobs

__all__ = ["demo", "load_digits"]

HIDDEN = [32]
EPOCHS = 60
BATCH = 20
SHRINK = 20  # representatives get one byte for so many of the table
WORKERS = 2  # seeds under way at once; each waits for its compiler now and then

Tell = Callable[[int, str], Any]


def load_digits(seed: int = 0) -> Data:
    """The 1,797 digits (8 x 8 pixels of 0..16), a fifth of them held out by `seed`."""
    digits = importlib.resources.files("tinydream.demo") / "digits.csv.gz"
    with importlib.resources.as_file(digits) as path:
        return load_data(path, target="digit", seed=seed)


@dataclass
class Seed:
    """One split and initialisation: what it came to, and how long each stage took."""

    seed: int
    run: Run
    stop: Event
    accuracy: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    equal: bool = False

    @contextmanager
    def stage(self, name: str, tell: Tell) -> Any:
        self.go_on()
        tell(self.seed, name)
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

    def go_on(self, *_: object) -> None:
        """Ends this seed when the demo has ended: nobody is there to read what it would say."""
        if self.stop.is_set():
            raise CancelledError


def demo(
    folder: str | Path = "run",
    *,
    port: str = "native",
    seeds: int = 5,
    tell: Tell = lambda seed, stage: None,
) -> Report:
    """Run every stage on `port` ('native', 'qemu', 'sim') for that many seeds; write a report.

    The plan is for the port's board. Each seed is a split, an initialisation and an order of its
    own, and each trains on the device: the first in `folder`, the others in its seeds/; the report
    is run/report.json. tell(seed, stage) is called as stages begin. Raises VerifyError when a
    device's weights are not the simulator's.
    """
    run, data, stop = Run(folder), load_digits(), Event()
    runs = [run] + [Run(run.folder / "seeds" / str(seed)) for seed in range(1, seeds)]
    with ThreadPoolExecutor(WORKERS) as pool:
        futures = [
            pool.submit(_one, Seed(seed, runs[seed], stop), data, port, tell)
            for seed in range(seeds)
        ]
        try:
            done = _all(futures)
        finally:
            stop.set()  # one that failed, or Ctrl-C, ends the others
    report = _report(run, done, port)
    command = f"tinydream demo --port {port} --seeds {seeds}"
    stages.write_report(run, report, load_board(report.board), [command])
    if not report.weights_equal:
        unequal = [one.seed for one in done if not one.equal]
        raise VerifyError(
            f"the weights of seeds {unequal} differ between port {port!r} and the simulator; this"
            " is a defect of tinydream or of the compiler, please report it with the run folder"
        )
    return report


def _all(futures: list[Future[Seed]]) -> list[Seed]:
    """Their results, or the first exception at once; looks up often, because Ctrl-C waits."""
    waiting = set(futures)
    while waiting:
        over, waiting = wait(waiting, timeout=0.2, return_when=FIRST_EXCEPTION)
        for future in over:
            future.result()
    return [future.result() for future in futures]


def _one(one: Seed, data: Data, port: str, tell: Tell) -> Seed:
    run, stage = one.run, one.stage
    knobs = Knobs(epochs=EPOCHS, rate=Adam().rate, seed=one.seed, weights_seed=one.seed)
    with stage("compress", tell):
        data = split(data, one.seed)
        codec = EntroGeDe(budget_bytes=data.X.size // SHRINK)
        stages.compress(run, data, codec, one.seed)
    with stage("plan", tell):
        made = stages.plan(run, load_board(boards_of(port)[0]), HIDDEN, Adam(), knobs, BATCH)
    if port != "sim":
        with stage("generate", tell):
            stages.generate(run)
        with stage("build", tell):
            stages.build(run)
    with stage("train", tell):
        trained = stages.train(run, port, one.go_on)
    with stage("verify", tell):
        simulator = Simulator(made)
        simulator.train(**knobs.as_dict(), on_metrics=one.go_on)
        one.equal = simulator.weights.tobytes() == trained.weights.tobytes()
    with stage("compare", tell):
        rivals = stages.compare(made, codec.representatives_, knobs, data)
        own = accuracy_of(made, trained.weights, data.X_test, data.y_test)
        one.accuracy = {"device": own, **rivals}
    tell(one.seed, "done")
    return one


def _report(run: Run, done: list[Seed], port: str) -> Report:
    plan = run.plan()
    return make_report(
        plan,
        load_board(boards_of(port)[0]),
        port=port,
        data=run.read_json("compress.json", "rows", "raw_dtype", "raw_bytes"),
        weights=run.weights(plan),
        weights_equal=all(one.equal for one in done),
        seeds=[one.seed for one in done],
        accuracy={name: [one.accuracy[name] for one in done] for name in done[0].accuracy},
        seconds={name: sum(one.seconds[name] for one in done) for name in done[0].seconds},
    )
