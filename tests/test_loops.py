"""Loops in C against the same in NumPy: columns, the lattice, grids, blocks of rows on threads."""

import numpy as np
import pytest

from tinydream import _core
from tinydream.codec.bits import count_bits
from tinydream.codec.quantise import dequantise, fit_grid, quantise
from tinydream.codec.threads import each_block
from tinydream.codec.tree import grow
from tinydream.inputs import f8_decode

F = np.float32


@pytest.mark.parametrize("n, d", [(1, 1), (7, 3), (1000, 5), (130, 64), (9, 70)])
def test_columns_are_measured_whatever_is_missing(n, d):
    rng = np.random.default_rng(n)
    rows, about = rng.standard_normal((n, d)).astype(F), rng.standard_normal(d).astype(F)
    rows[rng.random((n, d)) < 0.1] = np.nan
    low, high = np.empty(d, F), np.empty(d, F)
    total, square, missing = np.empty(d), np.empty(d), np.empty(d, np.int64)
    _core.measure_columns(rows, about, n, d, low, high, total, square, missing)
    apart = rows.astype(float) - about
    assert np.array_equal(low, np.where(np.isnan(rows), np.inf, rows).min(axis=0))
    assert np.array_equal(high, np.where(np.isnan(rows), -np.inf, rows).max(axis=0))
    assert np.array_equal(missing, np.isnan(rows).sum(axis=0))
    assert np.allclose(total, np.nansum(apart, axis=0), rtol=1e-12, atol=1e-12)
    assert np.allclose(square, np.nansum(apart**2, axis=0), rtol=1e-12)


def test_the_lattice_rounds_to_the_nearest_and_to_even():
    rows = np.random.default_rng(0).uniform(-3, 5, (301, 7)).astype(F)
    rows[:9] = np.arange(9)[:, None] / 2
    low, factor = np.full(7, -3.0), np.append(np.full(6, 8000.0), 1.0)
    grid = np.empty(rows.shape, np.uint16)
    _core.to_lattice(rows, low, factor, *rows.shape, grid)
    assert np.array_equal(grid, np.rint((rows - low) * factor))


@pytest.mark.parametrize("width", [1, 2, 4, 8, 12, 16])
def test_of_the_grids_that_are_tried_the_one_that_errs_least_is_chosen(width):
    rng = np.random.default_rng(width)
    values = rng.standard_normal((200, 1)) * 3 + 1
    weight, bits = rng.integers(1, 50, 200).astype(float), np.array([width], np.uint8)

    def error(low, step):
        apart = values - dequantise(quantise(values, low, step, bits), low, step, bits)
        return float(weight @ (apart * apart)[:, 0])

    levels, unit = 2.0**width, 2.0 ** max(0, width - 7)
    table = f8_decode(np.arange(256, dtype=np.uint8)).astype(float)
    cover, tried = np.searchsorted(table, np.ptp(values) / levels), []
    for code in range(cover - 10, cover + 3):
        middle = (values.max() + values.min()) / 2 / table[code] - (levels - 1) / 2
        for start in np.floor(middle / unit), np.ceil(middle / unit):
            low = np.array([start.clip(-128, 127)], np.int8)
            tried.append(error(low, np.array([code], np.uint8)))
    assert error(*fit_grid(values, weight, bits)) <= min(tried) * (1 + 1e-4)


def test_a_width_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"width\[0\] is 17; it must be in 1..16"):
        fit_grid(np.zeros((3, 1)), np.ones(3), np.array([17], np.uint8))


@pytest.mark.parametrize("count", ["1", "3"])
def test_blocks_cover_all_rows_in_order(count, monkeypatch):
    monkeypatch.setenv("TINYDREAM_THREADS", count)
    assert each_block(lambda rows: (rows.start, rows.stop), 10, 4) == [(0, 4), (4, 8), (8, 10)]


@pytest.mark.parametrize("columns", [3, 16, 200])
def test_bits_and_trees_do_not_depend_on_threads(columns, monkeypatch):
    rng = np.random.default_rng(columns)
    grid = rng.integers(0, 65536, (3000, columns)).astype(np.uint16)
    labels = (np.arange(3000) % 2).astype(np.int32)
    made = []
    for count in ("1", "2", "7"):
        monkeypatch.setenv("TINYDREAM_THREADS", count)
        tree = grow(grid, labels, np.ones(columns), 40)
        made.append((count_bits(grid).tolist(), tree.leaf.tolist(), tree.error.tolist()))
    assert made[0] == made[1] == made[2]
