"""Batch normalisation, dropout and residual sums: the C core against the oracle, with ==."""

import dataclasses
import itertools

import numpy as np
import oracle
import oracle_layers
import pytest
from plans import gentle, random_plan, with_windows
from test_core import drawer, validation_of
from test_windows import mapped, survives_damage

from tinydream import _core
from tinydream.errors import InputError
from tinydream.network import (
    SGD,
    Add,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Network,
    Relu,
    Softmax,
    Tanh,
)
from tinydream.network.between import between_record
from tinydream.plan import Plan
from tinydream.simulator import Simulator
from tinydream.training import Knobs

F = np.float32


def mixed(seed):
    """A small random plan with all kinds of operations."""
    rng = np.random.default_rng([seed, 6])
    return with_windows(random_plan(seed, most_rows=6), rng, between=True)


@pytest.mark.parametrize("seed", range(40))
def test_training_equals_the_oracle_bit_for_bit(seed):
    plan = mixed(seed)
    rate = float(F(0.02 * gentle(plan)))
    knobs = Knobs(epochs=2, rate=rate, seed=seed, weights_seed=seed, epoch_rows=5)
    simulator = Simulator(plan)
    history = simulator.train(**knobs.as_dict())
    told, weights = oracle.train(plan, knobs, drawer(plan, knobs.seed), validation_of(plan))
    assert [dataclasses.astuple(metrics)[:-1] for metrics in history] == told
    assert simulator.weights.tobytes() == weights.tobytes()
    assert Plan.from_bytes(plan.to_bytes()) == plan
    assert _core.arena_bytes(plan.to_bytes()) == plan.arena_bytes


@pytest.mark.parametrize("seed", range(6))
def test_neither_slices_nor_late_layers_change_a_bit(seed):
    layers = [Conv(8, 3, 1, "same"), Relu(), BatchNorm(), Dropout(0.3), Add(1), Relu(), Flatten()]
    network = Network([*layers, Dense(9), Softmax()], shape=(7, 6, 1))
    plan = dataclasses.replace(
        mapped(seed, network.records(42)), optimizer=SGD().record(), batch=5, slice=5
    )
    late = plan.late
    assert late.arena_bytes < plan.arena_bytes
    weights = set()
    for each in (
        plan,
        late,
        dataclasses.replace(plan, slice=2),
        dataclasses.replace(late, slice=1),
    ):
        simulator = Simulator(each)
        simulator.train(epochs=2, rate=1e-3, seed=seed)
        simulator.learn(np.ones((3, plan.inputs.raw_columns), F), [0, 1, 2], mix=4)
        weights.add(simulator.weights.tobytes())
    assert len(weights) == 1


@pytest.mark.parametrize("seed", range(80))
def test_what_is_added_later_is_kept_until_then(seed):
    plan = mixed(seed)
    for a, b in itertools.combinations(plan.arena, 2):
        apart = a.offset + a.bytes <= b.offset or b.offset + b.bytes <= a.offset
        assert apart or a.last < b.first or b.last < a.first, (a, b)
    outputs = {int(b.name.split()[1]): b for b in plan.arena if b.name.startswith("outputs")}
    for at, layer in enumerate(plan.operations, 1):
        if layer.beside:
            assert outputs[layer.beside].last >= at


def test_a_residual_network_s_gradients_are_the_loss_s_slopes():
    """Through two sums over one another, in 32 bits: as near as they allow."""
    layers = [Conv(3), Tanh(), BatchNorm(), Conv(3, padding="same"), Add(1), Tanh()]
    layers += [BatchNorm(), Add(2), Add(5), Flatten(), Dense(2)]
    records = Network(layers, shape=(4, 4, 1)).records(16)
    rng = np.random.default_rng(1)
    pairs = [
        [p + F(0.1) * rng.normal(size=p.shape).astype(F) for p in pair]
        for pair in oracle.initial_weights(records, 3)
    ]
    x, y = rng.normal(size=(2, 16)).astype(F), rng.normal(size=(2, 2)).astype(F)

    def loss():
        z = oracle.forward(records, pairs, x)[1].astype(float)
        return float(((z - y) ** 2).sum() / 2)

    grads = oracle.gradients(records, pairs, x, y, "mse")[0]
    for layer, pair, slopes in zip(records[::2], pairs, grads, strict=True):
        for array, slope in zip(pair, slopes, strict=True):
            first = (
                2 * layer.window.channels if layer.kind == "batch_norm" and array.ndim > 1 else 0
            )
            for i in range(first, array.size, 5):
                kept, sides = array.flat[i], []
                for step in (F(2**-9), F(-(2**-9))):
                    array.flat[i] = kept + step
                    sides.append(loss())
                array.flat[i] = kept
                assert (sides[0] - sides[1]) * 2**8 == pytest.approx(
                    slope.flat[i], rel=0.02, abs=0.02
                )


def test_statistics_become_those_of_the_rows():
    plan = dataclasses.replace(
        random_plan(0), layers=(between_record(BatchNorm(0.0), (3,)),), validation=None
    )
    layer, rng = plan.layers[0], np.random.default_rng(0)
    x = rng.normal(5, 2, size=(500, 3)).astype(F)
    w, b = np.array([[0] * 3, [1] * 3, [1] * 3], F), np.zeros(3, F)
    grads = [np.zeros_like(w), np.zeros_like(b)]
    oracle_layers.backward(layer, w, grads, x, np.zeros_like(x))
    mean, variance = oracle_layers.follow(layer, w, grads[0], len(x))
    assert mean == pytest.approx(x.mean(0), rel=1e-5)
    assert variance == pytest.approx(x.var(0), rel=1e-4)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_its_share_and_the_mean(rate):
    layer = between_record(Dropout(rate), (5000,))
    x = np.ones((4, 5000), F)
    y = oracle_layers.dropped(layer, 2, [1, 2, 3, 0], x)
    assert (y[:3] == 0).mean() == pytest.approx(rate, abs=0.02)
    assert y[:3].mean() == pytest.approx(1, abs=0.08)
    assert (y[3] == 1).all() and (y[0] != y[1]).any()


BAD = {
    "no such layer": [Dense(3), Add(7), Dense(3), Softmax()],
    "has an activation behind it": [Dense(4), Relu(), Dense(4), Relu(), Add(0), Dense(3)],
    "anyway": [Dense(4), Relu(), Add(1), Dense(3)],
    "cannot add": [Dense(4), Relu(), Dense(5), Add(1), Dense(3)],
}


@pytest.mark.parametrize("told", BAD)
def test_a_sum_that_cannot_be_is_told_in_a_sentence(told):
    with pytest.raises(InputError, match=told):
        Network(BAD[told]).records(6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Dropout(1.0),
        lambda: Dropout(-0.1),
        lambda: BatchNorm(1.0),
        lambda: BatchNorm(train="some"),
    ],
)
def test_a_number_out_of_range_is_refused(make):
    with pytest.raises(InputError):
        make()


def test_a_damaged_plan_is_refused_or_harmless_never_a_crash():
    assert survives_damage(mixed(13))
