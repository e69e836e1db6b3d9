"""How rows spread around representatives, against the rows themselves."""

import numpy as np
import pytest

from tinydream.codec import EntroGeDe
from tinydream.codec.deviation import NONE, Model, fit_deviations, haar_axes
from tinydream.codec.haar import haar_inverse
from tinydream.codec.layout import Space
from tinydream.codec.soft import soften
from tinydream.codec.tree import grow_global
from tinydream.codec.weights import repeats
from tinydream.errors import InputError, TinydreamError
from tinydream.inputs import f8_decode

UNIT = 0.0227652453  # 1 / spread of the device's normal table


def leaves(seed=0, n=4000, d=6, m=12, spread=None, mix=None):
    """Rows around m means: (space, leaf, mean, count, within)."""
    rng = np.random.default_rng(seed)
    leaf = rng.permutation(np.arange(n) % m).astype(np.int32)
    apart = rng.standard_normal((n, d)) @ (np.eye(d) if mix is None else mix)
    if spread is not None:
        apart *= spread[leaf][:, None]
    Z = (4 * rng.standard_normal((m, d))[leaf] + apart).astype(np.float32)
    label = (leaf % 3).astype(np.int32)
    space = Space.of(Z, label, 3)
    return space, leaf, *space.spread(leaf, m)


def residuals(space, leaf, mean):
    return space.Z - mean[leaf]


def test_sigma_is_the_spread_within_leaves():
    space, leaf, mean, count, within = leaves(mix=np.diag([1, 2, 0.5, 1, 1, 3]))
    fields, codes = fit_deviations(space, leaf, mean, count, within, Model(noise=0.5), 3)
    measured = residuals(space, leaf, mean).std(axis=0, ddof=len(count))
    assert np.allclose(f8_decode(fields["sigma"]), 0.5 * measured, rtol=0.07)
    assert set(fields) == {"sigma"} and not codes.any()


def test_no_noise_means_no_tables():
    fields, _ = fit_deviations(*leaves(), NONE, 3)
    assert len(fields["sigma"]) == 0 and NONE.nbytes(6, 0, 3) == 0 == NONE.row_bits


def test_factors_and_sigma_make_the_covariance_within_leaves():
    rng = np.random.default_rng(3)
    mix = np.diag(np.full(6, 0.5)) + np.outer([2, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0])
    space, leaf, mean, count, within = leaves(seed=int(rng.integers(9)), mix=mix)
    fields, _ = fit_deviations(space, leaf, mean, count, within, Model(rank=2), 3)
    F = fields["factors"] * f8_decode(fields["factor_scale"])[:, None] / UNIT
    model = F.T @ F + np.diag(f8_decode(fields["sigma"]).astype(float) ** 2)
    apart = residuals(space, leaf, mean)
    truth = apart.T @ apart / (len(apart) - len(count))
    assert np.abs(model - truth).max() < 0.12 * np.abs(truth).max()


@pytest.mark.parametrize("by", ["class", "row"])
def test_spreads_are_those_of_the_leaves(by):
    factor = np.array([0.5, 1.0, 2.0])[np.arange(12) % 3]
    space, leaf, mean, count, within = leaves(spread=factor)
    fields, codes = fit_deviations(space, leaf, mean, count, within, Model(spread=by), 3)
    spread = f8_decode(fields["spread"])
    found = spread[np.arange(12) % 3] if by == "class" else spread[codes]
    pooled = np.sqrt(np.mean(factor**2))
    assert np.allclose(found, factor / pooled, rtol=0.12)
    if by == "row":
        assert np.average(found**2, weights=count) == pytest.approx(1, rel=0.1), "as much in all"


def test_a_transform_keeps_the_spread_of_each_input():
    rng = np.random.default_rng(2)
    walk = np.cumsum(rng.standard_normal((8, 8)), axis=1) / 3
    space, leaf, mean, count, within = leaves(d=8, mix=walk)
    axes = haar_axes((8,))
    fields, _ = fit_deviations(space, leaf, mean, count, within, Model(axes=axes), 3)
    drawn = rng.standard_normal((40000, 8)) * f8_decode(fields["sigma"])
    drawn = haar_inverse(drawn, axes) * f8_decode(fields["correction"])
    measured = residuals(space, leaf, mean).std(axis=0, ddof=len(count))
    assert np.allclose(drawn.std(axis=0), measured, rtol=0.1)


def test_which_axes_are_transformed():
    assert haar_axes((50,)) == ((50, True),)
    assert haar_axes((50, 6)) == ((50, True), (6, False)), "a signal of six channels"
    assert haar_axes((8, 8)) == ((8, True), (8, True)), "an image"
    assert haar_axes((32, 32, 3)) == ((32, True), (32, True), (3, False))


OPTIONS = [
    {"spread": "class"},
    {"spread": "row"},
    {"rank": 3, "projection": "none"},
    {"shape": (4, 4), "projection": "none"},
    {"shape": (4, 4), "domain": "haar", "noise": 1.5},
    {"soft": 3},
    {"tree": "global"},
    {"noise": 0.5},
    {"spread": "row", "rank": 2, "soft": 2, "tree": "global", "projection": "pca"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("budget", [400, 1500])
def test_every_option_keeps_within_the_budget_and_can_be_drawn_from(options, budget):
    rng = np.random.default_rng(budget)
    y = rng.integers(0, 3, 600)
    X = rng.standard_normal((600, 16)) + y[:, None]
    reps = EntroGeDe(budget_bytes=budget, **options).fit(X, y).representatives_
    assert budget - 80 < reps.nbytes <= budget
    x, label = reps.sample(3000)
    assert np.isfinite(x).all() and set(label) <= {0, 1, 2}
    share = np.bincount(reps.y, reps.weight, 3) / reps.weight.sum()
    assert np.allclose(share, np.bincount(y) / 600, atol=0.05)


def test_the_domain_of_deviations_is_the_one_that_is_asked_for():
    rng = np.random.default_rng(7)
    y = rng.integers(0, 2, 300)
    X = rng.standard_normal((300, 16)) + y[:, None]
    for domain, kinds in (("inputs", {()}), ("haar", {((4, True), (4, True))})):
        codec = EntroGeDe(budget_bytes=500, shape=(4, 4), domain=domain).fit(X, y)
        assert {trial.model.axes for trial in codec.trials_} == kinds
        assert {codec.representatives_.rows.axes} == kinds


def test_soft_targets_are_the_teacher_s_and_keep_the_label():
    rng = np.random.default_rng(5)
    y = rng.integers(0, 2, 4000).astype(np.int32)
    Z = (rng.standard_normal((4000, 2)) + 0.7 * y[:, None]).astype(np.float32)
    leaf = (2 * (Z[:, 0] > 0.35) + y).astype(np.int32)  # a side, then the class
    codes = soften(Z, y, 2, leaf, 4)
    assert codes.argmax(axis=1).tolist() == [0, 1, 0, 1] and codes.max() == 15
    other = codes[[0, 1, 2, 3], [1, 0, 1, 0]]
    assert other[1] > other[0] and other[2] > other[3], "doubt where the other class lives"


def slow_masks(grid, labels, wanted):
    """Groups of equal (label, masked row) when one more bit at a time is taken, round by round."""
    vary = np.bitwise_or.reduce(grid) ^ np.bitwise_and.reduce(grid)
    places = [[b for b in range(15, -1, -1) if v >> b & 1] for v in vary.astype(int)]
    mask, best = np.zeros(grid.shape[1], np.uint16), None
    for turn in range(16):
        for column, bits in enumerate(places):
            if turn < len(bits):
                mask[column] |= np.uint16(1 << bits[turn])
                key = np.column_stack([labels, grid & mask])
                groups = np.unique(key, axis=0, return_inverse=True)[1].ravel()
                if groups.max() + 1 > wanted:
                    return best
                best = groups
    return best


@pytest.mark.parametrize("seed", range(5))
def test_one_mask_for_all_splits_as_equal_rows_do(seed):
    rng = np.random.default_rng(seed)
    grid = rng.integers(0, 1 << int(rng.integers(2, 7)), (300, 3)).astype(np.uint16)
    labels = rng.permutation(np.arange(300) % 3).astype(np.int32)
    groups = slow_masks(grid, labels, 40)
    tree = grow_global(grid, labels, 40)
    assert tree.leaves == 40
    whole = tree.cut(int(groups.max()) + 1)
    pairs = np.unique(np.column_stack([groups, whole]), axis=0)
    assert len(pairs) == groups.max() + 1, "the same partition, where whole bits were taken"


def test_rows_may_be_had_without_a_target():
    X = np.random.default_rng(0).standard_normal((500, 5))
    codec = EntroGeDe(budget_bytes=300).fit(X)
    reps = codec.representatives_
    assert len(codec.classes_) == 0 and 200 < reps.nbytes <= 300 and not reps.y.any()
    assert reps.sample(5000)[0].mean() == pytest.approx(codec.transform(X).mean(), abs=0.1)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"projection": "lda"}, "projection is 'lda', which needs a target; take 'pca' or 'none'"),
        ({"spread": "class"}, "spread is 'class', but there are no classes"),
        ({"soft": 2}, "soft is 2, but there are no classes"),
    ],
)
def test_what_needs_classes_says_so_without_them(option, message):
    X = np.random.default_rng(0).standard_normal((90, 4))
    with pytest.raises(InputError, match=message):
        EntroGeDe(**option).fit(X)
    if "projection" not in option:
        with pytest.raises(InputError, match=message):
            EntroGeDe(**option).fit(X, X[:, 0])


def test_three_columns_are_projected_when_that_is_asked_for():
    X = np.random.default_rng(0).standard_normal((300, 3))
    reps = EntroGeDe(projection="pca", budget_bytes=400).fit(X, X[:, 0] > 0).representatives_
    assert reps.projection.shape == (3, 3)


def test_a_weight_is_as_many_rows():
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((300, 4)), rng.integers(0, 2, 300)
    weight = rng.integers(0, 4, 300)
    a = EntroGeDe(budget_bytes=500).fit(X, y, sample_weight=weight).representatives_
    b = EntroGeDe(budget_bytes=500).fit(np.repeat(X, weight, 0), np.repeat(y, weight))
    assert a.rows.to_bytes() == b.representatives_.rows.to_bytes()
    share = np.bincount(repeats(weight / 7.7, 300), minlength=300) / 1200
    assert np.abs(share - weight / weight.sum()).max() <= 1 / 1200 + 1e-12


@pytest.mark.parametrize("weight", [[1, 2], np.zeros(3), [1, -1, 1], [1, np.nan, 1]])
def test_weights_that_are_none_are_refused(weight):
    with pytest.raises(TinydreamError, match="sample_weight"):
        repeats(weight, 3)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"shape": (3, 3)}, r"shape \(3, 3\) is of 9 numbers and a row has 4"),
        ({"noise": "loud"}, "noise is 'loud'; it is above 0, at most 100, or 'auto'"),
        ({"soft": 9}, "soft is 9; it must be a whole number in 0..8"),
        ({"rank": 33}, "rank is 33"),
        ({"random_state": -1}, "random_state is -1; it must be a whole number in 0..2147483647"),
        ({"tree": "oak"}, "tree is 'oak'; it is 'adaptive' or 'global'"),
        ({"spread": "wide"}, "spread is 'wide'"),
        ({"shape": (2, 1, 1, 2)}, "shape is .* it has one, two or three lengths"),
        ({"shape": (2, -2)}, "a length of shape is -2; it must be a whole number in 1..65535"),
        ({"shape": (2, 2), "one_hot": [0]}, "leave out one_hot, or shape"),
        ({"domain": "wavelets"}, "domain is 'wavelets'; it is 'auto', 'inputs' or 'haar'"),
        ({"domain": "haar"}, "domain is 'haar', which needs a shape"),
        ({"domain": "haar", "shape": (2, 2), "projection": "pca"}, "that no projection has mixed"),
    ],
)
def test_an_option_out_of_range_is_said_so(option, message):
    X, y = np.random.default_rng(0).standard_normal((50, 4)), np.arange(50) % 2
    with pytest.raises(InputError, match=message):
        EntroGeDe(**option).fit(X, y)
