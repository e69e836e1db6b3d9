"""The losses of one row, against the oracle and against their formulas; and what a weight means."""

import dataclasses

import numpy as np
import oracle
import pytest
from plans import random_plan, random_rows

from tinydream import _core
from tinydream.errors import InputError
from tinydream.network import SGD, Adam, Dense, Network, Relu, Sigmoid, Softmax
from tinydream.plan import LOSSES, Optimizer
from tinydream.simulator import Simulator

F = np.float32
NONE = np.zeros(0, F)


def core_loss(loss, z, target=NONE, label=0, delta=0.0):
    """One row: loss, right or not, gradient."""
    told = _core.loss(LOSSES[loss], delta, np.array(z, F), np.array(target, F), int(label))
    return F(told[0]), told[1], np.frombuffer(told[2], F)


def outputs(rng, n, k):
    """Ordinary ones, and ones far outside of what exp can tell apart."""
    return (rng.normal(size=(n, k)) * 10.0 ** rng.uniform(-3, 3, (n, 1))).astype(F)


@pytest.mark.parametrize("k", [1, 2, 3, 10, 37])
def test_hard_and_soft_cross_entropy_equal_the_oracle(k):
    rng = np.random.default_rng(k)
    z, y = outputs(rng, 200, k), rng.integers(0, k, 200)
    codes = rng.integers(0, 16, (200, k)) + np.eye(k, dtype=int)[y]
    t = codes.astype(F) * (F(1) / codes.sum(1).astype(F))[:, None]
    d, losses, right = oracle.softmax_loss(z, y)
    soft, soft_losses, _ = oracle.soft_loss(z, t)
    hits = 0
    for i in range(len(z)):
        loss, hit, gradient = core_loss("cross_entropy", z[i], label=y[i])
        assert loss == losses[i] and np.array_equal(gradient, d[i])
        hits += hit
        loss, hit, gradient = core_loss("cross_entropy", z[i], t[i], y[i])
        assert loss == soft_losses[i] and np.array_equal(gradient, soft[i])
        assert hit == (z[i].argmax() == y[i])
    assert hits == right


def test_a_soft_target_that_is_all_one_class_is_a_hard_one():
    rng = np.random.default_rng(5)
    for z in outputs(rng, 100, 6):
        one = core_loss("cross_entropy", z, np.eye(6)[4], 4)
        other = core_loss("cross_entropy", z, label=4)
        assert one[:2] == other[:2] and np.array_equal(one[2], other[2])


def test_binary_cross_entropy_equals_the_oracle_and_overflows_nowhere():
    rng = np.random.default_rng(6)
    z = np.concatenate([outputs(rng, 300, 1)[:, 0], [0, -0.0, 87, -87, 89, -89, 3e38, -3e38]])
    y = rng.integers(0, 2, len(z))
    d, losses, _ = oracle.bce_loss(z.astype(F)[:, None], y)
    for i, value in enumerate(z):
        loss, hit, gradient = core_loss("bce", [value], label=y[i])
        assert loss == losses[i] and gradient[0] == d[i, 0] and np.isfinite(loss)
        assert hit == ((value > 0) == y[i])


@pytest.mark.parametrize("loss", ["mse", "huber"])
@pytest.mark.parametrize("k", [1, 3, 20])
def test_losses_of_targets_equal_the_oracle(loss, k):
    rng = np.random.default_rng(k)
    z, y = outputs(rng, 100, k), outputs(rng, 100, k)
    d, losses, _ = oracle.row_losses(loss, z, y, 0.7)
    for i in range(len(z)):
        value, right, gradient = core_loss(loss, z[i], y[i], delta=0.7)
        assert (value, right) == (losses[i], 0) and np.array_equal(gradient, d[i])


FORMULAS = {
    "cross_entropy": lambda z, t: np.log(np.exp(z).sum()) - t @ z,
    "bce": lambda z, t: np.log1p(np.exp(z[0])) - t[1] * z[0],
    "mse": lambda z, t: np.mean((z - t) ** 2),
    "huber": lambda z, t: np.mean(
        np.where(abs(z - t) < 0.7, (z - t) ** 2 / 2, 0.7 * abs(z - t) - 0.245)
    ),
}


@pytest.mark.parametrize("loss", FORMULAS)
def test_each_loss_and_its_gradient_agree_with_the_formula_and_its_slope(loss):
    rng = np.random.default_rng(7)
    for _ in range(100):
        k = 1 if loss == "bce" else int(rng.integers(2, 8))
        z, t = rng.normal(0, 2, k).astype(F), rng.normal(0, 2, k).astype(F)
        if loss in ("cross_entropy", "bce"):
            t = rng.dirichlet(np.ones(max(k, 2))).astype(F)
        value, _, gradient = core_loss(loss, z, t, delta=0.7)
        z, t, formula = z.astype(float), t.astype(float), FORMULAS[loss]
        assert abs(value - formula(z, t)) < 1e-5
        for j, step in enumerate(np.eye(k) * 1e-6):
            slope = (formula(z + step, t) - formula(z - step, t)) / 2e-6
            assert abs(slope - gradient[j]) < 1e-5


def test_what_is_no_number_stays_one():
    for loss in LOSSES:
        k = 1 if loss == "bce" else 3
        for j in range(k):
            z = np.zeros(k)
            z[j] = np.nan
            target = NONE if loss in ("cross_entropy", "bce") else np.zeros(k)
            assert np.isnan(core_loss(loss, z, target, label=0, delta=1.0)[0])


@pytest.mark.parametrize("seed", range(6))
def test_a_weight_of_w_gives_the_gradient_of_w_copies(seed):
    """Representatives are drawn as often as they weigh: one pass as one batch, against one of
    as many rows written out.
    """
    plan = dataclasses.replace(random_plan(seed), validation=None, keep_best=False)
    old, classes = plan.rows, max(len(plan.classes), 2)
    rows = random_rows(
        np.random.default_rng(seed), old.columns, classes, targets=old.targets, dreamt=False
    )
    width = rows.row_bits
    flat = np.unpackbits(rows.bits, bitorder="little")[: rows.count * width].reshape(-1, width)
    weights = np.repeat(*np.array(rows.levels).T)
    copies = np.packbits(np.repeat(flat, weights, axis=0).ravel(), bitorder="little")
    written = dataclasses.replace(rows, levels=((1, int(weights.sum())),), bits=copies)
    assert weights.sum() > rows.count and written.rows == rows.rows
    plain = dataclasses.replace(plan, optimizer=Optimizer("sgd"), batch=rows.rows, slice=1)
    moved = []
    for each in (rows, written):
        simulator = Simulator(dataclasses.replace(plain, rows=each))
        simulator.train(epochs=1, rate=2.0**-9)
        moved.append(simulator.weights.tobytes())
    assert moved[0] == moved[1]


def test_losses_that_contradict_their_network_are_refused():
    with pytest.raises(InputError, match="Sigmoid .* a Dense of 1 unit, not 3"):
        Network([Dense(3), Sigmoid()])
    with pytest.raises(InputError, match="Huber loss is for regression"):
        Network([Dense(3), Softmax()], huber=1.0)
    with pytest.raises(InputError, match="delta of a Huber loss .* not -1"):
        Network([Dense(3)], huber=-1)
    with pytest.raises(InputError, match="not Dense, Sigmoid, Dense, Relu"):
        Network([Dense(1), Sigmoid(), Dense(1), Relu()])
    for optimizer in (SGD, Adam):
        with pytest.raises(InputError, match="clip must be a finite number"):
            optimizer(clip=-1)
        with pytest.raises(InputError, match="decay must lie in 0..1, not 2"):
            optimizer(decay=2)


def test_the_core_refuses_a_loss_that_contradicts_the_layers():
    plans = [random_plan(seed) for seed in range(60)]
    assert {plan.loss for plan in plans} == set(LOSSES)
    for plan in plans:
        data = bytearray(plan.to_bytes())
        at = data.index(b"NETW") + 8 + 1
        for loss in range(6):
            data[at] = loss
            same_task = {loss, LOSSES[plan.loss]} == {2, 4}
            fits = loss == LOSSES[plan.loss] or same_task and (loss == 2 or plan.delta > 0)
            assert (_core.arena_bytes(bytes(data)) > 0) == fits
