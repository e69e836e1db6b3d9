"""Inputs: robust scales, gaps, expanded categories, and the lattice that the tree splits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinydream.codec import EntroGeDe
from tinydream.codec.scale import apply_inputs, exact_units, fit_inputs, fit_outputs, lattice
from tinydream.errors import DataError, InputError

RNG = np.random.default_rng(0)


def columns(n=2000, d=4):
    return RNG.normal(0, 1, (n, d)) * [1, 30, 0.1, 5] + [0, 4000, 2, -7]


# ---- outliers ----


def test_gross_outliers_do_not_move_a_scale():
    X = columns()
    clean = fit_inputs(X)
    X[5, 1], X[9, 1] = 7e5, -7e5
    spoilt = fit_inputs(X)
    assert spoilt.gain.tolist() == clean.gain.tolist()
    assert np.allclose(spoilt.shift, clean.shift, atol=1)
    Z = spoilt.apply(X)
    assert Z[5, 1] == 16 and Z[9, 1] == -16 and abs(Z[:, 1].std() - 1) < 0.5


def test_a_second_mode_of_over_1_percent_is_no_outlier():
    X = columns()
    X[:100, 1] = 7e5
    assert fit_inputs(X).gain[1] < -15, "its spread is that of both modes"


def test_a_column_without_quartiles_takes_its_mean_and_standard_deviation():
    X = columns()
    X[:, 2] = np.arange(2000) % 10 == 0
    inputs = fit_inputs(X)
    assert inputs.shift[2] == np.float32(0.1) and inputs.gain[2] == 2


def test_outliers_take_no_bits_from_a_column():
    X, y = columns(), np.arange(2000) % 2
    X[:, 1] += 20 * y
    spoilt = X.copy()
    spoilt[[3, 8], 1] = 1e6, 2e6
    for rows in (X, spoilt):
        reps = EntroGeDe(budget_bytes=1500, projection="none").fit(rows, y).representatives_
        weight = reps.weight / reps.weight.sum()
        apart = [np.average(reps.X[reps.y == k, 1], weights=weight[reps.y == k]) for k in (0, 1)]
        assert apart[1] - apart[0] == pytest.approx(20 / 32, abs=0.2)


# ---- gaps ----


def test_statistics_are_those_of_the_values_that_are_there():
    X = columns()
    holes = X.copy()
    holes[RNG.random(X.shape) < 0.1] = np.nan
    inputs = fit_inputs(holes)
    assert np.allclose(inputs.shift, np.nanmean(holes, axis=0), rtol=1e-5)
    assert len(inputs.fill) == 0, "a column's own shift is its mean, which is 0"
    assert (apply_inputs(inputs, holes)[np.isnan(holes)] == 0).all()


def test_a_shared_scale_keeps_a_fill_for_each_column():
    X = RNG.normal(0, 1, (500, 6)) + np.arange(6) / 4
    X[::7, 2] = np.nan
    inputs = fit_inputs(X)
    assert len(inputs.shift) == 1 and len(inputs.fill) == 6
    mean = (np.nanmean(X, axis=0) - inputs.shift) * np.exp2(inputs.gain)
    assert np.allclose(inputs.fill, mean, atol=1e-5)
    assert np.allclose(apply_inputs(inputs, X)[::7, 2], mean[2], atol=1e-5)


def test_fills_are_counted_in_the_budget():
    X, y = RNG.normal(0, 1, (3000, 6)), np.arange(3000) % 2
    X[::7, 2] = np.nan
    reps = EntroGeDe(budget_bytes=900).fit(X, y).representatives_
    assert len(reps.inputs.fill) == 6 and 900 - reps.rows.row_bits / 8 < reps.nbytes <= 900
    assert reps.nbytes == len(b"".join(reps.inputs.tables().values())) + reps.rows.nbytes


def test_a_column_without_any_value_is_left_out():
    X = columns()
    X[:, 3] = np.nan
    assert fit_inputs(X).kept.tolist() == [True, True, True, False]
    with pytest.raises(DataError, match="all 4 columns are constant"):
        fit_inputs(X * np.nan)


# ---- categories ----


def test_codes_become_an_input_each():
    X = columns()
    X[:, 1] = np.arange(2000) % 3
    X[::50, 1] = np.nan
    inputs = fit_inputs(X, one_hot=(1,))
    assert inputs.expand.tolist() == [0, 3, 0, 0] and inputs.columns == 6
    Z = apply_inputs(inputs, X)
    share = np.bincount(X[:, 1][~np.isnan(X[:, 1])].astype(int)) / 1960
    assert np.allclose(inputs.shift[1:4], share) and inputs.gain[1:4].tolist() == [0, 0, 0]
    assert np.allclose(Z[1:3, 1:4], np.eye(3)[[1, 2]] - share, atol=1e-6)
    assert (Z[0, 1:4] == 0).all(), "missing: the mean"


def test_expansions_are_counted_in_the_budget_and_can_be_shared_when_it_is_tight():
    X, y = columns(), np.arange(2000) % 2
    X[:, 1] = np.arange(2000) % 7
    for budget in (190, 2000):
        reps = EntroGeDe(budget_bytes=budget, one_hot=(1,)).fit(X, y).representatives_
        assert reps.inputs.columns == 10 and reps.nbytes <= budget
        assert len(reps.inputs.shift) == (1 if budget == 190 else 10)


@pytest.mark.parametrize(
    ("one_hot", "message"),
    [
        ((4,), r"one_hot names column 4; there are columns 0..3"),
        ((0,), r"one_hot names column 0, which does not hold codes 0..254; leave it out"),
    ],
)
def test_what_cannot_be_expanded_is_refused(one_hot, message):
    with pytest.raises(InputError, match=message):
        EntroGeDe(one_hot=one_hot).fit(columns(), np.arange(2000) % 2)


# ---- lattice and outputs ----


def test_whole_numbers_are_split_as_they_are():
    X = RNG.integers(-40, 60_000, (500, 3)).astype(float) * [1, 1, 0.5] + [0, 0, 0.25]
    inputs = fit_inputs(X)
    grid, scale = lattice(apply_inputs(inputs, X), exact_units(X, inputs))
    assert np.array_equal(grid[:, :2], X[:, :2] - X[:, :2].min(axis=0))
    assert np.ptp(grid[:, 2]) == 65535
    assert scale[0] == np.exp2(2.0 * inputs.gain[0])


@given(st.integers(1, 4), st.floats(1e-3, 1e6), st.floats(-100, 100))
def test_outputs_come_back_in_raw_units(targets, scale, shift):
    y = (np.random.default_rng(1).normal(size=(50, targets)) + shift) * scale
    outputs = fit_outputs(y)
    scaled = (y - outputs.shift) / outputs.scale
    assert np.allclose(scaled.mean(axis=0), 0, atol=1e-4) and np.allclose(scaled.std(axis=0), 1)
    assert np.allclose(scaled * outputs.scale + outputs.shift, y)
