"""Validation rows: kept back from training, packed for the device, and what they decide there."""

import dataclasses

import numpy as np
import oracle_rows
import pytest
from plans import random_plan
from verbs import refused

from tinydream import load_board, load_data
from tinydream.codec import EntroGeDe
from tinydream.codec.baseline import all_rows, random_rows, validation_rows
from tinydream.errors import InputError
from tinydream.network import SGD, Network
from tinydream.plan import Plan
from tinydream.planner import make_plan
from tinydream.run import Run
from tinydream.simulator import Simulator
from tinydream.source import carve


def table(path, n=900, seed=0):
    """Three classes in four columns, as a CSV."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    X = rng.normal(0, 1, (n, 4)) + np.eye(4)[y] * 2.5
    rows = [",".join([*(f"{v:.3f}" for v in x), "abc"[k]]) for x, k in zip(X, y, strict=True)]
    path.write_text("p,q,r,s,kind\n" + "\n".join(rows) + "\n")
    return path


def test_rows_kept_back_are_training_rows_that_are_not_condensed(tmp_path):
    data = load_data(table(tmp_path / "t.csv"))
    kept, valid = carve(data, 0.25, seed=3)
    assert len(valid.X) == pytest.approx(0.25 * len(data.X), abs=3)
    assert sorted([*kept.row, *valid.row]) == sorted(data.row)
    assert not np.isin(valid.row, data.row_test).any() and valid.X_test is data.X_test
    share = np.bincount(valid.y) / np.bincount(data.y)
    assert np.abs(share - 0.25).max() < 0.01
    again = carve(data, 0.25, seed=3)[1]
    assert np.array_equal(again.row, valid.row) and len(set(np.diff(valid.y))) > 1
    assert len(carve(data, 0.25, seed=4)[1].row) and len(carve(data, 0, seed=3)[1].row) == 0
    with pytest.raises(InputError, match=r"share of validation rows must lie in 0..0.5, not 0.7"):
        carve(data, 0.7, 0)


def test_whole_groups_are_kept_back_for_validation(tmp_path, verb):
    rng = np.random.default_rng(5)
    who, y, X = rng.integers(0, 12, 600), rng.integers(0, 2, 600), rng.normal(0, 1, (600, 4))
    y[who == 3] = 2  # a class of one person's
    np.savez(tmp_path / "t.npz", x=X + y[:, None], y=y, person=who)
    data = load_data(tmp_path / "t.npz", groups="person")
    for seed in range(12):
        kept, valid = carve(data, 0.25, seed)
        assert len(kept.groups) == len(kept.X) and len(valid.groups) == len(valid.X)
        assert not np.isin(valid.groups, kept.groups).any()
        assert 0.15 < len(valid.X) / len(data.X) < 0.35 and len(np.unique(kept.y)) == 3
        assert sorted([*kept.row, *valid.row]) == sorted(data.row)
    place, out = str(tmp_path / "t.npz"), ("-o", str(tmp_path / "run"))
    code, _, err = verb("compress", place, "--groups", "person", "--validation", "0.2", *out)
    assert (code, err) == (0, "")


@pytest.mark.parametrize("targets", [0, 2])
def test_validation_rows_are_packed_on_the_representatives_grid(targets):
    rng = np.random.default_rng(1)
    X = rng.normal(5, 2, (800, 6))
    y = X[:, :2] * 3 + 1 if targets else (X[:, 0] > 5).astype(int)
    reps = EntroGeDe(budget_bytes=1500).fit(X, y).representatives_
    rows = validation_rows(reps, X[:50], y[:50])
    assert rows.count == 50 and len(rows.sigma) == 0 and rows.levels == ((1, 50),)
    x, labels = oracle_rows.decode(rows)
    wanted = reps.inputs.apply(X[:50].astype(np.float32))
    if targets:
        wanted = np.hstack([wanted, (y[:50] - reps.outputs.shift) / reps.outputs.scale])
    else:
        assert np.array_equal(labels, y[:50])
    inside = np.abs(x - wanted) <= oracle_rows.f8(rows.step) / 2 + 1e-5
    assert inside.mean() > 0.95  # what lies beyond the grid is cut to it


def test_rows_beside_soft_targets_have_their_own_labels():
    rng = np.random.default_rng(4)
    y = rng.integers(0, 3, 600)
    X = rng.normal(0, 1, (600, 5)) + 2 * np.eye(5)[y]
    reps = EntroGeDe(budget_bytes=1200, soft=4).fit(X, y).representatives_
    assert reps.rows.soft_bits == 4 and reps.rows.label_bits == 0
    for rows in (all_rows(reps, X, y).rows, validation_rows(reps, X, y)):
        assert np.array_equal(oracle_rows.labels_of(rows), y)
    random = random_rows(reps, X, y, seed=0, bits=4)
    assert random.nbytes <= reps.nbytes and len(set(oracle_rows.labels_of(random.rows))) == 3


def test_a_run_ends_with_patience_and_with_the_best_weights():
    rng = np.random.default_rng(2)
    X = rng.normal(0, 1, (900, 5))
    y = (X[:, 0] * X[:, 1] + rng.normal(0, 0.8, 900) > 0).astype(int)
    reps = EntroGeDe(representatives=60, deviation=False).fit(X[:600], y[:600]).representatives_
    valid = validation_rows(reps, X[600:], y[600:])
    network, board = Network.mlp([24], 2, SGD(0.3)), load_board("native")
    runs = {}
    for keep in (False, True):
        plan = make_plan(reps, network, board=board, validation=valid, keep_best=keep)
        simulator = Simulator(plan)
        history = simulator.train(epochs=200, rate=0.3, patience=8)
        losses = [m.valid_loss for m in history]
        assert len(history) < 200 and history[-1].best == 1 + int(np.argmin(losses))
        assert len(history) - history[-1].best == 8 and history[-1].valid_rows == 300
        runs[keep] = simulator.weights
        best = Simulator(dataclasses.replace(plan, keep_best=False))
        best.train(epochs=history[-1].best, rate=0.3)
        assert (best.weights.tobytes() == simulator.weights.tobytes()) == keep
    assert runs[False].tobytes() != runs[True].tobytes()


def test_a_plan_with_validation_rows_survives_its_bytes_and_counts_them():
    plan = next(p for p in map(random_plan, range(40)) if p.validation and p.keep_best)
    again = Plan.from_bytes(plan.to_bytes())
    assert again == plan and again.validation.bits.tobytes() == plan.validation.bits.tobytes()
    without = dataclasses.replace(plan, validation=None, keep_best=False)
    assert plan.representative_bytes - without.representative_bytes == len(plan.validation.bits)
    assert plan.arena_bytes - without.arena_bytes == 4 * plan.moving


def test_what_needs_validation_rows_says_so():
    plan = next(p for p in map(random_plan, range(40)) if p.validation is None)
    with pytest.raises(InputError, match="patience needs validation rows .* --validation"):
        Simulator(plan).train(epochs=2, patience=1)


def test_from_the_command_line_to_the_report(tmp_path, verb):
    place, out = table(tmp_path / "t.csv"), ("-o", str(tmp_path / "run"))

    def well(*arguments):
        code, told, err = verb(*map(str, arguments), *out)
        assert (code, err) == (0, ""), err
        return told

    def bad(says, *arguments):
        refused(verb("plan", "--board", "native", *map(str, arguments), *out), 2, says)

    well("compress", place, "--validation", 0.2, "--budget-bytes", 600)
    wanted = ("--validation", 100, "--keep-best", "--patience", 3, "--train-last", 1)
    more = ("--schedule", "cosine", "--clip", 1, "--decay", 0.01)
    well("plan", "--board", "native", "--hidden", 12, *wanted, *more)
    assert "validation loss" in well("train", "--port", "sim", "--epochs", 30)
    made = Run(tmp_path / "run").plan()
    assert made.validation.count == 100 and made.keep_best
    assert [layer.train for layer in made.layers] == ["none", "all", "all", "all"]
    well("report")
    bad("500 validation rows were asked for, and compress kept", "--validation", 500)
    bad("validation rows found best", "--keep-best")
    bad("patience needs validation rows", "--patience", 2)
    bad("1..2 layers of this network can be trained, not 9", "--train-last", 9)
