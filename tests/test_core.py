"""The C core against the oracle, with ==, and against finite differences."""

import dataclasses

import numpy as np
import oracle
import oracle_inputs
import oracle_rows
import pytest
from plans import gentle, random_plan

from tinydream import _core
from tinydream.errors import InputError
from tinydream.plan import Optimizer
from tinydream.simulator import Simulator
from tinydream.training import SCHEDULES, Knobs

F = np.float32


def core_math(name, x):
    return np.frombuffer(_core.math(name, np.ascontiguousarray(x, F)), F)


def drawer(plan, seed):
    """The stream of drawn rows, from the C core; test_rows.py holds that against the oracle."""
    at = 0

    def draw(n):
        nonlocal at
        x, y, _ = _core.rows_draw(plan.rows.to_bytes(), seed, 0, at + n)
        x = np.frombuffer(x, F).reshape(-1, plan.rows.columns)[at:]
        at += n
        if plan.rows.soft_bits:
            return x, oracle_rows.drawn_targets(plan.rows, seed, at)[-n:]
        if plan.rows.targets:
            return x[:, : -plan.rows.targets], x[:, -plan.rows.targets :]
        return x, np.frombuffer(y, np.int32)[-n:]

    return draw


def validation_of(plan):
    """Inputs and labels or targets of the plan's validation rows, or None."""
    if plan.validation is None:
        return None
    x, y = oracle_rows.decode(plan.validation)
    targets = plan.rows.targets
    return (x[:, :-targets], x[:, -targets:]) if targets else (x, y)


@pytest.mark.parametrize("name, first, last", [("exp", 0, 2**32), ("log", 0x800000, 0x7F800000)])
def test_exp_and_log_equal_the_oracle_and_stay_within_two_ulp(name, first, last):
    """Every 1009th float there is; for log, every 499th normal positive one."""
    x = np.arange(first, last, 1009 if name == "exp" else 499, np.uint32).view(F)
    got = core_math(name, x)
    with np.errstate(all="ignore"):
        number = ~np.isnan(x)
        assert np.array_equal(got[number], getattr(oracle, name)(x[number]))
        assert np.isnan(got[~number]).all()
        inside = (x > -87) & (x < 88) if name == "exp" else x > 0
        truth = getattr(np, name)(x[inside].astype(float))
        assert (np.abs(got[inside] - truth) / np.spacing(np.abs(truth).astype(F))).max() < 2


def test_exp_and_log_of_extremes():
    got = core_math("exp", [-np.inf, -88, np.nan, 0, 88, 1e9, np.inf])
    assert got[0] == 0 and got[1] == 0 and np.isnan(got[2]) and got[3] == 1
    assert np.isfinite(got[4]) and got[4] == got[5] == got[6]
    assert core_math("log", [1])[0] == 0 and np.isnan(core_math("log", [np.nan])[0])


@pytest.mark.parametrize(("name", "ulp"), [("tanh", 3), ("sigmoid", 4)])
def test_tanh_and_sigmoid_equal_the_oracle_and_stay_within_a_few_ulp(name, ulp):
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(size=200_000), rng.uniform(-86, 86, 200_000)])
    x = np.concatenate([x, x * 1e-3, x * 1e-20, [0, 0.625, -0.625, 100, -100, 1e30]]).astype(F)
    got = core_math(name, x)
    assert np.array_equal(got, getattr(oracle, name)(x))
    wide = x.astype(np.longdouble)
    truth = np.tanh(wide) if name == "tanh" else 1 / (1 + np.exp(-wide))
    error = np.abs(got - truth) / np.spacing(np.abs(truth).astype(F))
    assert error[np.abs(x) < 87].max() < ulp
    assert np.isnan(core_math(name, [np.nan])).all()


@pytest.mark.parametrize("name", ["sqrt", "sqrt_portable"])
def test_square_root_is_correctly_rounded_for_every_kind_of_float(name):
    bits = np.random.default_rng(2).integers(0, 0x7F800001, 500_000, dtype=np.uint32)
    edges = np.array([0, 1, 2, 0x7FFFFF, 0x800000, 0x7F7FFFFF, 0x7F800000], np.uint32)
    x = np.concatenate([bits, edges, np.arange(0x3F800000, 0x3F900000, 7, np.uint32)]).view(F)
    assert np.array_equal(core_math(name, x), np.sqrt(x))
    assert np.array_equal(core_math(name, [-1, -0.0]), [0, 0])


@pytest.mark.parametrize("seed", range(60))
def test_training_equals_the_oracle_bit_for_bit(seed):
    plan = random_plan(seed)
    rng = np.random.default_rng(seed)
    knobs = Knobs(
        epochs=int(rng.integers(2, 6)),
        rate=float(F(rng.uniform(0.001, 0.05) * gentle(plan))),
        seed=int(rng.integers(2**32)),
        weights_seed=int(rng.integers(2**32)),
        epoch_rows=int(rng.choice([0, 7, 61])),
        schedule=str(rng.choice(list(SCHEDULES))),
        every=int(rng.integers(1, 3)),
        factor=float(F(rng.uniform())),
        patience=int(rng.integers(0, 3)) if plan.validation else 0,
    )
    simulator = Simulator(plan)
    history = simulator.train(**knobs.as_dict())
    told, weights = oracle.train(plan, knobs, drawer(plan, knobs.seed), validation_of(plan))
    assert [dataclasses.astuple(metrics)[:-1] for metrics in history] == told
    assert simulator.weights.tobytes() == weights.tobytes()


def test_initial_weights_equal_the_oracle_and_their_bounds():
    plan = random_plan(3)
    pairs = oracle.initial_weights(plan.layers, 99)
    expected = np.concatenate([p.ravel() for pair in pairs for p in pair])
    got = Simulator(plan, weights_seed=99).weights
    assert got.tobytes() == expected.astype(F).tobytes()
    assert np.abs(got).max() <= max(layer.limit for layer in plan.layers)


@pytest.mark.parametrize("seed", range(200))
def test_the_arena_that_python_plans_is_the_arena_that_c_uses(seed):
    plan = random_plan(seed)
    assert _core.arena_bytes(plan.to_bytes()) == plan.arena_bytes


@pytest.mark.parametrize("seed", range(8))
def test_the_slice_is_a_matter_of_memory_and_never_of_bits(seed):
    plan = dataclasses.replace(random_plan(seed), batch=13, slice=1)
    weights = set()
    for rows in (1, 2, 5, 13):
        simulator = Simulator(dataclasses.replace(plan, slice=rows))
        simulator.train(epochs=2, rate=0.01 * gentle(plan))
        weights.add(simulator.weights.tobytes())
    assert len(weights) == 1


FORMULAS = {
    "relu": lambda x, _: np.maximum(x, 0),
    "relu6": lambda x, _: np.clip(x, 0, 6),
    "leaky_relu": lambda x, slope: np.where(x > 0, x, slope * x),
    "tanh": lambda x, _: np.tanh(x),
    "sigmoid": lambda x, _: 1 / (1 + np.exp(-x)),
}


def loss64(plan, pairs, x, y):
    """Mean loss in float64: nothing but the formula."""
    activations = oracle.between(plan.layers)
    for i, (w, b) in enumerate(pairs):
        x = x @ w.T + b
        if i + 1 < len(pairs):
            x = FORMULAS[activations[i].kind](x, activations[i].limit)
    if plan.loss == "huber":
        e = np.abs(x - y)
        return float(np.mean(np.where(e < plan.delta, e**2 / 2, plan.delta * (e - plan.delta / 2))))
    if plan.loss == "mse":
        return float(np.mean((x - y) ** 2))
    if plan.loss == "bce":
        t = y[:, 1] if y.ndim > 1 else y
        return float(np.mean(np.log1p(np.exp(x[:, 0])) - t * x[:, 0]))
    x = x - x.max(1, keepdims=True)
    t = y if y.ndim > 1 else np.eye(x.shape[1])[y]
    return float(np.mean(np.log(np.exp(x).sum(1)) - (t * x).sum(1)))


@pytest.mark.parametrize("seed", range(12))
def test_gradients_agree_with_finite_differences(seed):
    plan = random_plan(seed)
    rows = plan.rows.rows
    plan = dataclasses.replace(plan, optimizer=Optimizer("sgd"), batch=rows, slice=1)
    simulator = Simulator(plan)
    # biases that are not 0, so that no unit sits on the kink of its ReLU
    simulator.push(np.random.default_rng(seed).normal(0, 0.4, plan.parameters))
    before = simulator.weights.astype(float)
    x, y = drawer(plan, 0)(rows)
    rate = 2.0**-6
    simulator.train(epochs=1, rate=rate, seed=0, fresh=False)
    gradient = (before - simulator.weights.astype(float)) / rate

    def loss_at(flat):
        pairs = oracle.pairs_of(plan.layers, flat)
        return loss64(plan, pairs, x.astype(float), y)

    scale, moves = max(1.0, np.abs(gradient).max()), oracle.moving(plan.layers)
    assert not gradient[~moves].any()
    moves = np.flatnonzero(moves)
    for i in np.random.default_rng(seed).choice(moves, min(60, len(moves)), False):
        step = np.zeros_like(before)
        step[i] = 1e-6
        slope = (loss_at(before + step) - loss_at(before - step)) / 2e-6
        assert abs(slope - gradient[i]) < 3e-4 * scale


@pytest.mark.parametrize("seed", range(30))
def test_inputs_and_predictions_equal_the_oracle_s(seed):
    plan = random_plan(seed)
    rng = np.random.default_rng(seed)
    raw = rng.choice([*range(5), np.nan, 1e9, -1e9, 0.3], (20, plan.inputs.raw_columns)).astype(F)
    x = oracle_inputs.apply_inputs(plan.inputs, raw)
    assert plan.inputs.apply(raw).tobytes() == x.tobytes()
    simulator = Simulator(plan)
    simulator.push(rng.normal(0, 0.3, plan.parameters))
    z = oracle.forward(plan.layers, oracle.pairs_of(plan.layers, simulator.weights), x)[1]
    if plan.loss == "bce":
        assert np.array_equal(simulator.predict(raw), z[:, 0] > 0)
        p = 1 / (1 + np.exp(-z.astype(float)))
        assert np.allclose(simulator.predict_proba(raw), np.hstack([1 - p, p]), atol=1e-6)
    elif plan.task == "classification":
        assert np.array_equal(simulator.predict(raw), z.argmax(1))
        e = oracle.exp(z - z.max(1)[:, None])
        assert np.allclose(simulator.predict_proba(raw), e / e.sum(1)[:, None], atol=1e-6)
    else:
        y = z * plan.outputs.scale + plan.outputs.shift
        assert simulator.predict(raw).tobytes() == y.astype(F).tobytes()


@pytest.mark.parametrize("seed", range(10))
def test_a_batch_of_one_without_gradients_is_a_batch_of_one_with_them(seed):
    plan = dataclasses.replace(random_plan(seed), optimizer=Optimizer("sgd"), batch=1, slice=1)
    assert not plan.gradients
    rate = float(F(0.01 * gentle(plan)))
    simulator = Simulator(plan)
    simulator.train(epochs=1, rate=rate)
    trainer = oracle.Trainer(plan, 0)
    trainer.epoch(drawer(plan, 0), plan.rows.rows, rate)
    assert simulator.weights.tobytes() == trainer.weights.tobytes()


def test_weights_pushed_are_the_weights_pulled():
    plan = random_plan(4)
    simulator = Simulator(plan)
    weights = np.arange(plan.parameters, dtype=F)
    simulator.push(weights)
    assert np.array_equal(simulator.pull(), weights)
    with pytest.raises(InputError, match=f"{plan.parameters} parameters"):
        simulator.push(weights[:-1])


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_plan_is_refused_or_harmless_never_a_crash(seed):
    good = random_plan(seed, most_rows=6).to_bytes()
    rng = np.random.default_rng(seed)
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= 1 << rng.integers(8)
        device = _core.sim_new(bytes(bad), 0)
        if not isinstance(device, int):
            _core.sim_start(device, 0, 1, 5, 0.01, 0, 1, 0.0, 0)
            _core.sim_steps(device, 3)
    for size in range(len(good)):
        assert _core.sim_new(good[:size], 0) < 0
