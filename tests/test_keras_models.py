"""A Keras model in, trained by the device's own code, and a Keras model out.

Needs `pip install 'tinydream[keras]'`; TINYDREAM_REQUIRE=keras makes it compulsory.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinydream.board import load_board
from tinydream.codec import EntroGeDe
from tinydream.demo import load_digits
from tinydream.errors import InputError
from tinydream.keras import make_model, open_model, write_model
from tinydream.network import Network
from tinydream.network.quiet import import_keras
from tinydream.planner import make_plan
from tinydream.simulator import Simulator

SEED, CLOSE = 3, 1e-5

pytestmark = [
    pytest.mark.needs("keras"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def keras():
    return import_keras()


@pytest.fixture(scope="module")
def digits():
    return load_digits()


@pytest.fixture(scope="module")
def reps(digits):
    codec = EntroGeDe(budget_bytes=4096, shape=(8, 8), projection="none")
    return codec.fit(digits.X, digits.y).representatives_


def mlp(like, x):
    x = like.Rescaling(1 / 16, -0.5)(x)
    x = like.Dense(16, "relu")(x)
    return like.Dense(10, "softmax")(like.Dropout(0.2)(x))


def signal(like, x):
    x = like.Reshape((16, 4))(x)
    x = like.Conv1D(6, 3, activation="relu")(x)
    x = like.AveragePooling1D(2)(x)
    x = like.DepthwiseConv1D(3, padding="same")(x)
    x = like.GlobalMaxPooling1D()(like.LeakyReLU(negative_slope=0.1)(x))
    return like.Dense(10, "softmax")(x)


def picture(like, x):
    x = like.Rescaling(1 / 16)(like.Reshape((8, 8, 1))(x))
    x = like.Conv2D(6, 3, 2, padding="same")(x)
    x = like.ReLU()(like.BatchNormalization(momentum=0.9)(x))
    x = like.MaxPooling2D()(x)
    return like.Dense(10, "softmax")(like.Flatten()(x))


def depthwise(like, x):
    x = like.Rescaling(1 / 16)(like.Reshape((8, 8, 1))(x))
    x = like.Conv2D(4, (3, 2), activation="relu6")(x)
    x = like.DepthwiseConv2D(3, (2, 1), padding="same", activation="tanh")(x)
    return like.Dense(10, "softmax")(like.GlobalAveragePooling2D()(x))


def residual(like, x):
    x = like.Rescaling(1 / 16)(like.Reshape((8, 8, 1))(x))
    x = before = like.Conv2D(4, 3, activation="relu")(x)
    x = like.Conv2D(4, 3, padding="same", activation="sigmoid")(x)
    x = like.Activation("relu")(like.Add()([x, before]))
    x = like.Dropout(0.1)(like.AveragePooling2D(2)(x))
    return like.Dense(10, "softmax")(like.Flatten()(x))


def model_of(keras, make, inputs=64):
    keras.utils.set_random_seed(SEED)
    first = keras.Input((inputs,))
    return keras.Model(first, make(keras.layers, first))


def trained(reps, model, **knobs):
    """The plan of a model, what it predicts at first, and what it has learnt."""
    network = Network.from_keras(model, reps)
    plan = make_plan(reps, network, board=load_board("native"), batch=20)
    simulator = Simulator(plan)
    simulator.push(network.weights)
    return simulator, lambda: simulator.train(epochs=1, fresh=False, seed=SEED, **knobs)


@pytest.mark.parametrize("make", [mlp, signal, picture, depthwise, residual])
def test_a_model_goes_in_and_comes_out(keras, digits, reps, make, tmp_path):
    model = model_of(keras, make)
    simulator, train = trained(reps, model, rate=0.01)
    x = digits.X_test.astype(np.float32)
    before = simulator.predict_proba(x)
    assert before == pytest.approx(model.predict(x, 512, verbose=0), abs=CLOSE)
    train()
    after = simulator.predict_proba(x)
    assert np.abs(after - before).max() > 0.01
    for name in ("a.keras", "a.tflite"):
        write_model(tmp_path / name, simulator.plan, simulator.weights)
        assert open_model(tmp_path / name)(x) == pytest.approx(after, abs=CLOSE)
