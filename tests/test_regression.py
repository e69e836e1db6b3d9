"""Representatives with targets: what is stored, what is drawn, what it is compared with."""

import numpy as np
import oracle_rows
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinydream import Adam, Network, Simulator, cli, load_board, make_plan
from tinydream.codec import EntroGeDe, all_rows, random_rows
from tinydream.errors import BudgetError, DataError
from tinydream.run import Run


def table(n=3000, d=4, targets=1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(0, 1, (n, d)) * np.geomspace(0.1, 100, d) + 5
    slope = rng.normal(0, 1, (d, targets)) / np.geomspace(0.1, 100, d)[:, None]
    y = np.tanh((X - 5) @ slope) * 40 + 300 + rng.normal(0, 2, (n, targets))
    return X, y


def fitted(X, y, **parameters):
    return EntroGeDe(**parameters).fit(X, y).representatives_


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("bits", ["auto", 5])
def test_targets_are_the_last_columns_of_a_row(targets, bits):
    X, y = table(targets=targets)
    reps = fitted(X, y, bits=bits, projection="none")
    assert (reps.rows.targets, reps.rows.columns, reps.rows.label_bits) == (targets, 4 + targets, 0)
    points, _ = oracle_rows.decode(reps.rows)
    assert reps.X.tobytes() == points[:, :4].tobytes()
    assert reps.y.dtype == np.float32 and reps.y.tobytes() == points[:, 4:].tobytes()
    assert (len(reps.classes), len(reps.sigma), len(reps.target_sigma)) == (0, 4, targets)
    assert np.allclose(reps.outputs.shift, y.mean(axis=0), rtol=1e-5)
    assert np.allclose(reps.outputs.scale, y.std(axis=0), rtol=1e-5)


@settings(deadline=None, max_examples=20)
@given(
    st.integers(400, 5000),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from(["auto", 1, 6, 16]),
)
def test_everything_is_counted_and_the_budget_is_used(budget, targets, deviation, bits):
    X, y = table(targets=targets)
    reps = fitted(X, y, budget_bytes=budget, deviation=deviation, bits=bits)
    units = {**reps.inputs.tables(), **reps.outputs.tables()}
    assert reps.nbytes == sum(map(len, units.values())) + reps.rows.nbytes <= budget
    assert len(reps.outputs.tables()["target_scale"]) == 4 * targets
    # one row more may need a level of weight more
    assert 8 * (budget - reps.nbytes - 8) < reps.rows.row_bits or reps.rows.count == len(X)


def test_a_plan_counts_the_same_bytes():
    X, y = table(targets=2)
    reps = fitted(X, y)
    network = Network.mlp([8], 2, Adam(), task="regression")
    plan = make_plan(reps, network, board=load_board("native"), targets=("u", "v"))
    assert plan.representative_bytes == reps.nbytes


def test_a_budget_for_no_row_is_refused_with_the_one_that_has():
    X, y = table()
    with pytest.raises(BudgetError, match=r"a row of 5 bits makes \d+ .* raise budget_bytes") as e:
        fitted(X, y, budget_bytes=20)
    need = int(str(e.value).split("raise budget_bytes to ")[1].split()[0])
    assert fitted(X, y, budget_bytes=need).rows.count >= 1


def test_rows_of_the_stream_are_those_of_the_oracle():
    X, y = table(targets=2)
    reps = fitted(X, y)
    x, t = reps.sample(5000, seed=4)
    expected, _ = oracle_rows.draw(reps.rows, 4, 0, 5000)
    assert np.column_stack([x, t]).tobytes() == expected.tobytes() and t.shape == (5000, 2)


def test_dreamt_rows_keep_means_spreads_and_the_slope():
    X, y = table(n=6000)
    reps = fitted(X, y, budget_bytes=8192, projection="none", noise=1.0)
    x, t = reps.sample(4 * reps.rows.rows)
    Z = reps.inputs.apply(X)
    real = np.column_stack([Z, (y - reps.outputs.shift) / reps.outputs.scale])
    dreamt = np.column_stack([x, t])
    assert np.allclose(dreamt.mean(axis=0), real.mean(axis=0), atol=0.03)
    assert np.allclose(dreamt.std(axis=0), real.std(axis=0), rtol=0.06)
    slopes = [np.linalg.lstsq(rows[:, :4], rows[:, 4], rcond=None)[0] for rows in (real, dreamt)]
    assert np.allclose(*slopes, atol=0.06)


def test_one_leaf_has_the_spread_of_all():
    X, y = table()
    reps = fitted(X, y, representatives=1, bits=16, projection="none", noise=1.0)
    assert reps.rows.count == 1 and np.allclose(reps.y, 0, atol=1e-3)
    assert np.allclose(reps.target_sigma, 1, rtol=0.07)


def test_whole_numbers_can_be_targets():
    X, y = table()
    reps = fitted(X, np.rint(y[:, 0]).astype(int), task="regression")
    assert reps.rows.targets == 1 and len(reps.classes) == 0


def test_missing_values_do_not_reach_the_rows():
    X, y = table()
    X[::9, 1] = np.nan
    reps = fitted(X, y)
    assert np.isfinite(reps.X).all() and np.isfinite(reps.sample(1000)[0]).all()


def test_the_comparisons_have_targets_too():
    X, y = table(targets=2)
    reps = fitted(X, y, projection="none")
    every, some = all_rows(reps, X, y), random_rows(reps, X, y, 3)
    raw = every.y * reps.outputs.scale + reps.outputs.shift
    assert np.allclose(raw, y, atol=0.01) and every.outputs is reps.outputs
    assert np.abs(every.X - reps.inputs.apply(X)).max() < 1e-3
    assert some.nbytes <= reps.nbytes and some.rows.targets == 2
    assert np.array_equal(some.rows.width, reps.rows.width)
    with pytest.raises(DataError, match="y has 1 targets and the representatives 2"):
        all_rows(reps, X, y[:, 0])


def test_a_network_learns_from_them_what_all_rows_tell():
    X, y = table()
    Xv, yv = table()[0][:500], y[:500]
    reps = fitted(X[500:], y[500:], budget_bytes=2048)
    plan = make_plan(
        reps, Network.mlp([16], 1, Adam(), task="regression"), board=load_board("native")
    )
    simulator = Simulator(plan)
    simulator.train(epochs=10, rate=3e-3)
    assert simulator.score(Xv, yv) > 0.9


def test_of_a_long_table_a_part_of_each_class_is_condensed(monkeypatch):
    monkeypatch.setattr("tinydream.codec.condense.MOST_ROWS", 1000)
    monkeypatch.setattr("tinydream.codec.condense.ROWS_EACH", 0)
    X, y = table(n=8000)
    labels = (np.arange(8000) % 40 == 0).astype(int)
    reps = fitted(X, labels, budget_bytes=800)
    assert abs(reps.rows.rows - 1000) < 30
    apart = np.abs(reps.inputs.shift - X.mean(axis=0)) / X.std(axis=0)
    assert (apart < 4 / np.sqrt(1000)).all()  # scales are of the same part
    rare = reps.weight[reps.y == 1].sum() / reps.weight.sum()
    assert rare == pytest.approx(1 / 40, abs=0.01)
    assert abs(fitted(X, y, budget_bytes=800).rows.rows - 1000) < 30


def test_the_verb_takes_task_and_categories_and_tells_what_was_decided(tmp_path, monkeypatch):
    monkeypatch.setattr("tinydream.codec.condense.MOST_ROWS", 200)
    monkeypatch.setattr("tinydream.codec.condense.ROWS_EACH", 0)
    lines = [f"{i},{'pqr'[i % 3]},{i % 4},{i % 5}" for i in range(400)]
    (tmp_path / "t.csv").write_text("\n".join(["a,kind,u,v", *lines]) + "\n", encoding="utf-8")
    run = str(tmp_path / "run")
    words = ["compress", str(tmp_path / "t.csv"), "--target", "u,v", "--categories", "codes"]
    assert cli._run([*words, "-o", run]) == 0
    facts = Run(run).read_json("compress.json")
    assert (facts["task"], facts["targets"], facts["scaled_inputs"]) == (
        "regression",
        ["u", "v"],
        2,
    )
    assert facts["columns"][1] == {
        "name": "kind",
        "kind": "category",
        "categories": ["p", "q", "r"],
        "coding": "codes",
    }
    assert facts["notes"][-1].startswith("a random part of the 320 rows, about ")
    assert cli._run([*words[:3], "u", "--task", "regression", "-o", run]) == 0
    facts = Run(run).read_json("compress.json")
    assert (facts["task"], facts["source"]["task"]) == ("regression", "regression")
    assert facts["options"]["task"] == "regression" and facts["scaled_inputs"] == 5
