"""How much each bit of a table tells: its entropy, and the order in which bits are taken."""

import numpy as np
import pytest

from tinydream import _core
from tinydream.codec.bits import bit_entropy, count_bits, order_bits


def counted(values):
    """Bits one by one, most significant first."""
    wide, size = values.astype(np.uint64), 8 * values.dtype.itemsize
    return np.array(
        [[int(((wide[:, j] >> np.uint64(b)) & np.uint64(1)).sum()) for b in reversed(range(size))]
         for j in range(values.shape[1])]
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
@pytest.mark.parametrize("shape", [(1, 1), (15, 3), (16, 8), (17, 9), (333, 5)])
def test_bits_are_counted_exactly_whatever_the_shape(dtype, shape):
    rng = np.random.default_rng(shape)
    values = rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    assert np.array_equal(count_bits(values), counted(values))


@pytest.mark.parametrize("n", [65503, 65504, 65505, 65519, 65521, 140000])
def test_counters_are_emptied_before_they_run_over(n):
    values = np.full((n, 2), [0xFF, 0x81], np.uint8)
    assert count_bits(values).tolist() == [[n] * 8, [n, 0, 0, 0, 0, 0, 0, n]]


def test_strided_and_big_endian_tables_count_the_same():
    values = np.random.default_rng(0).integers(0, 65536, (100, 6), np.uint16)
    assert np.array_equal(count_bits(values[::2, ::3]), counted(values[::2, ::3]))
    assert np.array_equal(count_bits(values.astype(">u2")), counted(values))


def test_no_rows_have_no_bits():
    assert count_bits(np.empty((0, 2), np.uint8)).tolist() == [[0] * 8] * 2


def test_entropy_is_0_for_constant_bits_and_1_for_fair_ones():
    values = np.array([[0b1010_0001], [0b1010_0000], [0b1010_0000], [0b1010_0011]], np.uint8)
    quarter = -0.25 * np.log2(0.25) - 0.75 * np.log2(0.75)
    assert bit_entropy(values)[0].tolist() == [0, 0, 0, 0, 0, 0, quarter, 1.0]


def test_bits_are_taken_by_entropy_but_never_before_a_more_significant_one():
    entropy = np.array([[0.0, 0.9, 0.1, 0.5], [0.2, 0.0, 0.3, 1.0]])
    expected = [(1, 0), (1, 2), (0, 1), (0, 2), (0, 3), (1, 3)]
    assert order_bits(entropy).tolist() == [list(pair) for pair in expected]


def test_the_order_is_that_of_always_taking_the_least_next_bit():
    rng = np.random.default_rng(3)
    entropy = np.where(rng.random((7, 8)) < 0.3, 0, rng.integers(1, 5, (7, 8)) / 4)
    left = {j: list(np.flatnonzero(entropy[j])) for j in range(7)}
    taken = []
    while any(left.values()):
        j = min((j for j in left if left[j]), key=lambda j: (entropy[j, left[j][0]], j))
        taken.append([j, left[j].pop(0)])
    assert order_bits(entropy).tolist() == taken


def test_the_kernel_refuses_buffers_of_another_size():
    counts = np.zeros((2, 8), np.int64)
    with pytest.raises(ValueError, match="rows has 6 bytes; 4 items of 2 bytes are needed"):
        _core.bit_counts(np.zeros((3, 2), np.uint8), 4, 2, 1, counts)
    with pytest.raises(ValueError, match="counts has 128 bytes"):
        _core.bit_counts(np.zeros((3, 3), np.uint8), 3, 3, 1, counts)
    with pytest.raises(ValueError, match="sizes must be in 1"):
        _core.bit_counts(np.zeros((3, 2), np.uint8), 0, 2, 1, counts)
    counts.setflags(write=False)
    with pytest.raises((BufferError, ValueError)):
        _core.bit_counts(np.zeros((3, 2), np.uint8), 3, 2, 1, counts)
