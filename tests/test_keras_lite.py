"""What runs a .tflite: LiteRT, else tflite-runtime (in its own environment), else TensorFlow."""

import importlib
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from tinydream.board import load_board
from tinydream.codec import EntroGeDe
from tinydream.demo import load_digits
from tinydream.keras import files, write_model
from tinydream.network import Adam, Conv, Dense, Flatten, MaxPool, Network, Relu, Softmax
from tinydream.planner import make_plan
from tinydream.simulator import Simulator

PREDICT = """
import sys, numpy as np
from tinydream.keras import files
assert files._interpreter().__module__ == "tflite_runtime.interpreter", files._interpreter()
assert np.__version__ < "2" and not {"tensorflow", "keras"} & set(sys.modules)
for name in sys.argv[1:]:
    rows = np.load("rows.npy" if "int8" not in name else "inputs.npy")
    np.save(name + ".npy", files.open_model(name).predict(rows))
"""


@pytest.mark.slow
@pytest.mark.needs("keras")
@pytest.mark.needs("tflite")
@pytest.mark.filterwarnings("ignore")
def test_tflite_runtime_predicts_what_the_device_does(tmp_path, lite_python):
    digits = load_digits()
    codec = EntroGeDe(budget_bytes=4096, shape=(8, 8), projection="none").fit(digits.X, digits.y)
    layers = [Conv(6, 3), Relu(), MaxPool(2), Flatten(), Dense(10), Softmax()]
    network = Network(layers, Adam(), shape=(8, 8, 1))
    plan = make_plan(codec, network, board=load_board("native"), batch=16)
    device, reps = Simulator(plan), codec.representatives_
    device.train(epochs=4, rate=3e-3)
    raw = np.asarray(digits.X_test[:50], np.float32)
    np.save(tmp_path / "rows.npy", raw), np.save(tmp_path / "inputs.npy", reps.inputs.apply(raw))
    names = {"none": "plain.tflite", "float16": "half.tflite", "int8": "int8.tflite"}
    for quantise, name in names.items():
        samples = reps.sample(256)[0]
        path = tmp_path / name
        write_model(path, plan, device.weights, quantise=quantise, samples=samples)
    command = [lite_python, "-c", PREDICT, *names.values()]
    subprocess.run(list(map(str, command)), cwd=tmp_path, check=True)
    exact = device.predict_proba(raw)
    for name, near in zip(names.values(), (1e-5, 0.02, 0.2), strict=True):
        assert np.abs(np.load(tmp_path / f"{name}.npy") - exact).max() < near, name
        kept = files.open_model(tmp_path / name).predict(
            np.load(tmp_path / ("inputs.npy" if "int8" in name else "rows.npy"))
        )
        assert np.abs(np.load(tmp_path / f"{name}.npy") - kept).max() < (
            0.02 if near > 0.1 else 1e-5
        )


OTHERS = ("ai_edge_litert", "tflite_runtime")


@pytest.fixture
def only(monkeypatch):
    """Of the packages that run a .tflite, TensorFlow aside, only these are there."""
    real = importlib.import_module

    def pretend(*there):
        def find(name, *more):
            if name.split(".")[0] not in OTHERS:
                return real(name, *more)
            if name.split(".")[0] not in there:
                raise ImportError(name)
            return SimpleNamespace(Interpreter=name)

        monkeypatch.setattr(importlib, "import_module", find)

    return pretend


def test_the_newest_one_that_is_there_is_taken(only):
    only(*OTHERS)
    assert files._interpreter() == "ai_edge_litert.interpreter"
    only("tflite_runtime")
    assert files._interpreter() == "tflite_runtime.interpreter"


@pytest.mark.slow
@pytest.mark.needs("keras")
@pytest.mark.filterwarnings("ignore")
def test_tensorflow_is_the_last_resort(only, keras):
    only()
    assert files._interpreter().__module__.startswith("tensorflow.")
