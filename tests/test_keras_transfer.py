"""A frozen backbone whose head trains on the device; integers calibrated on representatives."""

import numpy as np
import pytest

from tinydream.board import load_board
from tinydream.codec import EntroGeDe
from tinydream.demo import load_digits
from tinydream.keras import open_model, write_model
from tinydream.network import SGD, Adam, Conv, Dense, Flatten, Network, Relu, Softmax
from tinydream.planner import make_plan
from tinydream.simulator import Simulator

pytestmark = [
    pytest.mark.needs("keras"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]


def test_a_head_learns_what_is_new_and_the_backbone_stays(keras):
    """Digits mirrored are new to a network that learnt digits."""
    digits, like = load_digits(), keras.layers
    keras.utils.set_random_seed(1)
    head = like.Dense(10, "softmax")
    body = [like.Rescaling(1 / 16), like.Dense(32, "relu"), like.Dense(24, "relu")]
    model = keras.Sequential([like.Input((64,)), *body, head])
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(digits.X, digits.y, epochs=15, verbose=0)
    for layer in model.layers:
        layer.trainable = layer is head
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy")

    X, X_test = (rows.reshape(-1, 8, 8)[:, :, ::-1].reshape(-1, 64) for rows in
                 (digits.X, digits.X_test))  # fmt: skip
    codec = EntroGeDe(budget_bytes=4096, shape=(8, 8), projection="none").fit(X, digits.y)
    network = Network.from_keras(model, codec)
    assert network.optimizer == SGD(momentum=0.9)
    plan = make_plan(codec, network, board=load_board("native"), batch=16)
    device = Simulator(plan)
    device.push(network.weights)
    before, frozen = device.score(X_test, digits.y_test), np.array(device.weights)
    device.train(epochs=10, rate=0.02, fresh=False)
    below = plan.parameters - plan.operations[-1].parameters
    assert device.weights[:below].tobytes() == frozen[:below].tobytes()
    assert not np.array_equal(device.weights[below:], frozen[below:])
    assert device.score(X_test, digits.y_test) > before + 0.2


def test_drawn_rows_calibrate_as_well_as_all_rows(tmp_path):
    digits, scores = load_digits(), {}
    codec = EntroGeDe(budget_bytes=4096, shape=(8, 8), projection="none").fit(digits.X, digits.y)
    layers = [Conv(8, 3), Relu(), Flatten(), Dense(10), Softmax()]
    network = Network(layers, Adam(), shape=(8, 8, 1))
    reps = codec.representatives_
    plan = make_plan(codec, network, board=load_board("native"), batch=16)
    device = Simulator(plan)
    device.train(epochs=8, rate=3e-3)
    test = reps.inputs.apply(digits.X_test)
    for name, rows in {"drawn": reps.sample(512)[0], "all": reps.inputs.apply(digits.X)}.items():
        path = tmp_path / f"{name}.tflite"
        write_model(path, plan, device.weights, quantise="int8", samples=rows)
        found = open_model(path).predict(test).argmax(axis=1)
        scores[name] = float(np.mean(found == digits.y_test))
    exact = device.score(digits.X_test, digits.y_test)
    assert scores["drawn"] >= max(scores["all"], exact) - 0.01
