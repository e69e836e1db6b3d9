"""Layouts under a budget, and what models of one space share."""

import math

import numpy as np
import pytest

from tinydream.codec.condense import _Job, _some
from tinydream.codec.deviation import Model
from tinydream.codec.layout import Budget, Layout, Space, _by_spread, _error, choose_layout
from tinydream.codec.represent import EntroGeDe
from tinydream.codec.tree import grow
from tinydream.inputs import Outputs


def table(n=700, d=6, classes=3, seed=0):
    """Rows (n, d) float32 whose columns spread differently, and labels."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n).astype(np.int32)
    centre = rng.normal(0, 2, (classes, d))
    return (centre[y] + rng.normal(0, rng.uniform(0.05, 2, d), (n, d))).astype(np.float32), y


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("total", [150, 400, 1500, 6000])
def test_no_width_is_nearer_than_the_one_that_was_chosen(seed, total):
    space = Space.of(*table(d=2 + 3 * seed, seed=seed), 3)
    d = space.Z.shape[1]
    budget = Budget(d, 20, 2, d, total)
    layout, tree = choose_layout(space, budget, "auto")
    widths = [np.array([bits], np.uint8) for bits in range(1, 9)]
    widths += [_by_spread(space, tree, budget, fineness) for fineness in (0.8, 1.2)]
    errors = [math.inf]
    for width in widths:
        if (rows := budget.rows(width)) >= 3:
            errors.append(_error(space, tree, Layout(width, min(rows, tree.leaves), 8)))
    assert _error(space, tree, layout) == min(errors)


def test_models_of_one_space_get_what_they_would_get_alone():
    X, y = table()
    job = _Job(EntroGeDe(budget_bytes=900), 3, Outputs(), 30)
    shared = job.space(X, y)
    models = [Model(), Model(noise=0.6), Model(spread="row"), Model(spread="class"), Model(rank=2)]
    for model in [*models, models[0]]:
        rows = job.rows(shared, None, model)
        assert rows.to_bytes() == job.rows(job.space(X, y), None, model).to_bytes()


def test_a_larger_tree_is_cut_to_the_same_leaves():
    X, y = table()
    space = Space.of(X, y, 3)
    small = grow(space.grid, space.label, space.scale, 40)
    large = grow(space.grid, space.label, space.scale, 200)
    for leaves in (3, 17, 40):
        assert np.array_equal(small.cut(leaves), large.cut(leaves))
    assert space.tree(200) is space.tree(40) and space.tree(201) is not None


def test_of_fewer_columns_more_rows_are_looked_at():
    options, y = EntroGeDe(budget_bytes=2048), np.repeat([0, 1], [290_000, 10_000])
    wide, narrow = (_some(len(y), columns, y, 2, options) for columns in (784, 10))
    assert len(wide) < len(narrow) <= 1 << 17 < len(y)
    assert (1 << 23) // 784 - 2 <= len(wide) <= (1 << 23) // 784
    for rows in (wide, narrow):  # each class its share
        assert abs(np.mean(y[rows]) - 1 / 30) < 1e-3 and (np.diff(rows) > 0).all()
    many = _some(len(y), 10, y, 2, EntroGeDe(budget_bytes=40_000))
    assert len(narrow) < len(many) <= 32 * 8_000
    assert _some(1000, 10, y[:1000], 2, options) == slice(None)
