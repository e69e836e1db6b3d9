"""The stream of drawn rows: the C core against the oracle, with ==, and against its own rules."""

import numpy as np
import oracle_rows
import pytest
from plans import random_rows

from tinydream import _core
from tinydream.rows import f8_decode


def drawn(rows, seed, first_pass, n):
    x, y = _core.rows_draw(rows.to_bytes(), seed, first_pass, n)
    return np.frombuffer(x, np.float32).reshape(n, -1), np.frombuffer(y, np.int32)


def any_rows(seed, **kinds):
    rng = np.random.default_rng(seed)
    columns, classes = int(rng.integers(1, 24)), int(rng.integers(1, 12))
    return random_rows(rng, columns, classes, **kinds)


@pytest.mark.parametrize("seed", range(80))
def test_the_core_draws_the_rows_of_the_oracle_bit_for_bit(seed):
    rows = any_rows(seed)
    n = 2 * rows.rows + 3  # two passes and a bit
    key = int(np.random.default_rng(seed).integers(2**32))
    x, y = drawn(rows, key, 5, n)
    expected, labels = oracle_rows.draw(rows, key, 5, n)
    assert x.tobytes() == expected.tobytes()
    assert np.array_equal(y, labels)


@pytest.mark.parametrize("seed", range(10))
def test_a_pass_visits_each_representative_as_often_as_it_weighs(seed):
    rows = any_rows(seed, dreamt=False, most=20, rich=False)
    x, y = drawn(rows, seed, 0, rows.rows)
    points, labels = oracle_rows.decode(rows)
    weight, count = np.array(rows.levels).T
    expected = np.repeat(np.column_stack([points, labels]), np.repeat(weight, count), axis=0)
    got = np.column_stack([x, y.astype(np.float32)])
    assert sorted(got.tolist()) == sorted(expected.astype(np.float32).tolist())


def test_passes_come_in_other_orders():
    rows = any_rows(4)
    orders = [oracle_rows.tickets(oracle_rows.order(7, p), 100).tolist() for p in range(3)]
    assert all(sorted(each) == list(range(100)) for each in orders)
    assert orders[0] != orders[1] != orders[2]
    assert not np.array_equal(drawn(rows, 7, 0, 50)[0], drawn(rows, 7, 1, 50)[0])


def test_the_normal_table_is_symmetric_and_has_the_stated_variance():
    assert np.array_equal(oracle_rows.Z, -oracle_rows.Z[::-1])
    assert np.mean(oracle_rows.Z**2.0) == 1929.546875
    assert abs(np.sqrt(1929.546875) * 0.0227652453 - 1) < 1e-8


def test_8_bit_floats_are_as_specified():
    codes = np.arange(256, dtype=np.uint8)
    assert np.array_equal(f8_decode(codes), oracle_rows.f8(codes))
