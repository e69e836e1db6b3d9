"""Learning one row at a time, among drawn ones: the C core against the oracle, with ==."""

from dataclasses import replace

import numpy as np
import oracle
import oracle_inputs
import pytest
from plans import gentle, random_plan
from test_core import drawer

from tinydream.errors import FirmwareError, InputError
from tinydream.simulator import Simulator
from tinydream.training import Knobs

F = np.float32


def some_rows(plan, rng, count):
    """Raw rows (count, features), some values missing, and their classes or targets."""
    raw = rng.normal(scale=4, size=(count, plan.inputs.raw_columns)).astype(F)
    raw[rng.random(raw.shape) < 0.1] = np.nan
    if plan.rows.targets:
        return raw, rng.normal(size=(count, plan.rows.targets)).astype(F)
    return raw, rng.integers(0, len(plan.classes), count)


def of_the_network(plan, y):
    """What the network's outputs should be for this y."""
    if plan.rows.targets:
        return (y - plan.outputs.shift[None]) / plan.outputs.scale[None]
    return y


def learn(trainer, x, y, draw, mix, rate):
    """One row (1, inputs) that nobody drew, and `mix` drawn ones. Its loss; if it was right."""
    plan = trainer.plan
    rest = (plan.loss, plan.delta)
    grads, loss, right = oracle.gradients(plan.layers, trainer.pairs, x, y, *rest)
    if plan.gradients:
        if mix:
            grads = oracle.gradients(plan.layers, trainer.pairs, *draw(mix), *rest, grads)[0]
        trainer._update(grads, trainer._clipped(grads, F(1) / F(mix + 1)), F(rate))
        return loss[0], right
    trainer._update(grads, F(1), F(rate))
    for _ in range(mix):
        trainer._update(
            oracle.gradients(plan.layers, trainer.pairs, *draw(1), *rest)[0], F(1), F(rate)
        )
    return loss[0], right


@pytest.mark.parametrize("seed", range(30))
def test_a_learnt_row_moves_the_weights_as_the_oracle_says(seed):
    plan, rng = replace(random_plan(seed), keep_best=False), np.random.default_rng(seed)
    rate = float(F(rng.uniform(0.001, 0.05) * gentle(plan)))
    knobs = Knobs(epochs=2, rate=rate, seed=seed, weights_seed=seed + 1, epoch_rows=11)
    raw, y = some_rows(plan, rng, 4)
    mix = int(rng.integers(0, 9))
    simulator, draw = Simulator(plan), drawer(plan, knobs.seed)
    simulator.train(**knobs.as_dict())
    trainer = oracle.Trainer(plan, knobs.weights_seed)
    for _ in range(knobs.epochs):
        trainer.epoch(draw, 11, F(rate))
    assert simulator.weights.tobytes() == trainer.weights.tobytes()
    x, t = oracle_inputs.apply_inputs(plan.inputs, raw), of_the_network(plan, y)
    seen = [learn(trainer, x[i : i + 1], t[i : i + 1], draw, mix, rate) for i in range(4)]
    got = simulator.learn(raw, y, mix)
    assert simulator.weights.tobytes() == trainer.weights.tobytes()
    assert (got.rows, got.correct) == (4, sum(right for _, right in seen))
    assert got.loss == float(np.array([loss for loss, _ in seen], F).mean())


def test_rows_that_nobody_can_learn_are_refused_and_move_nothing():
    plan = random_plan(0)
    simulator = Simulator(plan)
    raw, y = some_rows(plan, np.random.default_rng(0), 2)
    with pytest.raises(FirmwareError, match="start first"):
        simulator.learn(raw, y)
    simulator.train(epochs=1, rate=1e-6)
    before = simulator.pull()
    for bad in (np.full_like(y, 99), np.full_like(y, -1)) if not plan.rows.targets else ():
        with pytest.raises(FirmwareError, match="out of range"):
            simulator.learn(raw, bad)
    with pytest.raises(InputError, match="rows need"):
        simulator.learn(raw[:, 1:], y)
    with pytest.raises(InputError, match="each row needs"):
        simulator.learn(raw, y[:1])
    assert simulator.pull().tobytes() == before.tobytes()


def test_learning_one_row_again_and_again_learns_it():
    plan = next(p for p in map(random_plan, range(99)) if p.classes and p.loss == "cross_entropy")
    simulator = Simulator(plan)
    raw, y = some_rows(plan, np.random.default_rng(1), 1)
    simulator.train(epochs=3, rate=0.02)
    for _ in range(300):
        last = simulator.learn(raw, y, 2)
    assert last.correct == 1 and simulator.predict(raw)[0] == y[0]
