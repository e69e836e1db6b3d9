"""How far a step goes: schedules, clipping, decay, and the guard against what is not finite."""

import dataclasses
import re

import numpy as np
import oracle
import pytest
from plans import random_plan

from tinydream.errors import FirmwareError, InputError
from tinydream.plan import Optimizer
from tinydream.simulator import Simulator
from tinydream.training import SCHEDULES, Knobs

F = np.float32


def first_step(plan, rate, **optimizer):
    """How one step over all rows moved the parameters, from the weights of seed 0."""
    plan = dataclasses.replace(plan, optimizer=Optimizer("sgd", **optimizer))
    plan = dataclasses.replace(plan, batch=plan.rows.rows, slice=1)
    simulator = Simulator(plan)
    before = simulator.weights.astype(float)
    simulator.train(epochs=1, rate=rate)
    return before, simulator.weights.astype(float) - before


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_starts_at_the_rate_and_ends_where_it_should(schedule):
    knobs = Knobs(epochs=40, rate=0.05, schedule=schedule, every=10, factor=0.2)
    rates = np.array(list(oracle.rates(knobs)))
    assert rates[0] == F(0.05) and rates.dtype == F
    epochs = np.arange(40)
    wanted = {
        "constant": 0.05 + 0 * epochs,
        "step": 0.05 * 0.2 ** (epochs // 10),
        "cosine": 0.05 * (0.2 + 0.8 * (1 + np.cos(np.pi * epochs / 40)) / 2),
    }
    assert np.allclose(rates, wanted[schedule], rtol=1e-6, atol=0)


def test_the_wave_is_exact_at_its_ends_and_close_between():
    u = np.linspace(0, 1, 10001).astype(F)
    got = np.array([oracle.half_wave(each) for each in u])
    assert (got[0], got[-1], got[5000]) == (1, 0, 0.5)
    assert np.abs(got - (1 + np.cos(np.pi * u.astype(float))) / 2).max() < 2e-7


@pytest.mark.parametrize("seed", range(10))
def test_a_long_gradient_is_shortened_to_the_clip_and_a_short_one_is_left_alone(seed):
    plan = random_plan(seed)
    _, free = first_step(plan, 2.0**-12)
    length = np.linalg.norm(free) * 2**12
    _, same = first_step(plan, 2.0**-12, clip=float(F(length * 1.01)))
    assert np.array_equal(free, same)
    _, cut = first_step(plan, 2.0**-12, clip=float(F(length / 3)))
    assert np.allclose(cut, free / 3, rtol=1e-3, atol=np.abs(free).max() * 1e-3)


def test_decay_takes_its_share_of_every_parameter_before_the_step():
    plan = random_plan(4)
    before, free = first_step(plan, 2.0**-10)
    _, moved = first_step(plan, 2.0**-10, decay=0.25)
    share = oracle.moving(plan.layers) * 2.0**-12
    assert np.allclose(moved, free - before * share, atol=1e-6)


def test_knobs_out_of_range_are_refused():
    for name, value in [("rate", 2e6), ("schedule", "linear"), ("factor", 1.5), ("every", 0)]:
        with pytest.raises(InputError, match=rf"{name}.*, not '?{re.escape(str(value))}"):
            Knobs(**{name: value})


def wild(plan, seed):
    """Train from weights far too large, or far too fast; whether the core ended it."""
    rng = np.random.default_rng(seed)
    simulator = Simulator(plan)
    simulator.push(rng.normal(size=plan.parameters) * 10.0 ** rng.uniform(-1, 37))
    try:
        simulator.train(epochs=12, rate=float(10.0 ** rng.uniform(-3, 6)), fresh=False)
    except FirmwareError as error:
        assert "TD_" not in str(error) and "not finite" in str(error)
        return simulator.weights, True
    return simulator.weights, False


def test_weights_stay_finite_whatever_happens():
    ended = 0
    for seed in range(300):
        weights, error = wild(random_plan(seed, most_rows=8), seed)
        assert np.isfinite(weights).all(), seed
        ended += error
    assert 100 < ended < 300


def test_a_step_that_is_refused_leaves_the_weights_of_the_step_before():
    plan = next(plan for plan in map(random_plan, range(30)) if plan.loss == "mse")
    plan = dataclasses.replace(plan, optimizer=Optimizer("sgd", 0.9), batch=1, slice=1)
    told = []
    simulator = Simulator(plan)
    with pytest.raises(FirmwareError, match="not finite"):
        simulator.train(epochs=50, rate=4, epoch_rows=1, on_metrics=told.append)
    again = Simulator(plan)
    again.train(epochs=len(told), rate=4, epoch_rows=1)
    assert told and again.weights.tobytes() == simulator.weights.tobytes()
