"""One epoch from the same weights, over the same rows in the same order, against Keras.

Needs `pip install 'tinydream[keras]'`; TINYDREAM_REQUIRE=keras makes it compulsory.
"""

import os

import numpy as np
import pytest

from tinydream.board import load_board
from tinydream.codec import EntroGeDe
from tinydream.demo import load_digits
from tinydream.network import SGD, Adam, Network
from tinydream.planner import make_plan
from tinydream.simulator import Simulator

BATCH, SEED, CLOSE = 20, 3, 1e-4

# Keras' own imports warn; what it warns of is not ours
pytestmark = [
    pytest.mark.needs("keras"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    return pytest.importorskip("keras")


def representatives(task):
    data = load_digits()
    if task == "classification":
        return EntroGeDe(budget_bytes=4096).fit(data.X, data.y).representatives_
    y = np.asarray(data.X[:, :2].astype(float).sum(axis=1) / 3)
    return EntroGeDe(budget_bytes=4096, task=task).fit(data.X, y).representatives_


def pairs(plan, weights):
    """Weights as Keras has them: (in, out) and (out,) of each dense layer."""
    found, at = [], 0
    for layer in plan.layers:
        if layer.kind == "dense":
            size = layer.inputs * layer.outputs
            found.append(weights[at : at + size].reshape(layer.outputs, layer.inputs).T)
            found.append(weights[at + size : at + size + layer.outputs])
            at += size + layer.outputs
    return found


def twin(keras, plan, optimizer, rate):
    """The same network in Keras, compiled with the same loss and optimiser."""
    dense = [layer for layer in plan.layers if layer.kind == "dense"]
    layers = [keras.Input((dense[0].inputs,))]
    layers += [keras.layers.Dense(layer.outputs, "relu") for layer in dense[:-1]]
    layers.append(keras.layers.Dense(dense[-1].outputs))
    model = keras.Sequential(layers)
    if isinstance(optimizer, Adam):
        move = keras.optimizers.Adam(
            rate, optimizer.beta1, optimizer.beta2, epsilon=optimizer.epsilon
        )
    else:
        move = keras.optimizers.SGD(rate, momentum=optimizer.momentum)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if plan.task == "regression":
        loss = keras.losses.MeanSquaredError()
    model.compile(move, loss, run_eagerly=False)
    return model


def distance(found, truth, start):
    """How far two sets of weights are apart, as a share of the way that training went."""
    return np.linalg.norm(found - truth) / np.linalg.norm(truth - start)


@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [(SGD(), 0.05), (SGD(momentum=0.9), 0.02), (Adam(), 3e-3)],
    ids=["sgd", "momentum", "adam"],
)
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_an_epoch_is_that_of_keras(keras, optimizer, rate, task):
    reps = representatives(task)
    outputs = reps.rows.targets or 10
    network = Network.mlp([32, 16], outputs, optimizer, task=task)
    plan = make_plan(reps, network, board=load_board("native"), batch=BATCH)
    simulator = Simulator(plan, SEED)
    start = simulator.weights.copy()
    model = twin(keras, plan, optimizer, rate)
    model.set_weights(pairs(plan, start))
    (metrics,) = simulator.train(epochs=1, rate=rate, seed=SEED, weights_seed=SEED)
    x, y = reps.sample(plan.rows.rows, SEED)
    batches = [slice(i, min(i + BATCH, len(x))) for i in range(0, len(x), BATCH)]
    losses = [model.train_on_batch(x[part], y[part], return_dict=True)["loss"] for part in batches]
    rows = [part.stop - part.start for part in batches]
    found = np.concatenate([np.ravel(a) for a in pairs(plan, simulator.weights)])
    truth = np.concatenate([np.ravel(a) for a in model.get_weights()])
    before = np.concatenate([np.ravel(a) for a in pairs(plan, start)])
    assert distance(found, truth, before) < CLOSE
    assert metrics.loss == pytest.approx(np.average(losses, weights=rows), rel=CLOSE)
