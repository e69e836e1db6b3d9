"""Instructions of training, as a sum of what networks are made of, fitted to emulated boards."""

from dataclasses import replace
from typing import Any

import numpy as np

from bench.boards.link import Linker
from bench.core.workload import digits_plan
from tinydream.bridge import Device, QemuLink
from tinydream.budget import kernels, work
from tinydream.network import (
    SGD,
    Adam,
    Add,
    AveragePool,
    BatchNorm,
    Conv,
    Dense,
    Depthwise,
    Dropout,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    Network,
    Relu,
    Softmax,
)
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
# what comes before the last layer, over 8x8 inputs; small, too
WINDOWS: tuple[tuple[Any, ...], ...] = (
    (Conv(4, 3, 2), Relu(), Flatten()),
    (Conv(8, 3), Relu(), GlobalAveragePool()),
    (Conv(8, 3, 2), Relu(), Conv(6, 3), Relu(), GlobalAveragePool()),
    (Conv(4, 1), Relu(), Conv(8, 3, 3), Relu(), Flatten()),
    (Conv(4, 2, 2), Relu(), Depthwise(3), Relu(), Flatten()),
    (Depthwise(3), Relu(), Conv(6, 1), Relu(), GlobalAveragePool()),
    (Conv(4, 3, 2), Relu(), BatchNorm(), Dropout(0.25), Relu(), Flatten()),
    (Conv(4, 3, 2), Relu(), Dropout(0.25), Conv(4, 3, 1, "same"), Add(1), Flatten()),
    (MaxPool(2), Conv(4, 3), Relu(), Flatten()),
    (AveragePool(2), Conv(8, 2), BatchNorm(), Relu(), GlobalAveragePool()),
)


def plans(board_id: str, tile: int) -> list[Plan]:
    """The networks that are measured, on digits of 8x8 pixels."""
    wanted = [
        (digits_plan(optimizer, batch), Network.mlp(hidden, 10, optimizer))
        for hidden, optimizer, batch in NETWORKS
    ]
    for layers in WINDOWS:
        network = Network((*layers, Dense(10), Softmax()), SGD(), shape=(8, 8, 1))
        wanted.append((digits_plan(SGD(), 20), network))
    made = []
    for plan, network in wanted:
        records, slice_ = network.records(64), min(plan.batch, 4) if tile > 1 else 1
        made.append(replace(plan, layers=records, board=board_id, slice=slice_))
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
    """Instructions by what is counted of a network (`tinydream.budget.work`).

    Least squares over dense networks, then over what those with windows take beyond that.
    """
    made = plans(linker.board.id, tile)
    counted = [work(plan, ROWS) for plan in made]
    taken = [ticks(linker, plan, *extra) for plan in made]
    costs: dict[str, float] = {}
    for windows in (False, True):
        some = [i for i, plan in enumerate(made) if any(x.window for x in plan.layers) == windows]
        costs |= _fitted([counted[i] for i in some], [taken[i] for i in some], costs)
    return {name: round(cost, 3) for name, cost in sorted(costs.items())}


def _fitted(
    counted: list[dict[str, int]], taken: list[int], known: dict[str, float]
) -> dict[str, float]:
    """Costs of what is not known yet; relative errors count."""
    names = sorted({name for each in counted for name in each} - {*known})
    rest = [
        n - sum(known[name] * count for name, count in each.items() if name in known)
        for each, n in zip(counted, taken, strict=True)
    ]
    total = np.array(taken, float)
    matrix = np.array([[each.get(name, 0) for name in names] for each in counted], float)
    found = _nonnegative(matrix / total[:, None], np.array(rest) / total)
    return dict(zip(names, found.tolist(), strict=True))


def _nonnegative(matrix: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Least squares without negative costs: the most negative one is set to 0, until none is."""
    keep = np.ones(matrix.shape[1], bool)
    while True:
        found = np.zeros(matrix.shape[1])
        found[keep] = np.linalg.lstsq(matrix[:, keep], wanted, rcond=None)[0]
        if (found >= 0).all():
            return found
        keep[found.argmin()] = False
