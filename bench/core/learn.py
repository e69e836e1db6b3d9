"""Learning in the simulator, which computes what a board computes: held-out accuracy by step."""

import hashlib
import inspect
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.core.target import BOARD, BUILD, ROOT
from tinydream.board import load_board
from tinydream.codec import EntroGeDe, Representatives
from tinydream.codec.baseline import all_rows, random_rows
from tinydream.data import load_data, raw_dtype
from tinydream.errors import FirmwareError
from tinydream.network import SGD, Adam, Network
from tinydream.plan import Plan
from tinydream.planner import make_plan
from tinydream.simulator import Simulator
from tinydream.training import Metrics

__all__ = [
    "ARMS",
    "BATCH",
    "HIDDEN",
    "SETTINGS",
    "Setting",
    "Table",
    "data_folder",
    "load",
    "made_plan",
    "rows_of",
    "trace",
]

HIDDEN, BATCH = 32, 20
ARMS = ("representatives", "random rows", "all rows")
MOST_BYTES, SHARE = 8192, 10  # representatives get so many bytes, or that share of the rows'
# "as if flash had no end", and all 192 KB of the STM32F405's RAM in one piece, as QEMU has it
ROOM = {"flash": 1 << 28, "ram": 192 << 10}

# What a plan learns is fixed by SPEC.md to the last bit, whatever the C looks like: so it is kept
# by plan, and only forgotten when SPEC's numbers change, with this one.
NUMBERS = 1
CACHE = BUILD / "traces"

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]


@dataclass(frozen=True)
class Setting:
    """How weights move: the same grid of these for everyone."""

    optimizer: SGD | Adam
    rate: float

    @property
    def kind(self) -> str:
        if isinstance(self.optimizer, Adam):
            return "Adam"
        return "momentum" if self.optimizer.momentum else "SGD"

    def __str__(self) -> str:
        return f"{self.kind} {self.rate:g}"


SETTINGS = (
    *(Setting(SGD(), rate) for rate in (0.05, 0.15, 0.4)),
    *(Setting(SGD(momentum=0.9), rate) for rate in (0.005, 0.015, 0.05)),
    *(Setting(Adam(), rate) for rate in (1e-3, 3e-3, 1e-2)),
)


@dataclass(frozen=True, eq=False)
class Table:
    """Rows to learn from and rows to judge by, in raw units; labels are class indices."""

    X: NDArray[Any]
    y: I32
    X_judge: NDArray[Any]
    y_judge: I32
    classes: int

    @property
    def raw_bytes(self) -> int:
        """Of the rows in the narrowest type that holds them exactly; labels not counted."""
        return int(self.X.size * min(raw_dtype(self.X)[1], self.X.dtype.itemsize))


def data_folder() -> Path:
    return Path(os.environ.get("TINYDREAM_DATA") or ROOT.parent / "shared" / "data")


@lru_cache
def load(name: str, validation: bool) -> Table:
    """A set by name; with `validation`, a fifth of its training rows (whole persons, where rows
    tell theirs) stands in for the test rows, which are left out."""
    data = load_data(data_folder() / f"{name}.npz")
    y, y_test = np.asarray(data.y, np.int32), np.asarray(data.y_test, np.int32)
    if not validation:
        return Table(data.X, y, data.X_test, y_test, len(data.classes))
    with np.load(data_folder() / f"{name}.npz", allow_pickle=False) as arrays:
        group = arrays["subject_train"] if "subject_train" in arrays else np.arange(len(y))
    members = np.random.default_rng(0).permutation(np.unique(group))
    apart = np.isin(group, members[: round(len(members) / 5)])
    return Table(data.X[~apart], y[~apart], data.X[apart], y[apart], len(data.classes))


# ---- what is drawn from ----


@lru_cache
def _fitted(name: str, validation: bool, budget: int, plain: bool) -> Representatives:
    """plain: without a projection, where the codec has one: it is no part of the rivals."""
    table = load(name, validation)
    options: dict[str, Any] = {}
    if plain and "projection" in inspect.signature(EntroGeDe).parameters:
        options["projection"] = "none"
    codec = EntroGeDe(budget_bytes=budget, **options)
    return codec.fit(table.X, table.y).representatives_


def budget_of(name: str, part: float = 1.0) -> int:
    """Bytes for representatives: at most a tenth of the training rows' own."""
    return int(part * min(MOST_BYTES, load(name, False).raw_bytes // SHARE))


def rows_of(
    name: str, validation: bool, arm: str, seed: int, part: float = 1.0, most: int = 0
) -> Representatives:
    """What `arm` holds; the seed chooses random rows. part: of the budget; most: of all rows."""
    table, budget = load(name, validation), budget_of(name, part)
    if arm == "representatives":
        return _fitted(name, validation, budget, False)
    plain = _fitted(name, validation, budget, True)
    if arm == "random rows":
        return random_rows(plain, table.X, table.y, seed)
    chosen = np.random.default_rng(seed).permutation(len(table.X))[: most or len(table.X)]
    return all_rows(plain, table.X[np.sort(chosen)], table.y[np.sort(chosen)])


def made_plan(rows: Representatives, classes: int, setting: Setting) -> Plan:
    board = load_board(BOARD)
    regions = tuple(replace(region, bytes=ROOM[region.name]) for region in board.regions)
    network = Network.mlp([HIDDEN], classes, setting.optimizer)
    return make_plan(rows, network, board=replace(board, regions=regions), batch=BATCH)


# ---- learning ----


def trace(
    name: str,
    validation: bool,
    arm: str,
    setting: Setting,
    seed: int,
    points: Sequence[int],
    part: float = 1.0,
) -> list[float]:
    """Share of the judging rows that are right after each of these numbers of steps.

    The seed decides initial weights, order, deviations and random rows. Where numbers ran away,
    0 from there on.
    """
    table = load(name, validation)
    plan = made_plan(rows_of(name, validation, arm, seed, part), table.classes, setting)
    key = repr((NUMBERS, plan.digest, _judges(name, validation), setting.rate, seed, points))
    kept = CACHE / f"{hashlib.blake2b(key.encode(), digest_size=12).hexdigest()}.json"
    if kept.exists():
        return [float(value) for value in json.loads(kept.read_text())]
    right = _learn(plan, table, setting.rate, seed, points)
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = kept.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(right))
    fresh.replace(kept)
    return right


@lru_cache
def _judges(name: str, validation: bool) -> str:
    table = load(name, validation)
    data = np.ascontiguousarray(table.X_judge).tobytes() + table.y_judge.tobytes()
    return hashlib.blake2b(data, digest_size=12).hexdigest()


def _learn(plan: Plan, table: Table, rate: float, seed: int, points: Sequence[int]) -> list[float]:
    simulator, right, place = (
        Simulator(plan),
        [0.0] * len(points),
        {p: i for i, p in enumerate(points)},
    )

    def look(metrics: Metrics) -> None:
        if metrics.epoch in place:  # an epoch is one step here
            right[place[metrics.epoch]] = simulator.score(table.X_judge, table.y_judge)

    try:
        simulator.train(
            epochs=points[-1],
            epoch_rows=BATCH,
            rate=rate,
            seed=seed,
            weights_seed=seed,
            on_metrics=look,
        )
    except FirmwareError:
        pass
    return right
