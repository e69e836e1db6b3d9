"""Learning from end to end on an M4F: accuracy against instructions, and against bytes held.

Training runs in the simulator, which computes a board's bits; a step's instructions are counted
under QEMU for the very network, rows and optimiser. Every rival has the same grid of optimisers
and rates and as many steps; what suits it is chosen on validation rows carved out of the training
rows, by one rule for all: fewest instructions to 95 % of what all rows reach in the end.
"""

import multiprocessing
from collections.abc import Iterable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.core.counts import AIFES, TRAINING
from bench.core.learn import (
    ARMS,
    BATCH,
    HIDDEN,
    SETTINGS,
    Setting,
    load,
    made_plan,
    rows_of,
    trace,
)
from bench.core.target import CORES, build, run

__all__ = ["HOLD", "LEVELS", "PEER", "SETS", "multiply_adds", "one_set"]

# steps: as many as all rows need until their accuracy moves no more
SETS = {"optdigits": 6000, "letter": 15000, "magic_wand_digits": 4000, "geotec_har_watch": 4000}
LEVELS = (90, 95, 98)  # percent of what all rows reach
POINTS = 160
HOLD = 5  # looks in a row at which a level has to be kept
PARTS = (0.25, 0.5, 1.0)  # of the budget, for accuracy against bytes
PEER = "all rows, AIfES' cost"
FEW_ROWS = 400  # of all rows, in a program that is counted
WARM, STEPS = 100, 100  # steps before counting, and counted


@dataclass(frozen=True)
class Job:
    """One training run; what `trace` wants."""

    name: str
    validation: bool
    arm: str
    setting: Setting
    seed: int
    part: float = 1.0

    def run(self) -> list[float]:
        points = points_of(self.name) if self.part == 1 else [SETS[self.name]]
        return trace(
            *(self.name, self.validation, self.arm, self.setting, self.seed, points, self.part)
        )


def points_of(name: str) -> list[int]:
    """Steps after which accuracy is looked at: as many a decade everywhere."""
    return [int(n) for n in np.unique(np.geomspace(1, SETS[name], POINTS).round().astype(int))]


# ---- what a step costs ----


def multiply_adds(inputs: int, outputs: int) -> int:
    """Of one sample: forward, weights' gradients, and the hidden layer's; 5,056 for 64-32-10."""
    return 2 * HIDDEN * (inputs + outputs) + HIDDEN * outputs


def step_cost(name: str, arm: str, setting: Setting) -> int:
    """Instructions of a step on M4F at -O2, drawing included, over 100 steps of real training.

    Of all rows 400 are linked: a step costs the same with more.
    """
    classes = load(name, False).classes
    rows = rows_of(name, False, arm, 0, most=FEW_ROWS)
    plan = made_plan(rows, classes, setting)
    defines = {"WARM_STEPS": WARM, "STEPS": STEPS, "RATE": f"{setting.rate}f"}
    ran = run(build(plan, CORES["M4F"], f"{name} {arm} {setting.kind}", defines=defines))
    return ran.instructions(TRAINING) // STEPS


def peer_cost(inputs: int, outputs: int, setting: Setting) -> int:
    """AIfES' instructions for a step of this net: measured ones, scaled by multiply-adds.

    In its favour: Adam's double square root is taken as mended, momentum as costing nothing.
    """
    name = "M4F Adam 20" if setting.kind == "Adam" else "M4F SGD 20"
    sample = AIFES[name].get("mended", AIFES[name]["instructions"])
    return round(BATCH * sample * multiply_adds(inputs, outputs) / multiply_adds(64, 10))


# ---- who is given what ----


@dataclass(frozen=True)
class Rival:
    """Somebody in the comparison: what he draws from, and what a step costs him by setting.

    inputs: of the network; projected rows have fewer than the table.
    """

    name: str
    arm: str
    costs: dict[Setting, int]
    bytes: int
    inputs: int


def rivals(name: str) -> list[Rival]:
    """All of one set, with their costs counted."""
    table, found = load(name, False), []
    middle = SETTINGS[1::3]  # one of each kind: the rate does not change what a step costs
    for arm in ARMS:
        counted = {setting.kind: step_cost(name, arm, setting) for setting in middle}
        rows = rows_of(name, False, arm, 0, most=FEW_ROWS)
        held = table.raw_bytes if arm == "all rows" else rows.nbytes
        costs = {setting: counted[setting.kind] for setting in SETTINGS}
        found.append(Rival(arm, arm, costs, held, rows.rows.columns))
    inputs = found[-1].inputs
    costs = {setting: peer_cost(inputs, table.classes, setting) for setting in SETTINGS}
    return [*found, Rival(PEER, "all rows", costs, table.raw_bytes, inputs)]


Curve = NDArray[np.float64]  # accuracy at points_of(name), the mean over seeds


def reaches(curve: Curve, level: float, points: list[int]) -> int | None:
    """Steps after which the mean accuracy is at the level and stays for HOLD looks; None: never.

    One look alone could be luck: a high rate swings through levels long before it keeps them.
    """
    there = np.flatnonzero(curve >= level)
    held = [i for i in there if (curve[i : i + HOLD] >= level).all()]
    return points[held[0]] if held else None


def choose(
    rival: Rival, seen: dict[tuple[str, Setting], Curve], level: float, points: list[int]
) -> Setting:
    """The setting with the fewest instructions to `level`; if none gets there, the best at last."""

    def rank(setting: Setting) -> tuple[float, float]:
        curve = seen[rival.arm, setting]
        steps = reaches(curve, level, points)
        return (rival.costs[setting] * steps if steps else np.inf, -float(curve[-1]))

    return min(SETTINGS, key=rank)


# ---- one set ----


def one_set(name: str, seeds: int, jobs: int) -> dict[str, Any]:
    """Everything that is told of one set, as JSON; seeds: runs of each rival, jobs: processes."""
    everyone = rivals(name)
    for arm in ARMS[:2]:  # fitted here, so that no process has to fit them again
        for validation, part in ((True, 1.0), *((False, part) for part in PARTS)):
            rows_of(name, validation, arm, 0, part)
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("fork")) as pool:
        return _compared(name, everyone, seeds, pool)


def _compared(name: str, everyone: list[Rival], seeds: int, pool: Executor) -> dict[str, Any]:
    points = points_of(name)
    tried = _means(pool, [(name, True, arm, s, min(seeds, 2)) for arm in ARMS for s in SETTINGS])
    ends = {setting: tried["all rows", setting][-1] for setting in SETTINGS}
    best = max(ends, key=lambda setting: ends[setting])
    level = LEVELS[1] / 100 * ends[best]
    chosen = {each.name: choose(each, tried, level, points) for each in everyone}
    wanted = {(each.arm, chosen[each.name]) for each in everyone} | {("all rows", best)}
    final = _traces(
        pool, [(name, False, arm, setting, seeds) for arm, setting in sorted(wanted, key=str)]
    )
    full = float(final["all rows", best][:, -1].mean())
    told = {
        each.name: _told(each, chosen[each.name], final[each.arm, chosen[each.name]], full, points)
        for each in everyone
    }
    for arm in ARMS[:2]:
        told[arm]["by_bytes"] = _by_bytes(name, arm, chosen[arm], seeds, pool)
    return {
        "steps": points[-1],
        "points": points,
        "all_rows_reach": full,
        "all_rows_setting": str(best),
        "rivals": told,
    }


def _told(
    rival: Rival, setting: Setting, runs: Curve, full: float, points: list[int]
) -> dict[str, Any]:
    mean, cost = runs.mean(axis=0), rival.costs[setting]
    to = {str(p): reaches(mean, p / 100 * full, points) for p in LEVELS}
    return {
        "setting": str(setting),
        "bytes": rival.bytes,
        "inputs": rival.inputs,
        "step": cost,
        "final": float(mean[-1]),
        "spread": float(runs[:, -1].std(ddof=1)) if len(runs) > 1 else 0.0,
        "steps_to": to,
        "instructions_to": {p: steps and steps * cost for p, steps in to.items()},
        "curve": [round(float(value), 4) for value in mean],
    }


def _by_bytes(
    name: str, arm: str, setting: Setting, seeds: int, pool: Executor
) -> list[list[float]]:
    """Bytes held and accuracy at last, for parts of the budget."""
    found = []
    for part in PARTS[:-1]:
        jobs = [Job(name, False, arm, setting, seed, part) for seed in range(seeds)]
        ends = [run[-1] for run in pool.map(Job.run, jobs)]
        found.append([float(rows_of(name, False, arm, 0, part).nbytes), float(np.mean(ends))])
    return found


Wish = tuple[str, bool, str, Setting, int]


def _traces(pool: Executor, wishes: Iterable[Wish]) -> dict[tuple[str, Setting], Curve]:
    """Accuracy (seeds, points) for every (arm, setting) that is wished for."""
    asked = list(wishes)
    jobs = [Job(*wish[:4], seed) for wish in asked for seed in range(wish[4])]
    runs = iter(list(pool.map(Job.run, jobs, chunksize=2)))
    return {
        (arm, setting): np.array([next(runs) for _ in range(seeds)])
        for _, _, arm, setting, seeds in asked
    }


def _means(pool: Executor, wishes: Iterable[Wish]) -> dict[tuple[str, Setting], Curve]:
    return {key: runs.mean(axis=0) for key, runs in _traces(pool, wishes).items()}
