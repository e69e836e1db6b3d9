"""Keras on the command line: a model planned, trained on a device, pulled, and verified; and what
is said where Keras is not installed.
"""

import json
import subprocess
import sys

import numpy as np
import pytest
from test_carry import plugged_in
from verbs import refused

from tinydream.demo import load_digits
from tinydream.network.quiet import import_keras
from tinydream.run import Run

emulated = pytest.param("qemu_netduinoplus2", "qemu", marks=pytest.mark.needs("qemu"))


@pytest.fixture
def without_keras(monkeypatch):
    """As on a machine that has not the extra."""
    for name in ("keras", "tensorflow", "ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def squeezed(verb, tmp_path):
    """A run on digits, and a model of them, a batch norm and a frozen layer in it, as in.keras."""
    keras, data = import_keras(), load_digits()
    keras.utils.set_random_seed(0)
    like = keras.layers
    layers = [keras.Input((64,)), like.Reshape((8, 8, 1)), like.Rescaling(1 / 16)]
    layers += [like.Conv2D(6, 3, 2, padding="same", trainable=False)]
    layers += [like.BatchNormalization(momentum=0.9), like.ReLU(), like.Flatten()]
    model = keras.Sequential([*layers, like.Dense(10, "softmax")])
    model.compile(keras.optimizers.SGD(0.02), "sparse_categorical_crossentropy")
    model.save(tmp_path / "in.keras")
    parts = {"x_train": data.X, "y_train": data.y, "x_test": data.X_test, "y_test": data.y_test}
    np.savez(tmp_path / "digits.npz", **parts)
    small = ("--budget-bytes", "2048", "--shape", "8,8", "--projection", "none", "--no-store")
    assert verb("compress", "digits.npz", *small)[0] == 0
    return verb


@pytest.mark.parametrize(
    ("board", "port"),
    [pytest.param("native", "native", marks=pytest.mark.needs("cc")), emulated],
)
@pytest.mark.needs("keras")
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_model_goes_through_a_device(squeezed, tmp_path, board, port):
    for line in (
        ("plan", "--board", board, "--model", "in.keras", "--epochs", "1"),
        ("generate",),
        ("build",),
        ("train", "--port", port),
        ("pull", "--port", port, "--file", "out.keras"),
        ("pull", "--port", port, "--file", "small.tflite", "--quantise", "float16"),
        ("verify",),
        ("verify", "--model", "out.keras"),
        ("verify", "--model", "out.keras", "--port", port),
        ("verify", "--model", "small.tflite", "--within", "0.01"),
        ("report", "--no-baselines"),
    ):
        code, _, err = squeezed(*line)
        assert code == 0, (line, err)
    run = Run("run")
    plan, report = run.plan(), json.loads((tmp_path / "run/report.json").read_text())
    assert report["weights_equal"] and run.knobs("train.json").rate == 0.02
    moved = run.initial(plan) != run.weights(plan)
    assert not moved[: plan.layers[0].parameters + plan.layers[2].parameters].any()
    assert moved[-plan.layers[-2].parameters :].any()
    refused(
        squeezed("verify", "--model", "in.keras"),
        1,
        "in.keras and the device differ by",
        "pull it again",
    )
    assert squeezed("plan", "--board", board)[0] == 0
    assert run.initial(run.plan()) is None


@pytest.mark.needs("cc")
@pytest.mark.needs("keras")
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_model_is_compared_with_what_a_board_holds(built, tmp_path):
    for line in (
        ("train", "--port", "keras", "--epochs", "1"),
        ("pull", "--port", "keras", "--file", "a.keras"),
    ):
        assert built(*line)[0] == 0
    with plugged_in(Run("run").program(Run("run").plan())) as port:
        refused(built("verify", "--model", "a.keras", "--port", port), 1, "a.keras and the device")
        assert built("push", "run/weights.npz", "--port", port)[0] == 0
        code, out, err = built("verify", "--model", "a.keras", "--port", port, "--json")
        assert code == 0 and json.loads(out)["apart"] < 1e-5, err


@pytest.mark.needs("keras")
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_does_not_go_together_is_named(squeezed, tmp_path):
    plan = ("plan", "--board", "native", "--model")
    refused(squeezed(*plan, "in.keras", "--hidden", "4"), 2, "--model and --hidden do not go")
    refused(squeezed(*plan, "none.keras"), 2, "none.keras cannot be read: there is no such file")
    refused(squeezed(*plan, "digits.npz"), 2, "lies in a .keras file, not in 'digits.npz'")
    (tmp_path / "bad.keras").write_bytes(b"no zip")
    refused(squeezed(*plan, "bad.keras"), 2, "bad.keras is no Keras model that can be read")
    for port in ("keras", "sim"):
        assert squeezed(*plan, "in.keras")[0] == 0
        assert squeezed("train", "-p", port, "--epochs", "1")[0] == 0
        moved = Run("run").weights(Run("run").plan()) != Run("run").initial(Run("run").plan())
        assert not moved[:60].any() and moved[-10:].any()  # a frozen convolution comes first
    pull = ("pull", "-p", "sim", "--quantise", "int8", "--file")
    refused(squeezed(*pull, "a.keras"), 2, "'int8' and 'a.keras' do not go together")
    refused(squeezed(*pull, "a.npz"), 2, "only a .tflite is quantised, not 'a.npz'")
    refused(squeezed("pull", "-p", "sim", "--file", "no/a.keras"), 2, "cannot be written")
    refused(squeezed("pull", "-p", "sim", "--file", "no/a.tflite"), 2, "cannot be written")
    assert squeezed("pull", "-p", "sim", "--file", "out.keras")[0] == 0
    before, weights = Run("run").plan(), Run("run").weights(Run("run").plan())
    assert squeezed(*plan, "out.keras", "--optimizer", "sgd")[0] == 0
    assert Run("run").plan().digest == before.digest
    assert Run("run").initial(before).tobytes() == weights.tobytes()
    (tmp_path / "bad.tflite").write_bytes(b"no flat buffer")
    refused(squeezed("verify", "--model", "bad.tflite"), 2, "bad.tflite is no .tflite model")
    refused(squeezed("verify", "-p", "keras", "--model", "a.keras"), 2, "'keras' is no device")
    refused(squeezed(*plan, "in.keras", "--clip", "1"), 2, "an optimizer of its own; give no other")


def test_without_keras_it_is_said_what_to_install(planned, without_keras, tmp_path):
    install = "pip install 'tinydream[keras]'"
    (tmp_path / "a.keras").write_bytes(b"")
    refused(planned("plan", "--board", "native", "--model", "a.keras"), 2, install)
    assert planned("train", "--port", "sim", "--epochs", 1)[0] == 0
    for name in ("b.keras", "b.tflite"):
        refused(planned("pull", "--port", "sim", "--file", name), 2, install)
    (tmp_path / "a.tflite").write_bytes(b"")
    refused(planned("verify", "--model", "a.tflite"), 2, install)
    refused(planned("train", "--port", "keras"), 2, install)
    for name in ("a.keras", "a.tflite"):
        refused(planned("compress", "table.csv", "--features", name), 2, install)
    checks = {each["name"]: each for each in json.loads(planned("doctor", "--json")[1])}
    assert install.split()[-1] in checks["Keras"]["mend"]


def test_tinydream_never_imports_keras_by_itself():
    heavy = "{'keras', 'tensorflow', 'ai_edge_litert'}"
    code = f"import sys, tinydream, tinydream.cli; print({heavy} & sys.modules.keys())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "set()\n"
