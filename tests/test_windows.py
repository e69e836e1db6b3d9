"""Convolutions and pools: the C core against the oracle, with ==, and against the formulas."""

import dataclasses

import numpy as np
import oracle
import oracle_layers
import pytest
from plans import gentle, random_plan, random_rows, with_windows
from test_core import drawer, validation_of

from tinydream import _core
from tinydream.errors import FirmwareError, InputError
from tinydream.network import (
    SGD,
    AveragePool,
    Conv,
    Dense,
    Flatten,
    GlobalMaxPool,
    MaxPool,
    Network,
    Relu,
    Softmax,
    windows,
)
from tinydream.plan import Inputs, Outputs, Plan
from tinydream.simulator import Simulator
from tinydream.training import Knobs

F = np.float32


def mapped(seed, layers):
    """A plan of these layers, on random rows of 9 classes."""
    rng, inputs = np.random.default_rng(seed), layers[0].inputs
    return dataclasses.replace(
        random_plan(3),
        features=tuple(f"f{j}" for j in range(inputs)),
        classes=tuple("abcdefghi"),
        inputs=Inputs(np.ones(inputs, bool), np.zeros(1), np.zeros(1, int)),
        outputs=Outputs(),
        rows=random_rows(rng, inputs, 9, rich=False),
        layers=layers,
        slice=1,
        delta=0.0,
        validation=None,
        keep_best=False,
    )


def early_plan(seed, batch):
    """A plan whose last layer's gradients may be left out of memory."""
    network = Network([Conv(8, 3), Relu(), Flatten(), Dense(9), Softmax()], shape=(7, 6, 1))
    plan = mapped(seed, network.records(42))
    return dataclasses.replace(plan, optimizer=SGD().record(), batch=batch)


def late_plan(seed, batch):
    return early_plan(seed, batch).late


def windowed(seed):
    """A small random plan with convolutions and pools."""
    return with_windows(random_plan(seed, most_rows=6), np.random.default_rng([seed, 5]))


@pytest.mark.parametrize("seed", range(60))
def test_training_equals_the_oracle_bit_for_bit(seed):
    plan = windowed(seed)
    knobs = Knobs(epochs=2, rate=float(F(0.02 * gentle(plan))), weights_seed=seed, epoch_rows=5)
    simulator = Simulator(plan)
    history = simulator.train(**knobs.as_dict())
    told, weights = oracle.train(plan, knobs, drawer(plan, knobs.seed), validation_of(plan))
    assert [dataclasses.astuple(metrics)[:-1] for metrics in history] == told
    assert simulator.weights.tobytes() == weights.tobytes()
    assert Plan.from_bytes(plan.to_bytes()) == plan
    assert _core.arena_bytes(plan.to_bytes()) == plan.arena_bytes


@pytest.mark.parametrize("seed", range(20))
def test_a_window_s_gradients_are_those_of_its_sums(seed):
    """Sums are linear in x and in w: a slope is a difference, whatever the step. Pools likewise."""
    plan, rng = windowed(seed), np.random.default_rng(seed)
    layer = plan.layers[0]
    w, b = (rng.normal(size=size).astype(F) for size in oracle_layers.sizes(layer))
    x, d = (rng.normal(size=(2, n)).astype(F) for n in (layer.inputs, layer.outputs))
    grads = [np.zeros_like(w), np.zeros_like(b)]
    dx = oracle_layers.backward(layer, w, grads, x, d)

    def value(w, b, x):
        return float((oracle_layers.forward(layer, w, b, x).astype(float) * d).sum())

    for array, slope in ((x, dx), (w, grads[0]), (b, grads[1])):
        for i in rng.permutation(array.size)[:20]:
            sides = []
            for step in (2.0**-10, -(2.0**-10)):
                kept, array.flat[i] = array.flat[i], array.flat[i] + F(step)
                sides.append(value(w, b, x))
                array.flat[i] = kept
            assert (sides[0] - sides[1]) * 2.0**9 == pytest.approx(slope.flat[i], abs=2e-2)


@pytest.mark.parametrize("size, stride, length", [(3, 2, 28), (3, 2, 14), (2, 2, 7), (5, 3, 9)])
def test_same_padding_is_keras_s_more_at_the_end(size, stride, length):
    record, shape = windows.window_record(Conv(4, size, stride, "same"), (length, length, 2))
    pad = max((-(-length // stride) - 1) * stride + size - length, 0)
    assert shape == (-(-length // stride), -(-length // stride), 4)
    assert record.window.top == record.window.left == pad // 2
    assert record.parameters == 4 * (size * size * 2 + 1)


BAD = {
    "shape of": ([Conv(2), Flatten(), Dense(2), Softmax()], ()),
    "put a Flatten": ([Conv(2), Dense(2), Softmax()], (4, 4, 1)),
    "does not fit": ([Conv(2, 5), Flatten(), Dense(2), Softmax()], (4, 4, 1)),
    "one length": ([Conv(2, (2, 2)), Flatten(), Dense(2), Softmax()], (4, 4)),
    "perhaps with": ([Conv(2), Relu(), Relu(), Flatten(), Dense(2), Softmax()], (4, 4, 1)),
    "cannot take": ([Conv(2), Flatten(), Dense(2), Softmax()], (5, 4, 1)),
}


@pytest.mark.parametrize("told", BAD)
def test_a_stack_that_cannot_be_is_told_in_a_sentence(told):
    layers, shape = BAD[told]
    told = "wants inputs of shape" if told == "shape of" else told
    with pytest.raises(InputError, match=told):
        Network(layers, shape=shape).records(16)


@pytest.mark.parametrize("make", [lambda: MaxPool(3, 2), lambda: Conv(0), lambda: AveragePool(0)])
def test_a_window_out_of_range_is_refused(make):
    with pytest.raises(InputError):
        make()


def survives_damage(plan):
    """Each byte of its network changed four times: refused, or trained without a crash."""
    good, taken = plan.to_bytes(), []
    start, rng = good.index(b"NETW"), np.random.default_rng(0)
    for at in range(start + 8, good.index(b"TRAN")):
        for _ in range(4):
            bad = bytearray(good)
            bad[at] = rng.integers(256)
            device = _core.sim_new(bytes(bad), 0)
            taken.append(not isinstance(device, int))
            if taken[-1]:
                _core.sim_start(device, 0, 1, 5, 0.01, 0, 1, 0.0, 0)
                _core.sim_steps(device, 2)
    return any(taken) and not all(taken)


def test_a_damaged_window_is_refused_or_harmless_never_a_crash():
    assert survives_damage(windowed(3))


def test_what_lies_below_frozen_convolutions_is_not_kept():
    layers = [Conv(4, train="none"), Relu(), GlobalMaxPool(), Dense(3), Softmax()]
    frozen = Network(layers, shape=(8, 8, 1))
    plan = dataclasses.replace(random_plan(0), layers=frozen.records(64))
    whole = dataclasses.replace(plan, layers=frozen.trained().records(64))
    assert [x.train for x in plan.operations] == ["none", "none", "all"]
    assert plan.moving == plan.dense[0].parameters < whole.moving
    assert max(plan.places) < max(whole.places)


@pytest.mark.parametrize("seed", range(12))
def test_a_late_last_layer_trains_to_the_same_bits_in_less_memory(seed):
    rng = np.random.default_rng(seed)
    plan = early_plan(seed, int(rng.integers(2, 6)))
    late = plan.late
    assert late.arena_bytes < plan.arena_bytes
    assert late.arena_bytes == _core.arena_bytes(late.to_bytes())
    weights = []
    for each in (plan, late):
        simulator = Simulator(dataclasses.replace(each, slice=int(rng.integers(1, plan.batch))))
        simulator.train(epochs=2, rate=1e-4, seed=seed)
        raw = np.ones((3, plan.inputs.raw_columns), F)
        simulator.learn(raw, [0, 1, 2], mix=plan.batch - 1)
        weights.append(simulator.weights.tobytes())
    assert weights[0] == weights[1]
    assert (plan.mix, late.mix) == (plan.batch, plan.batch - 1)
    with pytest.raises(FirmwareError):
        simulator.learn(raw, [0, 1, 2], mix=plan.batch)
