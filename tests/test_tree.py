"""The base tree and the Lloyd passes, against the same written slowly in NumPy."""

import numpy as np
import pytest

from tinydream import _core
from tinydream.codec.threads import threads
from tinydream.codec.tree import grow, leaf_sums, lloyd
from tinydream.errors import BudgetError, InputError


class NaiveLeaf:
    """One leaf: its rows, its squared error, and the bit it would be split on."""

    def __init__(self, grid, scale, rows):
        self.rows, n = rows, len(rows)
        values = grid[rows].astype(np.int64)
        norms = np.cumsum(scale * (values * values).astype(float), axis=1)[:, -1]
        error = np.cumsum(norms)[-1]
        total = values.sum(axis=0).astype(float)
        for j in range(grid.shape[1]):
            error = error - scale[j] * (total[j] * total[j] / n)
        self.column, best = None, -1.0
        for j in range(grid.shape[1]):
            differ = int(np.bitwise_or.reduce(values[:, j]) ^ np.bitwise_and.reduce(values[:, j]))
            if differ == 0:
                continue
            mask = 1 << (differ.bit_length() - 1)
            one = values[:, j] & mask != 0
            n1, s1 = float(one.sum()), float(values[one, j].sum())
            n0, s0 = n - n1, total[j] - s1
            gain = scale[j] * (n0 * n1 / n) * (s1 / n1 - s0 / n0) ** 2
            if gain > best:
                best, self.column, self.mask = gain, j, mask
        self.error = max(error, 0.0) if self.column is not None else 0.0


def naive_tree(grid, labels, scale, wanted):
    """(leaf of each row, parents, errors) by the rules of tree.grow's docstring."""
    leaves = [NaiveLeaf(grid, scale, np.flatnonzero(labels == c)) for c in range(labels.max() + 1)]
    parents = [-1] * len(leaves)
    errors = list(np.cumsum([leaf.error for leaf in leaves]))
    total = errors[-1]
    while len(leaves) < wanted:
        able = [k for k, leaf in enumerate(leaves) if leaf.column is not None]
        if not able:
            break
        k = max(able, key=lambda k: (leaves[k].error, -k))
        old = leaves[k]
        one = grid[old.rows, old.column] & old.mask != 0
        leaves[k] = NaiveLeaf(grid, scale, old.rows[~one])
        leaves.append(NaiveLeaf(grid, scale, old.rows[one]))
        parents.append(k)
        total = total - old.error
        total = total + (leaves[k].error + leaves[-1].error)
        errors.append(max(total, 0.0))
    leaf = np.empty(len(grid), np.int32)
    for k, each in enumerate(leaves):
        leaf[each.rows] = k
    return leaf, parents, errors


def table(seed, n, d, top, classes):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % classes).astype(np.int32)
    grid = rng.integers(0, rng.integers(1, top, d) + 1, (n, d)).astype(np.uint16)
    return grid, labels, rng.random(d) + 0.1


CASES = [(0, 60, 1, 9, 1), (1, 200, 5, 16, 3), (2, 150, 3, 65535, 2), (3, 300, 20, 4, 7)]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("wanted", [7, 40, 10_000])
def test_the_tree_is_the_one_of_the_slow_way(case, wanted):
    grid, labels, scale = table(*case)
    leaf, parents, errors = naive_tree(grid, labels, scale, min(wanted, len(grid)))
    tree = grow(grid, labels, scale, wanted)
    assert tree.parent.tolist() == parents
    assert np.array_equal(tree.leaf, leaf)
    assert tree.error.tolist() == errors


def test_among_equal_errors_the_older_leaf_and_among_equal_gains_the_first_column_is_split():
    one = np.random.default_rng(5).integers(0, 16, (40, 2)).astype(np.uint16)
    grid = np.repeat(np.hstack([one, one]), 3, axis=0)  # three equal classes, columns in pairs
    labels, scale = np.tile(np.arange(3, dtype=np.int32), 40), np.ones(4)
    for wanted in range(3, 40):
        leaf, parents, _ = naive_tree(grid, labels, scale, wanted)
        tree = grow(grid, labels, scale, wanted)
        assert tree.parent.tolist() == parents and np.array_equal(tree.leaf, leaf)
        assert tree.parent[3:4].tolist() in ([], [0])


def test_a_tree_cut_at_m_is_the_tree_grown_to_m():
    grid, labels, scale = table(*CASES[1])
    tree = grow(grid, labels, scale, 120)
    for leaves in range(3, tree.leaves + 1):
        assert np.array_equal(tree.cut(leaves), grow(grid, labels, scale, leaves).leaf)
    with pytest.raises(ValueError, match=r"leaves is 2; this tree has 3\.\."):
        tree.cut(2)


def test_a_leaf_never_mixes_classes_and_none_is_empty():
    grid, labels, scale = table(*CASES[3])
    leaf = grow(grid, labels, scale, 50).cut(33)
    assert np.bincount(leaf).tolist() == np.unique(leaf, return_counts=True)[1].tolist()
    assert all(len(set(labels[leaf == k])) == 1 for k in range(33))


def test_the_tree_stops_when_all_rows_of_a_leaf_are_equal():
    grid, labels = np.repeat(np.arange(5, dtype=np.uint16), 20).reshape(-1, 1), np.zeros(100, int)
    tree = grow(grid, labels.astype(np.int32), np.ones(1), 50)
    assert tree.leaves == 5 and tree.error[-1] == 0


def test_sums_of_many_large_values_do_not_run_over():
    grid = np.full((140_000, 1), 65535, np.uint16)
    grid[:70_000] = 65534
    tree = grow(grid, np.zeros(140_000, np.int32), np.ones(1), 2)
    assert np.bincount(tree.leaf).tolist() == [70_000, 70_000]


def test_fewer_leaves_than_classes_are_refused():
    grid, labels, scale = table(*CASES[3])
    with pytest.raises(BudgetError, match="6 representatives cannot stand for 7 classes"):
        grow(grid, labels, scale, 6)


def naive_pass(rows, labels, leaf, leaves):
    """One Lloyd pass: all means first, then row by row; the last row of a leaf stays."""
    rows = rows.astype(float)
    means = np.array([rows[leaf == k].mean(axis=0) for k in range(leaves)])
    home = np.array([labels[leaf == k][0] for k in range(leaves)])
    count, leaf = np.bincount(leaf, minlength=leaves), leaf.copy()
    for i, row in enumerate(rows):
        apart = ((row - means) ** 2).sum(axis=1)
        apart[home != labels[i]] = np.inf
        best = int(apart.argmin())
        if count[leaf[i]] > 1 and apart[best] < apart[leaf[i]]:
            count[leaf[i]] -= 1
            count[best] += 1
            leaf[i] = best
    return leaf


@pytest.mark.parametrize("d", [1, 3, 8, 33, 70])
@pytest.mark.parametrize("passes", [1, 3])
def test_lloyd_moves_each_row_to_the_nearest_mean_of_its_class(d, passes):
    rng = np.random.default_rng(d)
    labels = (np.arange(240) % 3).astype(np.int32)
    rows = rng.standard_normal((240, d)).astype(np.float32)
    expected = leaf = (labels + 3 * rng.integers(0, 12, 240)).astype(np.int32)
    leaf, expected = (np.unique(x, return_inverse=True)[1].astype(np.int32) for x in (leaf, leaf))
    leaves = int(leaf.max()) + 1
    for _ in range(passes):
        expected = naive_pass(rows, labels, expected, leaves)
    assert np.array_equal(lloyd(rows, labels, leaf, leaves, passes), expected)


@pytest.mark.parametrize("threads", ["1", "2", "5"])
def test_lloyd_looks_through_many_tiles_and_rings_whatever_its_threads(threads, monkeypatch):
    monkeypatch.setenv("TINYDREAM_THREADS", threads)
    rng = np.random.default_rng(9)
    rows = rng.standard_normal((3000, 5)).astype(np.float32)
    rows[::50] *= 30  # such rows have to look through all tiles
    labels = (np.arange(3000) % 2).astype(np.int32)
    leaf = (labels + 2 * (np.arange(3000) % 300 // 2)).astype(np.int32)
    stress = np.array([1, 2, 0.5, 0, 3])
    expected = leaf
    for _ in range(2):
        expected = naive_pass(rows * stress.astype(np.float32), labels, expected, 300)
    assert np.array_equal(lloyd(rows, labels, leaf, 300, 2, stress), expected)


@pytest.mark.parametrize("given", ["0", "65", "two"])
def test_threads_out_of_range_are_refused(given, monkeypatch):
    monkeypatch.setenv("TINYDREAM_THREADS", given)
    with pytest.raises(InputError, match=f"TINYDREAM_THREADS is '{given}'; it must be in 1..64"):
        threads()
    monkeypatch.delenv("TINYDREAM_THREADS")
    assert 1 <= threads() <= 64


def test_lloyd_without_passes_changes_nothing_and_never_touches_its_input():
    rows, labels = np.random.default_rng(0).random((20, 2), np.float32), np.zeros(20, np.int32)
    leaf = (np.arange(20) % 4).astype(np.int32)
    before = leaf.copy()
    assert np.array_equal(lloyd(rows, labels, leaf, 4, 0), before)
    lloyd(rows, labels, leaf, 4, 5)
    assert np.array_equal(leaf, before)


def test_sums_and_counts_are_those_of_the_rows():
    rows, leaf = (
        np.arange(12, dtype=np.float32).reshape(6, 2),
        np.array([0, 1, 0, 2, 2, 2], np.int32),
    )
    total, count = leaf_sums(rows, leaf, 4)
    assert total.tolist() == [[4, 6], [2, 3], [24, 27], [0, 0]] and count.tolist() == [2, 1, 3, 0]


def test_sums_of_a_cut_tree_are_merged_from_those_of_the_whole():
    grid, labels, scale = table(*CASES[3])
    tree, rows = grow(grid, labels, scale, 120), grid.astype(np.float32)
    sums, counts = leaf_sums(rows, tree.leaf, tree.leaves)
    for leaves in (7, 8, 50, tree.leaves):
        cut = leaf_sums(rows, tree.cut(leaves), leaves)
        merged = tree.merge(leaves, sums, counts)
        assert np.array_equal(merged[0], cut[0]) and np.array_equal(merged[1], cut[1])


def test_the_kernels_refuse_what_would_leave_their_buffers():
    grid, labels, scale = table(*CASES[1])
    out = np.zeros(200, np.int32), np.zeros(9, np.int32), np.zeros(9)
    with pytest.raises(ValueError, match=r"labels\[0\] is 5; it must be in 0..2"):
        _core.grow_tree(grid, labels * 0 + 5, scale, 200, 5, 3, 9, 1, *out)
    with pytest.raises(ValueError, match="wanted is 2; it must be at least classes, 3"):
        _core.grow_tree(grid, labels, scale, 200, 5, 3, 2, 1, *out)
    with pytest.raises(ValueError, match="scale has 40 bytes; 6 items of 8"):
        _core.grow_tree(np.zeros((200, 6), np.uint16), labels, scale, 200, 6, 3, 9, 1, *out)
    rows, leaf = np.zeros((200, 5), np.float32), np.full(200, 4, np.int32)
    with pytest.raises(ValueError, match=r"leaf\[0\] is 4; it must be in 0..3"):
        _core.move_rows(rows, labels, np.ones(5, np.float32), 200, 5, 3, 4, 1, 1, leaf)
    with pytest.raises(ValueError, match=r"leaf\[0\] is 4; it must be in 0..3"):
        _core.sum_leaves(rows, leaf, 200, 5, 4, np.zeros((4, 5)), np.zeros(4, np.int64))
