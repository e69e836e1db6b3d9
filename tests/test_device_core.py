"""A device with the real core, as a process: whatever is asked, the simulator's numbers."""

import numpy as np
import pytest
from bridge_double import FAST, compiled
from plans import gentle, random_plan
from test_learn import some_rows
from test_windows import late_plan

from tinydream.bridge import Device, ProcessLink
from tinydream.errors import FirmwareError
from tinydream.simulator import Simulator
from tinydream.training import Knobs

PLANS = (0, 3, 8, 11)  # batches and single rows, classes and targets, with and without validation


@pytest.fixture(scope="module", params=(*PLANS, "late"))
def plan(request):
    return late_plan(1, 6) if request.param == "late" else random_plan(request.param)


@pytest.fixture(scope="module")
def program(plan, tmp_path_factory):
    return compiled(plan, tmp_path_factory.mktemp("device"))


@pytest.fixture
def device(plan, program):
    with Device.open(ProcessLink([program]), **FAST) as device:
        device.expect(plan)
        yield device


def test_training_pausing_stepping_and_learning_come_to_the_simulator_s_weights(plan, device):
    raw, y = some_rows(plan, np.random.default_rng(5), 3)
    knobs = Knobs(epochs=2, rate=1e-4 * gentle(plan), seed=3, epoch_rows=40)
    simulator = Simulator(plan)
    simulator.train(**knobs.as_dict())
    device.start(knobs)
    device.watch()
    assert device.pull().tobytes() == simulator.pull().tobytes()
    assert device.learn(raw, y).correct == simulator.learn(raw, y).correct
    device.set(mix=5)
    assert device.learn(raw, y).correct == simulator.learn(raw, y, 5).correct
    assert device.pull().tobytes() == simulator.pull().tobytes()


def test_predictions_and_pushed_weights_are_the_simulator_s(plan, device):
    rng = np.random.default_rng(6)
    raw, y = some_rows(plan, rng, 4)
    simulator = Simulator(plan)
    weights = rng.normal(size=plan.parameters).astype(np.float32)
    simulator.push(weights)
    device.push(weights)
    assert device.predict(raw).tobytes() == simulator.predict(raw).tobytes()
    if plan.task == "classification":
        assert device.predict_proba(raw).tobytes() == simulator.predict_proba(raw).tobytes()
        assert device.judge(raw, y).correct == int((simulator.predict(raw) == y).sum())


def test_validation_rows_and_representatives_are_the_plan_s(plan, device):
    assert device.pull_rows(len(plan.rows.bits)) == plan.rows.bits.tobytes()
    if plan.validation is None:
        with pytest.raises(FirmwareError, match="TD_EARG"):
            device.evaluate()
    else:
        seen = []
        device.train(epochs=1, rate=1e-4, epoch_rows=20, on_metrics=seen.append)
        got = device.evaluate()
        assert (got.rows, got.correct) == (seen[0].valid_rows, seen[0].valid_correct)
        assert got.loss == seen[0].valid_loss
