"""Port 'keras': the host trains a run's network with Keras, on the rows that a device would draw.

Needs `pip install 'tinydream[keras]'`; TINYDREAM_REQUIRE=keras makes it compulsory.
"""

import json

import numpy as np
import pytest
from verbs import refused

from tinydream.board import load_board
from tinydream.codec import EntroGeDe
from tinydream.codec.baseline import validation_rows
from tinydream.demo import load_digits
from tinydream.errors import InputError
from tinydream.keras import KerasTwin, drawn_rows
from tinydream.network import SGD, BatchNorm, Conv, Dense, Dropout, Flatten, Network, Relu, Softmax
from tinydream.planner import make_plan
from tinydream.run import Run
from tinydream.simulator import Simulator

SEED, CLOSE = 3, 1e-4
MOVES = SGD(momentum=0.9, clip=0.5, decay=0.01)

pytestmark = [
    pytest.mark.needs("keras"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def digits():
    return load_digits()


def plan_of(data, network, y=None, options=(), **also):
    """A plan with validation rows, on digits with these answers."""
    y = data.y if y is None else y
    plain = {"projection": "none", "noise": 1.0, "spread": "none", "rank": 0, "domain": "inputs"}
    codec = EntroGeDe(budget_bytes=2048, **plain, **dict(options)).fit(data.X, y)
    reps = codec.representatives_
    held = validation_rows(reps, data.X[:50], y[:50])
    return make_plan(reps, network, board=load_board("native"), batch=20, validation=held, **also)


CASES = {
    "classes": lambda d: (
        plan_of(d, Network.mlp([8], 10), keep_best=True),
        {"schedule": "cosine", "rate": 0.01},
    ),
    "soft targets": lambda d: (plan_of(d, Network.mlp([8], 10), options={"soft": 4}), {}),
    "a sigmoid, biases": lambda d: (
        plan_of(d, Network.mlp([8], 1).trained(bias_only=True), (d.y > 4).astype(int)),
        {"schedule": "step", "every": 1, "rate": 0.1},
    ),
    "numbers": lambda d: (
        plan_of(
            d,
            Network.mlp([8], 2, MOVES, task="regression", huber=0.5),
            d.X[:, :2] * 1.5 + d.X[:, 20:22],
            targets="ab",
        ),
        {"rate": 0.01},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_keras_trains_as_the_simulator_does(digits, case):
    plan, knobs = CASES[case](digits)
    knobs = {"epochs": 3, "seed": SEED, "weights_seed": SEED, "epoch_rows": 250} | knobs
    twin, simulator = KerasTwin(plan), Simulator(plan)
    heard, truth = twin.train(**knobs), simulator.train(**knobs)
    for ours, theirs in zip(heard, truth, strict=True):
        for name in ("epoch", "step", "rows", "correct", "valid_rows", "valid_correct", "best"):
            assert getattr(ours, name) == getattr(theirs, name), name
        assert ours.loss == pytest.approx(theirs.loss, rel=CLOSE)
        assert ours.valid_loss == pytest.approx(theirs.valid_loss, rel=CLOSE)
    assert twin.pull() == pytest.approx(simulator.weights, abs=CLOSE)
    x, device = digits.X_test[:40], Simulator(plan)
    device.push(twin.pull())
    assert twin.predict(x) == pytest.approx(device.predict(x), rel=CLOSE)
    if plan.classes:
        assert twin.predict_proba(x) == pytest.approx(device.predict_proba(x), abs=CLOSE)


def test_what_keras_does_its_own_way_learns_as_well(digits):
    """A batch norm and a dropout: twice the same, and on held-out rows as good as a device."""
    layers = [Conv(6, 3, 2, "same"), BatchNorm(), Relu(), Flatten(), Dropout(0.2)]
    network = Network([*layers, Dense(10), Softmax()], shape=(8, 8, 1))
    plan = plan_of(digits, network, options={"shape": (8, 8)})
    twin, simulator = KerasTwin(plan), Simulator(plan)
    made, knobs = [], {"epochs": 3, "epoch_rows": 500, "rate": 0.01, "seed": SEED}
    for _ in range(2):
        twin.train(**knobs)
        made.append(twin.pull().tobytes())
    simulator.train(**knobs)
    right = [np.mean(each.predict(digits.X_test) == digits.y_test) for each in (twin, simulator)]
    assert made[0] == made[1] and right[0] > right[1] - 0.04
    with pytest.raises(InputError, match="without --bias-only"):
        KerasTwin(plan_of(digits, network.trained(bias_only=True), options={"shape": (8, 8)}))


def test_a_run_ends_by_patience_or_by_a_wild_loss(digits):
    network = Network.mlp([], 1, SGD(), task="regression")
    twin = KerasTwin(plan_of(digits, network, digits.X[:, 20] * 0.5))
    before = twin.pull().copy()
    with pytest.raises(InputError, match="epoch 1 is no number any more; train with a smaller"):
        twin.train(epochs=2, rate=1e6, epoch_rows=200)
    assert twin.pull().tobytes() == before.tobytes()
    assert len(twin.train(epochs=9, rate=1e-9, patience=2, epoch_rows=20, schedule="step")) < 9
    with pytest.raises(InputError, match="this plan has .* parameters; the array given has"):
        twin.push(before[1:])


def test_rows_for_fit_have_weights_or_shares(digits):
    codec = EntroGeDe(budget_bytes=2048, projection="none", deviation=False, soft=4)
    reps = codec.fit(digits.X, digits.y).representatives_
    rows = drawn_rows(reps, 32, weighted=True)
    batches = [rows[i] for i in range(len(rows))]
    x, y, weight = (np.concatenate(each) for each in zip(*batches, strict=True))
    order = np.lexsort(reps.X.T), np.lexsort(x.T)
    assert (x[order[1]] == reps.X[order[0]]).all() and weight.mean() == pytest.approx(1)
    scaled = reps.weight / reps.weight.mean()
    assert weight[order[1]] == pytest.approx(scaled[order[0]])
    assert (y.argmax(1)[order[1]] == reps.y[order[0]]).all() and y.sum(1) == pytest.approx(1)
    with pytest.raises(InputError, match="has each once; leave epoch_rows out"):
        drawn_rows(reps, weighted=True, epoch_rows=5)


def test_the_verbs_know_the_port(planned, tmp_path):
    for line in (
        ("train", "--port", "keras", "--plain", "--epochs", "2"),
        ("pull", "--port", "keras", "--file", "a.npz"),
        ("report", "--no-baselines"),
        ("predict", "table.csv", "--port", "keras", "--to", "a.csv"),
    ):
        code, _, err = planned(*line)
        assert code == 0, (line, err)
    assert Run("run").read_json("train.json")["port"] == "keras"
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert report["weights_equal"] is None and report["port"] == "keras"
    assert "trained by Keras" in planned("report", "--no-baselines")[1]
    assert planned("predict", "table.csv", "--to", "b.csv")[0] == 0
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()
    refused(planned("verify"), 2, "trained by Keras, which no simulator repeats")
    refused(planned("verify", "--port", "keras"), 2, "'keras' is no device; verify one, or")
    refused(planned("monitor", "--port", "keras"), 2, "'keras' is no device on a line")
    refused(planned("push", "a.npz", "--port", "keras"), 2, "ends with this verb")
    refused(planned("train", "-p", "keras", "--save-every", "2"), 2, "'keras' keeps nothing")
    refused(planned("train", "-p", "keras", "--port", "sim"), 2, "'keras' is no board on a line")
