"""Outputs that are computed again: the same bits from less memory, chosen against a board's RAM."""

import dataclasses
import itertools

import numpy as np
import pytest
from plans import gentle
from test_between import mixed
from test_windows import mapped

from tinydream import _core
from tinydream.arena import droppable
from tinydream.board import load_board
from tinydream.budget import budget, computed_again, estimate_pace, fitted
from tinydream.errors import FirmwareError
from tinydream.network import SGD, BatchNorm, Conv, Dense, Flatten, MaxPool, Network, Relu, Softmax
from tinydream.plan import Plan
from tinydream.simulator import Simulator

F = np.float32


def marked(plan, places):
    """The same plan with these operations' outputs computed again."""
    layers = list(plan.layers)
    for i in places:
        layers[2 * i] = dataclasses.replace(layers[2 * i], again=True)
    return dataclasses.replace(plan, layers=tuple(layers))


def some(seed):
    """A random plan with some of what may be computed again, or as it was if nothing may."""
    rng, plan = np.random.default_rng([seed, 7]), mixed(seed)
    may = droppable(plan.operations)
    return marked(plan, [i for i in may if rng.random() < 0.6])


def deep(batch=8):
    """Four convolutions, each with a batch norm, and two pools, on 28 x 28 inputs."""
    layers = []
    for filters in (8, 16):
        layers += 2 * [Conv(filters, 3, 1, "same"), BatchNorm(), Relu()] + [MaxPool(2)]
    network = Network([*layers, Flatten(), Dense(9), Softmax()], shape=(28, 28, 1))
    plan = mapped(1, network.records(28 * 28))
    return dataclasses.replace(plan, optimizer=SGD().record(), batch=batch)


@pytest.mark.parametrize("seed", range(60))
def test_weights_are_those_of_outputs_that_were_kept(seed):
    plan, weights = some(seed), set()
    kept = dataclasses.replace(
        plan, layers=tuple(dataclasses.replace(x, again=False) for x in plan.layers)
    )
    for each in (plan, kept, dataclasses.replace(plan, slice=1)):
        simulator = Simulator(each)
        simulator.train(epochs=2, rate=float(F(0.02 * gentle(plan))), seed=seed, epoch_rows=5)
        weights.add(simulator.weights.tobytes())
    assert len(weights) == 1
    assert Plan.from_bytes(plan.to_bytes()) == plan and (plan == kept) == (not again_in(plan))


def again_in(plan):
    return [x for x in plan.operations if x.again]


def test_the_random_plans_compute_things_of_all_kinds_again():
    kinds = {x.kind for seed in range(60) for x in again_in(some(seed))}
    assert {"conv", "depthwise", "batch_norm", "dropout", "max_pool"} <= kinds
    counts = [len(again_in(some(seed))) for seed in range(60)]
    assert max(counts) >= 3 and sum(count > 0 for count in counts) >= 30


@pytest.mark.parametrize("seed", range(60))
def test_what_is_wanted_at_one_time_shares_no_byte_in_either_life(seed):
    plan = some(seed)
    for a, b in itertools.combinations(plan.arena, 2):
        apart = a.offset + a.bytes <= b.offset or b.offset + b.bytes <= a.offset
        assert apart or a.last < b.first or b.last < a.first, (a, b)
    own = sum(buffer.bytes - buffer.shared for buffer in plan.arena)
    assert own == plan.arena_bytes == _core.arena_bytes(plan.to_bytes())
    count = len(plan.operations)
    found = {buffer.name: buffer for buffer in plan.arena}
    for at, layer in enumerate(plan.operations, 1):
        if layer.again:  # read by the next operation, and at its gradient's pass
            first, second = found[f"outputs {at}"], found[f"outputs {at} again"]
            assert (first.first, first.last) == (at, at + 1) and first.offset == second.offset
            assert second.first <= 2 * count + 1 - at and second.last >= 2 * count + 2 - at


def test_a_deep_network_takes_two_thirds_of_the_memory_for_a_twentieth_of_the_work():
    plan = deep()
    again = computed_again(plan)
    spent = sum(x.products for x in again_in(again))
    assert again.arena_bytes < 0.68 * plan.arena_bytes
    assert spent < 0.06 * sum(x.products for x in plan.operations)
    weights = []
    for each in (plan, again, computed_again(plan.late)):
        simulator = Simulator(each)
        simulator.train(epochs=1, epoch_rows=16, rate=0.01)
        simulator.learn(np.ones((2, 28 * 28), F), [0, 1], mix=3)
        weights.append(simulator.weights.tobytes())
    assert weights[0] == weights[1] == weights[2]


def test_the_least_is_computed_again_that_a_number_of_bytes_asks_for():
    plan = deep()
    least, spent = computed_again(plan).arena_bytes, []
    for part in (1.0, 0.9, 0.7, 0.5, 0.3, 0.0):
        most = least + round(part * (plan.arena_bytes - least))
        found = computed_again(plan, most)
        assert found.arena_bytes <= most
        spent.append(sum(x.products for x in again_in(found)))
    assert spent == sorted(spent) and spent[0] == 0 and spent[4] < spent[-1]
    assert computed_again(plan, plan.arena_bytes) == plan


def test_a_board_with_too_little_ram_has_outputs_computed_again_and_others_do_not():
    plan, board = deep(), load_board("qemu_netduinoplus2")

    def with_ram(bytes_):
        regions = [
            dataclasses.replace(r, bytes=bytes_ + r.bytes - r.usable) if r.name == "ram" else r
            for r in board.regions
        ]
        return dataclasses.replace(board, regions=tuple(regions))

    def ram(found):
        return next(use for use in budget(found, board) if use.region == "ram").need

    single = dataclasses.replace(plan, slice=1).late
    enough, less = with_ram(ram(single)), with_ram(ram(single) - 40_000)
    assert not again_in(fitted(plan, enough))
    found = fitted(plan, less)
    assert again_in(found) and ram(found) <= ram(single) - 40_000
    assert estimate_pace(found, less).instructions > estimate_pace(single, board).instructions
    assert fitted(found, enough) == dataclasses.replace(found, board=enough.id)


def test_what_no_pass_needs_or_others_need_is_kept():
    def may(*trains):
        layers = [Conv(2, 1, train=train) for train in trains]
        network = Network([*layers, Flatten(), Dense(2), Softmax()], shape=(4, 4, 1))
        return droppable(network.records(16)[::2])

    assert may("all", "all", "all") == [0, 1, 2]
    assert may("none", "none", "all") == [2]  # those below are wanted once
    for seed in range(40):
        plan = mixed(seed)
        beside = {x.beside - 1 for x in plan.operations}
        sums = {i for i, x in enumerate(plan.operations) if x.kind == "add"}
        assert not {*droppable(plan.operations)} & (beside | sums | {len(plan.operations) - 1})


@pytest.mark.parametrize("at", [1, -2])
def test_the_device_refuses_marks_where_they_mean_nothing(at):
    """An activation works in place; the last operation's outputs are read at once."""
    layers = list(deep().layers)
    layers[at] = dataclasses.replace(layers[at], again=True)
    with pytest.raises(FirmwareError, match="the plan"):
        Simulator(dataclasses.replace(deep(), layers=tuple(layers)))
