"""Folded batch norms: fewer layers, the same predictions."""

import dataclasses

import numpy as np
import pytest
from plans import random_plan, random_rows

from tinydream.board import load_board
from tinydream.errors import InputError
from tinydream.folding import fold_batch_norms
from tinydream.network import (
    Add,
    BatchNorm,
    Conv,
    Dense,
    Depthwise,
    Flatten,
    Network,
    Relu,
    Softmax,
)
from tinydream.plan import Inputs, Outputs
from tinydream.simulator import Simulator

BOARD = load_board("native")
OFF = BatchNorm(train="none")


def plan_of(layers):
    """A plan for 6x5 numbers of three classes."""
    network = Network([*layers, Flatten(), Dense(3), Softmax()], shape=(6, 5, 1))
    return dataclasses.replace(
        random_plan(3),
        board="native",
        features=tuple(f"f{j}" for j in range(30)),
        classes=("a", "b", "c"),
        inputs=Inputs(np.ones(30, bool), np.zeros(1), np.zeros(1, int)),
        outputs=Outputs(),
        rows=random_rows(np.random.default_rng(0), 30, 3, rich=False),
        layers=network.records(30),
        delta=0.0,
        validation=None,
        keep_best=False,
    )


def some_weights(plan, seed):
    """As after a training: statistics that are not those of the start, variances above 0."""
    rng = np.random.default_rng(seed)
    weights, at = rng.normal(0, 0.5, plan.parameters).astype(np.float32), 0
    for layer in plan.layers:
        if layer.kind == "batch_norm":
            channels = layer.window.channels
            weights[at + channels : at + 3 * channels] = rng.uniform(0.5, 2, 2 * channels)
        at += layer.parameters
    return weights


def predicted(plan, weights):
    simulator = Simulator(plan)
    simulator.push(weights)
    return simulator.predict_proba(np.random.default_rng(1).normal(size=(50, 30)))


STACKS = {
    "conv": ([Conv(4), OFF, Relu()], 1),
    "depthwise, then dense": ([Depthwise(), OFF, Relu(), Flatten(), Dense(7), OFF, Relu()], 2),
    "around a sum": (
        [Conv(4, padding="same"), OFF, Relu(), Conv(4, padding="same"), OFF, Add(2), Relu()],
        2,
    ),
    "a sum of what is folded": ([Conv(4), OFF, Conv(4, 1), OFF, Conv(4, 1), Add(1)], 2),
    "one that learns": ([Conv(4), BatchNorm(), Relu()], 0),
    "one behind an activation": ([Conv(4), Relu(), OFF], 0),
    "one that a sum looks behind": ([Conv(4), OFF, Relu(), Conv(4, 1), Add(0)], 0),
    "one of single numbers": ([Conv(4), Flatten(), OFF], 0),
}


@pytest.mark.parametrize("name", STACKS)
def test_a_frozen_batch_norm_is_folded_and_predictions_stay(name):
    layers, folded = STACKS[name]
    plan = plan_of(layers)
    weights = some_weights(plan, 5)
    made, less = fold_batch_norms(plan, weights, board=BOARD)
    kinds = [[layer.kind for layer in each.layers].count("batch_norm") for each in (plan, made)]
    assert kinds[0] - kinds[1] == folded
    assert len(less) == made.parameters and (made.parameters < plan.parameters) == bool(folded)
    assert predicted(made, less) == pytest.approx(predicted(plan, weights), abs=1e-6)


def test_a_folded_plan_is_smaller_and_trains():
    plan = plan_of(STACKS["conv"][0])
    made, less = fold_batch_norms(plan, some_weights(plan, 2), board=BOARD)
    assert made.arena_bytes < plan.arena_bytes and made.digest != plan.digest
    simulator = Simulator(made)
    simulator.push(less)
    simulator.train(epochs=1, fresh=False, rate=1e-3)
    assert np.isfinite(simulator.weights).all() and (simulator.weights != less).any()


def test_weights_of_another_plan_are_refused():
    plan = plan_of(STACKS["conv"][0])
    with pytest.raises(InputError, match="parameters; the array given has shape"):
        fold_batch_norms(plan, np.zeros(3), board=BOARD)
