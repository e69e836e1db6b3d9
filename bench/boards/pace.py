"""Instructions of training, as a sum of what networks are made of, fitted to emulated boards."""

from dataclasses import replace
from functools import partial

import numpy as np

from bench.boards.link import Linker
from bench.core.workload import digits_plan
from tinydream.bridge import Device, QemuLink
from tinydream.budget import kernels, work
from tinydream.network import SGD, Adam, Network
from tinydream.plan import Plan
from tinydream.training import Metrics

__all__ = ["instruction_costs", "plans", "ticks"]

ROWS = 60  # of the one epoch that is counted
# hidden layers, optimiser, batch; small, for 16 KB of RAM
NETWORKS = (
    ((16,), SGD(), 20),
    ((4,), SGD(), 20),
    ((8, 8, 8), SGD(), 20),
    ((4,), SGD(), 4),
    ((6,), Adam(), 20),
    ((6,), Adam(), 4),
)


def plans(board_id: str, tile: int) -> list[Plan]:
    """The networks that are measured, on digits of 64 columns and on the first 16 of them."""
    made = []
    for hidden, optimizer, batch in NETWORKS:
        plan = digits_plan(optimizer, batch)
        layers = Network.mlp(hidden, 10, optimizer).records(64)
        slice_ = min(batch, 4) if tile > 1 else 1
        made.append(replace(plan, layers=layers, board=board_id, slice=slice_))
    if tile == 1:  # plain SGD on single rows has kernels of its own
        single = replace(made[0], batch=1), replace(made[2], batch=1)
        made += single
    return made


def ticks(linker: Linker, plan: Plan, *extra: str) -> int:
    """Instructions of an epoch of ROWS rows, in a program with all kernels, of the plan's tile."""
    on = {name: 1 for name in kernels(plan)} | {"TD_TILE": plan.tile}
    assert linker.board.qemu
    heard: list[Metrics] = []
    with Device.open(QemuLink(linker.board.qemu, linker.program(plan, on, extra))) as device:
        device.expect(plan)
        device.train(epochs=2, epoch_rows=ROWS, rate=0.01, on_metrics=heard.append)
    return heard[-1].ticks


def instruction_costs(linker: Linker, tile: int, *extra: str) -> dict[str, float]:
    """Instructions by what is counted of a network (`tinydream.budget.work`), least squares."""
    made = plans(linker.board.id, tile)
    found = np.array(list(map(partial(_relative, linker, extra), made)))
    names = sorted({name for plan in made for name in work(plan, ROWS)})
    counted = [work(plan, ROWS) for plan in made]
    matrix = np.array([[each.get(name, 0) for name in names] for each in counted], float)
    weighed = matrix / found[:, None]  # relative errors count
    costs = _nonnegative(weighed, np.ones(len(made)))
    return {name: round(float(cost), 3) for name, cost in zip(names, costs, strict=True)}


def _relative(linker: Linker, extra: tuple[str, ...], plan: Plan) -> float:
    return float(ticks(linker, plan, *extra))


def _nonnegative(matrix: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Least squares without negative costs: the most negative one is set to 0, until none is."""
    keep = np.ones(matrix.shape[1], bool)
    while True:
        found = np.zeros(matrix.shape[1])
        found[keep] = np.linalg.lstsq(matrix[:, keep], wanted, rcond=None)[0]
        if (found >= 0).all():
            return found
        keep[found.argmin()] = False
