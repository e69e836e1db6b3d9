"""Columns to unsigned integers and back, exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinydream.codec.grid import Grid
from tinydream.errors import DataError

INTEGERS = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "?"]
FLOATS = ["f2", "f4", "f8"]


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def shapes():
    return hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)


@given(st.sampled_from(INTEGERS).flatmap(lambda kind: hnp.arrays(kind, shapes())))
@settings(max_examples=150, deadline=None)
def test_integers_come_back(X):
    grid = Grid.fit(X)
    assert same_bits(grid.decode(grid.encode(X)), X)


@given(st.sampled_from(FLOATS), shapes(), st.data())
@settings(max_examples=200, deadline=None)
def test_any_bit_pattern_of_a_float_comes_back(kind, shape, data):
    """NaN payloads, -0.0, subnormals and infinities are patterns like others."""
    X = data.draw(hnp.arrays(f"u{kind[1]}", shape)).view(kind)
    grid = Grid.fit(X)
    assert same_bits(grid.decode(grid.encode(X)), X)


@given(
    st.sampled_from(FLOATS),
    hnp.arrays(np.int32, shapes(), elements=st.integers(-(10**6), 10**6)),
    st.integers(0, 9),
)
@settings(max_examples=150, deadline=None)
def test_decimals_come_back(kind, integers, decimals):
    with np.errstate(over="ignore"):  # inf is a number like others
        X = (integers / 10.0**decimals).astype(kind)
    grid = Grid.fit(X)
    assert same_bits(grid.decode(grid.encode(X)), X)


def test_decimals_are_seen_and_need_few_bits():
    X = np.array([[21.5, 0.001], [22.25, 0.003], [20.0, 0.002]])
    grid = Grid.fit(X)
    assert [(c.kind, c.decimals, c.low, c.bits) for c in grid.columns] == [
        ("decimal", 2, 2000, 8),
        ("decimal", 3, 1, 2),
    ]
    assert grid.encode(X)[8].tolist() == [[150, 0], [225, 2], [0, 1]]


def test_each_width_has_its_own_array():
    X = np.array([[0, 0, 0, 0], [255, 256, 70000, 2**40]])
    grid = Grid.fit(X)
    encoded = grid.encode(X)
    assert {w: a.dtype.itemsize * 8 for w, a in encoded.items()} == {8: 8, 16: 16, 32: 32, 64: 64}
    assert {w: list(c) for w, c in grid.groups.items()} == {8: [0], 16: [1], 32: [2], 64: [3]}


def test_minus_zero_is_not_a_decimal():
    X = np.array([[0.0], [-0.0], [1.5]])
    grid = Grid.fit(X)
    assert grid.columns[0].kind == "float"
    assert same_bits(grid.decode(grid.encode(X)), X)


def test_floats_keep_their_order_as_integers():
    X = np.array([-np.inf, -1.1, -1e-310, -0.0, 0.0, 1e-320, np.pi, np.inf]).reshape(-1, 1)
    encoded = Grid.fit(X).encode(X)[64]
    assert (np.diff(encoded[:, 0].astype(object)) > 0).all()


def test_wide_integers_keep_all_their_bits():
    X = np.array([[-(2**63)], [2**63 - 1], [0]])
    grid = Grid.fit(X)
    assert grid.encode(X)[64][:, 0].tolist() == [0, 2**64 - 1, 2**63]
    assert same_bits(grid.decode(grid.encode(X)), X)


def test_a_constant_column_needs_no_bits():
    assert Grid.fit(np.full((5, 1), 7)).columns[0].bits == 0


def test_other_rows_pass_if_they_fit_and_are_refused_if_not():
    grid = Grid.fit(np.array([[10], [200]]))
    assert grid.decode(grid.encode(np.array([[17]]))).tolist() == [[17]]
    for value in (9, 10 + 256, -(2**60)):
        with pytest.raises(DataError, match="column 0 has values outside"):
            grid.encode(np.array([[value]]))


def test_rows_of_another_kind_are_refused():
    grid = Grid.fit(np.zeros((2, 2)))
    with pytest.raises(
        DataError, match="this grid was fitted to 2 columns of float64: fit another"
    ):
        grid.encode(np.zeros((2, 3)))
    with pytest.raises(DataError, match="rows are int64"):
        grid.encode(np.zeros((2, 2), int))


@pytest.mark.parametrize("X", [np.zeros((0, 3)), np.zeros(3), np.zeros((3, 0))])
def test_a_table_without_rows_or_columns_is_refused(X):
    with pytest.raises(DataError, match="at least one each"):
        Grid.fit(X)


def test_what_is_no_number_is_refused():
    with pytest.raises(DataError, match="dtype complex128; booleans, integers and floats"):
        Grid.fit(np.zeros((2, 2), complex))
