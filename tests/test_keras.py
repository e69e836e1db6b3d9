"""One epoch from the same weights, over the same rows in the same order, against Keras.

Needs `pip install 'tinydream[keras]'`; TINYDREAM_REQUIRE=keras makes it compulsory.
"""

import numpy as np
import pytest

from tinydream.board import load_board
from tinydream.codec import EntroGeDe
from tinydream.demo import load_digits
from tinydream.keras import make_model
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


def representatives(task):
    data = load_digits()
    if task == "classification":
        return EntroGeDe(budget_bytes=4096).fit(data.X, data.y).representatives_
    y = np.asarray(data.X[:, :2].astype(float).sum(axis=1) / 3)
    return EntroGeDe(budget_bytes=4096, task=task).fit(data.X, y).representatives_


def twin(keras, plan, weights, optimizer, rate):
    """The same network in Keras, compiled with the same loss and optimiser, giving logits."""
    model = make_model(plan, weights, raw=False)
    if isinstance(optimizer, Adam):
        move = keras.optimizers.Adam(
            rate, optimizer.beta1, optimizer.beta2, epsilon=optimizer.epsilon
        )
    else:
        move = keras.optimizers.SGD(rate, momentum=optimizer.momentum)
    loss = keras.losses.MeanSquaredError()
    if plan.task == "classification":
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = keras.Model(model.inputs, model.layers[-2].output)  # without softmax, or units
    model.compile(move, loss)
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
    model = twin(keras, plan, start, optimizer, rate)
    before = np.concatenate([np.ravel(each) for each in model.get_weights()])
    (metrics,) = simulator.train(epochs=1, rate=rate, seed=SEED, weights_seed=SEED)
    x, y = reps.sample(plan.rows.rows, SEED)
    (loss,) = model.fit(x, y, BATCH, shuffle=False, verbose=0).history["loss"]
    truth = np.concatenate([np.ravel(each) for each in model.get_weights()])
    learnt = make_model(plan, simulator.weights, raw=False).get_weights()
    found = np.concatenate([np.ravel(each) for each in learnt])
    assert distance(found, truth, before) < CLOSE
    assert metrics.loss == pytest.approx(loss, rel=CLOSE)
