"""Convolutions, pools and what lies between them, against Keras from the same weights.

Needs `pip install 'tinydream[keras]'`; TINYDREAM_REQUIRE=keras makes it compulsory.
"""

import numpy as np
import pytest

from tinydream.board import load_board
from tinydream.codec import EntroGeDe
from tinydream.demo import load_digits
from tinydream.keras import make_model
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
    GlobalMaxPool,
    MaxPool,
    Network,
    Relu,
    Softmax,
)
from tinydream.planner import make_plan
from tinydream.simulator import Simulator

BATCH, SEED, CLOSE, EPOCHS = 20, 3, 1e-4, 3

# Keras' own imports warn; what it warns of is not ours
pytestmark = [
    pytest.mark.needs("keras"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    return EntroGeDe(budget_bytes=8192, shape=(8, 8)).fit(data.X, data.y).representatives_, data


def twin(keras, plan, weights):
    """The same network in Keras, as a model of logits."""
    model = make_model(plan, weights, raw=False)
    return keras.Model(model.inputs, model.layers[-2].output)


def arrays(plan, weights):
    """All parameters in Keras' order and shapes, in one row."""
    model = make_model(plan, weights, raw=False)
    return np.concatenate([np.ravel(each) for each in model.get_weights()])


def planned(reps, layers, optimizer, shape=(8, 8, 1)):
    network = Network(layers, optimizer, shape=shape)
    return make_plan(reps, network, board=load_board("native"), batch=BATCH)


@pytest.mark.parametrize(
    ("optimizer", "rate", "apart"),  # Adam makes whole steps of what rounding leaves of a gradient
    [(SGD(), 0.05, 1e-3), (SGD(momentum=0.9), 0.02, 1e-3), (Adam(), 3e-3, 1e-2)],
    ids=["sgd", "momentum", "adam"],
)
def test_an_epoch_of_convolutions_is_that_of_keras(keras, digits, optimizer, rate, apart):
    reps, _ = digits
    layers = [Conv(6, 3, 1, "same"), Relu(), MaxPool(2), Depthwise(3, 1, "same"), Relu()]
    layers += [Conv(6, 1), Add(2), Relu(), AveragePool(3, 2, "same"), Flatten()]
    layers += [Dense(10), Softmax()]
    assert_an_epoch_is_keras_s(
        keras, reps, planned(reps, layers, optimizer), optimizer, rate, apart
    )


@pytest.mark.parametrize("pool", [GlobalAveragePool(), GlobalMaxPool()], ids=["average", "largest"])
def test_an_epoch_of_convolutions_over_signals_is_that_of_keras(keras, digits, pool):
    """Eight steps of eight channels."""
    reps, _ = digits
    layers = [Conv(12, 3, 1, "same"), Relu(), MaxPool(2), Depthwise(3, 1, "same"), Relu()]
    layers += [Conv(12, 3, 1, "same"), Add(2), Relu(), pool, Dense(10), Softmax()]
    plan = planned(reps, layers, SGD(), (8, 8))
    assert_an_epoch_is_keras_s(keras, reps, plan, SGD(), 0.05, 1e-3)


def assert_an_epoch_is_keras_s(keras, reps, plan, optimizer, rate, apart):
    """From the same weights, by the same rows: the loss within CLOSE, the way within `apart`."""
    simulator = Simulator(plan, SEED)
    start = simulator.weights.copy()
    model = twin(keras, plan, start)
    move = keras.optimizers.SGD(rate, momentum=getattr(optimizer, "momentum", 0.0))
    if isinstance(optimizer, Adam):
        move = keras.optimizers.Adam(rate, epsilon=optimizer.epsilon)
    model.compile(move, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    (metrics,) = simulator.train(epochs=1, rate=rate, seed=SEED, weights_seed=SEED)
    x, y = reps.sample(plan.rows.rows, SEED)
    (loss,) = model.fit(x, y, BATCH, shuffle=False, verbose=0).history["loss"]
    theirs = np.concatenate([np.ravel(each) for each in model.get_weights()])
    ours, before = arrays(plan, simulator.weights), arrays(plan, start)
    assert np.linalg.norm(ours - theirs) / np.linalg.norm(theirs - before) < apart
    assert metrics.loss == pytest.approx(loss, rel=CLOSE)


def test_a_batch_norm_and_a_dropout_learn_as_well_as_keras_s(keras, digits):
    """A batch is normalised by those before it, not by itself: in the mean it is as good."""
    reps, data = digits
    layers = [Conv(6, 3, 2, "same"), BatchNorm(), Relu(), Conv(12, 3, 2, "same"), BatchNorm()]
    layers += [Relu(), Flatten(), Dropout(0.2), Dense(10), Softmax()]
    plan = planned(reps, layers, Adam())
    inputs = reps.inputs.apply(data.X)
    ours, theirs = [], []
    for seed in range(3):
        simulator = Simulator(plan, seed)
        model = twin(keras, plan, simulator.weights)
        model.compile(
            keras.optimizers.Adam(3e-3),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        simulator.train(epochs=EPOCHS, rate=3e-3, seed=seed, weights_seed=seed)
        x, y = reps.sample(EPOCHS * plan.rows.rows, seed)
        keras.utils.set_random_seed(seed)
        model.fit(x, y, BATCH, shuffle=False, verbose=0)
        ours.append(np.mean(simulator.predict(data.X) == data.y))
        theirs.append(np.mean(model.predict(inputs, 512, verbose=0).argmax(1) == data.y))
    assert np.mean(ours) > np.mean(theirs) - 0.02


def test_a_trained_batch_norm_predicts_as_keras_s_with_its_weights(keras, digits):
    reps, data = digits
    layers = [Conv(4, 3, 2), BatchNorm(0.8), Relu(), GlobalAveragePool(), Dense(10), Softmax()]
    plan = planned(reps, layers, SGD())
    simulator = Simulator(plan, SEED)
    simulator.train(epochs=1, rate=0.02, seed=SEED)
    model = twin(keras, plan, simulator.weights)
    inputs = reps.inputs.apply(data.X)
    logits = model.predict(inputs, 512, verbose=0)
    shares = np.exp(logits - logits.max(1, keepdims=True))
    truth = shares / shares.sum(1, keepdims=True)
    assert simulator.predict_proba(data.X) == pytest.approx(truth, abs=1e-5)
