"""Convolutions, pools and what lies between them, against Keras from the same weights.

Needs `pip install 'tinydream[keras]'`; TINYDREAM_REQUIRE=keras makes it compulsory.
"""

import os

import numpy as np
import pytest

from tinydream.board import load_board
from tinydream.codec import EntroGeDe
from tinydream.demo import load_digits
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
from tinydream.weights import split_weights

BATCH, SEED, CLOSE, EPOCHS = 20, 3, 1e-4, 3

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


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    return EntroGeDe(budget_bytes=8192, shape=(8, 8)).fit(data.X, data.y).representatives_, data


def twin(keras, network):
    """The same network in Keras, as a model of logits."""
    like = keras.layers
    x = keras.Input(network.shape)
    first, given = x, []
    for layer in network.layers[:-1]:
        if isinstance(layer, Add):
            x = like.Add()([x, given[layer.layer]])
        else:
            x = _layer(like, layer, f"{len(network.shape) - 1}D")(x)
        given.append(x)
    return keras.Model(first, x)


def _layer(like, layer, dimensions):
    window = {k: getattr(layer, k, None) for k in ("strides", "padding")}

    def of(name):
        return getattr(like, name + dimensions)

    if isinstance(layer, Conv):
        return of("Conv")(layer.filters, layer.size, **window)
    if isinstance(layer, Depthwise):
        return of("DepthwiseConv")(layer.size, **window)
    if isinstance(layer, MaxPool):
        return of("MaxPooling")(layer.size, **window)
    if isinstance(layer, AveragePool):
        return of("AveragePooling")(layer.size, **window)
    if isinstance(layer, GlobalAveragePool | GlobalMaxPool):
        return of(type(layer).__name__ + "ing")()
    if isinstance(layer, BatchNorm):
        return like.BatchNormalization(momentum=layer.momentum)
    if isinstance(layer, Dropout):
        return like.Dropout(layer.rate)
    if isinstance(layer, Dense):
        return like.Dense(layer.units)
    return {Relu: like.ReLU, Flatten: like.Flatten}[type(layer)]()


def arrays(plan, weights, two=True):
    """Weights in Keras' order and shapes; two: of windows over two dimensions, not one."""
    split = iter(split_weights(plan, weights).values())
    found = []
    for layer in (x for x in plan.operations if x.parameters):
        w, b = next(split), next(split)
        if layer.kind == "batch_norm":
            found += [w[2], b, w[0], w[1]]
            continue
        if layer.kind == "dense":
            w = w.T
        else:
            w = w.transpose(1, 2, 3, 0) if layer.kind == "conv" else w[..., None]
            w = w if two else w[0]  # signals have height 1
        found += [w, b]
    return found


def planned(reps, layers, optimizer, shape=(8, 8, 1)):
    network = Network(layers, optimizer, shape=shape)
    return network, make_plan(reps, network, board=load_board("native"), batch=BATCH)


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
    network, plan = planned(reps, layers, optimizer)
    assert_an_epoch_is_keras_s(keras, reps, network, plan, rate, apart)


@pytest.mark.parametrize("pool", [GlobalAveragePool(), GlobalMaxPool()], ids=["average", "largest"])
def test_an_epoch_of_convolutions_over_signals_is_that_of_keras(keras, digits, pool):
    """Eight steps of eight channels."""
    reps, _ = digits
    layers = [Conv(12, 3, 1, "same"), Relu(), MaxPool(2), Depthwise(3, 1, "same"), Relu()]
    layers += [Conv(12, 3, 1, "same"), Add(2), Relu(), pool, Dense(10), Softmax()]
    network, plan = planned(reps, layers, SGD(), (8, 8))
    assert_an_epoch_is_keras_s(keras, reps, network, plan, 0.05, 1e-3)


def assert_an_epoch_is_keras_s(keras, reps, network, plan, rate, apart):
    """From the same weights, by the same rows: the loss within CLOSE, the way within `apart`."""
    optimizer, two = network.optimizer, len(network.shape) == 3
    simulator, model = Simulator(plan, SEED), twin(keras, network)
    start = arrays(plan, simulator.weights.copy(), two)
    model.set_weights(start)
    move = keras.optimizers.SGD(rate, momentum=getattr(optimizer, "momentum", 0.0))
    if isinstance(optimizer, Adam):
        move = keras.optimizers.Adam(rate, epsilon=optimizer.epsilon)
    model.compile(move, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    (metrics,) = simulator.train(epochs=1, rate=rate, seed=SEED, weights_seed=SEED)
    x, y = reps.sample(plan.rows.rows, SEED)
    x = x.reshape(-1, *network.shape)
    batches = [slice(i, min(i + BATCH, len(x))) for i in range(0, len(x), BATCH)]
    losses = [model.train_on_batch(x[part], y[part], return_dict=True)["loss"] for part in batches]
    rows = [part.stop - part.start for part in batches]
    ours, theirs, before = (
        np.concatenate([np.ravel(a) for a in each])
        for each in (arrays(plan, simulator.weights, two), model.get_weights(), start)
    )
    assert np.linalg.norm(ours - theirs) / np.linalg.norm(theirs - before) < apart
    assert metrics.loss == pytest.approx(np.average(losses, weights=rows), rel=CLOSE)


def test_a_batch_norm_and_a_dropout_learn_as_well_as_keras_s(keras, digits):
    """A batch is normalised by those before it, not by itself: in the mean it is as good."""
    reps, data = digits
    layers = [Conv(6, 3, 2, "same"), BatchNorm(), Relu(), Conv(12, 3, 2, "same"), BatchNorm()]
    layers += [Relu(), Flatten(), Dropout(0.2), Dense(10), Softmax()]
    network, plan = planned(reps, layers, Adam())
    inputs = reps.inputs.apply(data.X).reshape(-1, *network.shape)
    ours, theirs = [], []
    for seed in range(3):
        simulator = Simulator(plan, seed)
        model = twin(keras, network)
        model.set_weights(arrays(plan, simulator.weights.copy()))
        model.compile(
            keras.optimizers.Adam(3e-3),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        simulator.train(epochs=EPOCHS, rate=3e-3, seed=seed, weights_seed=seed)
        x, y = reps.sample(EPOCHS * plan.rows.rows, seed)
        keras.utils.set_random_seed(seed)
        model.fit(x.reshape(-1, *network.shape), y, BATCH, shuffle=False, verbose=0)
        ours.append(np.mean(simulator.predict(data.X) == data.y))
        theirs.append(np.mean(model.predict(inputs, 512, verbose=0).argmax(1) == data.y))
    assert np.mean(ours) > np.mean(theirs) - 0.02


def test_a_trained_batch_norm_predicts_as_keras_s_with_its_weights(keras, digits):
    reps, data = digits
    layers = [Conv(4, 3, 2), BatchNorm(0.8), Relu(), GlobalAveragePool(), Dense(10), Softmax()]
    network, plan = planned(reps, layers, SGD())
    simulator, model = Simulator(plan, SEED), twin(keras, network)
    simulator.train(epochs=1, rate=0.02, seed=SEED)
    model.set_weights(arrays(plan, simulator.weights))
    inputs = reps.inputs.apply(data.X).reshape(-1, *network.shape)
    logits = model.predict(inputs, 512, verbose=0)
    shares = np.exp(logits - logits.max(1, keepdims=True))
    truth = shares / shares.sum(1, keepdims=True)
    assert simulator.predict_proba(data.X) == pytest.approx(truth, abs=1e-5)
