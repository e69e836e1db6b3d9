"""Representatives under a byte budget, and the model of what they leave out."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import oracle_rows
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import tinydream
from tinydream.codec import EntroGeDe, all_rows, random_rows
from tinydream.codec.quantise import f8_encode, fit_levels, pack_rows
from tinydream.data import load_data
from tinydream.errors import BudgetError, DataError, InputError
from tinydream.plan import Optimizer, Plan
from tinydream.rows import f8_decode

DIGITS = Path(tinydream.__file__).parent / "demo" / "digits.csv.gz"


with warnings.catch_warnings():  # we keep the contract without inheriting from BaseEstimator
    warnings.simplefilter("ignore", UserWarning)
    contract = parametrize_with_checks(
        [EntroGeDe(), EntroGeDe(representatives=12, bits=4, deviation=False)]
    )


@contract
def test_it_keeps_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    return load_data(DIGITS, target="digit")


def blobs(seed=0, n=400, d=5, classes=3):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % classes)
    centre = rng.normal(0, 3, (classes, d))
    return centre[y] + rng.normal(0, rng.uniform(0.2, 2, d), (n, d)), y


def fitted(X, y, **parameters):
    return EntroGeDe(**parameters).fit(X, y).representatives_


# ---- the budget ----


def plan_bytes(reps):
    names = tuple(f"x{j}" for j in range(reps.inputs.raw_columns))
    plan = Plan(
        board="native",
        features=names,
        classes=tuple(map(str, reps.classes)),
        targets=("y",),
        inputs=reps.inputs,
        outputs=reps.outputs,
        rows=reps.rows,
        layers=(),
        optimizer=Optimizer("sgd"),
        batch=1,
        slice=1,
    )
    return plan.representative_bytes


@pytest.mark.parametrize("budget", [400, 777, 1024, 4096])
@pytest.mark.parametrize("deviation", [True, False])
@pytest.mark.parametrize("bits", ["auto", 1, 4, 11, 16])
def test_bytes_are_those_of_the_plan_and_the_budget_is_used_to_the_last_row(
    budget, deviation, bits
):
    X, y = blobs(n=5000)
    reps = fitted(X, y, budget_bytes=budget, bits=bits, deviation=deviation)
    assert reps.nbytes == plan_bytes(reps) <= budget
    assert 8 * (budget - reps.nbytes) < reps.rows.row_bits


def test_digits_fill_a_twentieth_of_their_bytes(digits):
    budget = digits.X.size // 20
    reps = fitted(digits.X, digits.y, budget_bytes=budget)
    assert reps.nbytes == plan_bytes(reps) <= budget < reps.nbytes + (reps.rows.row_bits + 7) // 8
    assert not reps.inputs.kept.all(), "the digits' dead pixels are not stored"


def test_a_number_of_representatives_is_met_exactly():
    X, y = blobs()
    for m in (3, 10, 100):
        assert fitted(X, y, representatives=m).rows.count == m


def test_equal_rows_need_no_more_representatives_than_there_are():
    X = np.repeat(np.arange(6.0).reshape(-1, 1), 10, axis=0)
    reps = fitted(X, (X[:, 0] > 2).astype(int), budget_bytes=4096)
    assert reps.rows.count == 6 and reps.rows.levels == ((10, 6),)
    assert np.allclose(np.sort(reps.X[:, 0]), np.unique(reps.inputs.apply(X)), atol=0.01)
    assert (reps.sigma == 0).all()


def test_a_budget_without_room_for_a_row_a_class_is_refused_with_the_one_that_has():
    X, y = blobs(d=20, classes=7)
    with pytest.raises(BudgetError, match="a budget of 50 bytes is too small") as caught:
        fitted(X, y, budget_bytes=50)
    assert "set deviation=False" in str(caught.value) and " over)" in str(caught.value)
    need = int(str(caught.value).split("raise budget_bytes to ")[1].split()[0])
    assert fitted(X, y, budget_bytes=need).rows.count >= 7
    with pytest.raises(BudgetError, match="is too small"):
        fitted(X, y, budget_bytes=need - 1)


def test_fewer_representatives_than_classes_are_refused():
    with pytest.raises(BudgetError, match="2 representatives cannot stand for 3 classes"):
        fitted(*blobs(), representatives=2)


# ---- what is stored ----


@pytest.mark.parametrize("bits", ["auto", 1, 3, 7, 8, 16])
@pytest.mark.parametrize("columns", [1, 5])
def test_representatives_decode_as_the_device_computes_them(bits, columns):
    X, y = blobs(n=600, d=columns)
    reps = fitted(X, y, bits=bits, budget_bytes=900)
    points, labels = oracle_rows.decode(reps.rows)
    assert reps.X.dtype == np.float32 and reps.X.tobytes() == points.tobytes()
    assert np.array_equal(reps.y, labels)


def test_packed_rows_can_be_read_by_another_reader():
    rng = np.random.default_rng(1)
    for shared in (True, False):
        width = rng.integers(1, 17, 1 if shared else 9).astype(np.uint8)
        q = (rng.integers(0, 65536, (2500, 9)) & ((1 << width.astype(int)) - 1)).astype(np.uint16)
        labels = rng.integers(0, 5, 2500).astype(np.int32)
        packed = pack_rows(q, labels, width, 3)
        X, y = blobs()
        rows = fitted(X, y).rows.__class__(
            9, 3, width, width * 0, width * 0, [], ((1, 2500),), packed
        )
        got, read, _ = oracle_rows.unpack(rows)
        assert np.array_equal(got, q) and np.array_equal(read[:, 0], labels)


def test_weights_stand_for_all_rows_and_classes_keep_their_share():
    X, y = blobs(n=3000)
    y[:900] = 0
    reps = fitted(X, y, budget_bytes=1000)
    assert abs(reps.weight.sum() - 3000) < 60 and reps.weight.sum() == reps.rows.rows
    share = np.bincount(reps.y, reps.weight) / reps.weight.sum()
    assert np.allclose(share, np.bincount(y) / 3000, atol=0.05)


def test_a_representative_lies_near_the_mean_of_its_rows():
    X, y = blobs()
    reps = fitted(X, y, representatives=3, bits=16)
    Z = reps.inputs.apply(X)
    for k in range(3):
        apart = reps.X[reps.y == k][0] - Z[y == k].mean(axis=0)
        assert (np.abs(apart) < 1e-3).all()
    within = np.sqrt(
        sum(((Z[y == k] - Z[y == k].mean(axis=0)) ** 2).sum(axis=0) for k in range(3)) / 397
    )
    assert np.allclose(reps.sigma, within, rtol=0.07), "8-bit floats are within 6.3 %"


def test_without_deviation_nothing_is_stored_for_it():
    reps = fitted(*blobs(), deviation=False)
    assert len(reps.rows.sigma) == 0 and (reps.sigma == 0).all() and reps.projection is None


def test_a_hopeless_column_of_outliers_does_not_eat_the_bits():
    X, y = blobs(n=2000)
    X[7, 0] = 1e6
    reps = fitted(X, y, budget_bytes=4096)
    assert np.isfinite(reps.X).all() and reps.nbytes <= 4096


def test_labels_may_be_text_and_need_no_more_than_their_bits():
    X, y = blobs(classes=5)
    reps = fitted(X, np.array(["ant", "bee", "cat", "dog", "eel"])[y])
    assert reps.classes.tolist() == ["ant", "bee", "cat", "dog", "eel"]
    assert reps.rows.label_bits == 3 and set(reps.y) == set(range(5))


def test_the_same_rows_give_the_same_bytes(digits):
    one, two = (fitted(digits.X, digits.y, budget_bytes=3000) for _ in range(2))
    assert one.rows.to_bytes() == two.rows.to_bytes()
    assert one.inputs.to_bytes() == two.inputs.to_bytes()


def test_8_bit_floats_are_the_nearest():
    codes = np.arange(256, dtype=np.uint8)
    assert np.array_equal(f8_encode(f8_decode(codes).astype(float)), codes)
    assert f8_encode(np.array([0.0, 1e-12, 1e9])).tolist() == [0, 0, 255]
    values = np.geomspace(1e-6, 200, 1000)
    assert (np.abs(f8_decode(f8_encode(values)) / values - 1) < 0.064).all()


def test_few_weights_are_kept_and_many_are_put_on_levels():
    weights, level = fit_levels(np.array([3, 1, 3, 9]), 8)
    assert weights.tolist() == [1, 3, 9] and level.tolist() == [1, 0, 1, 2]
    counts = np.array([1, 1, 2, 100, 110, 90, 5000])
    weights, level = fit_levels(counts, 3)
    assert weights.tolist() == [1, 100, 5000] and level.tolist() == [0, 0, 0, 1, 1, 1, 2]


# ---- inputs ----


def test_columns_of_one_unit_share_a_scale_and_others_do_not(digits):
    assert len(fitted(digits.X, digits.y).inputs.shift) == 1
    X, y = blobs()
    mixed = fitted(X * [1, 1000, 1, 0.01, 1] + [0, 0, 500, 0, 0], y)
    assert len(mixed.inputs.shift) == 5
    Z = mixed.inputs.apply(X * [1, 1000, 1, 0.01, 1] + [0, 0, 500, 0, 0])
    assert (np.abs(Z.mean(axis=0)) < 0.01).all()
    assert ((Z.std(axis=0) > 0.7) & (Z.std(axis=0) < 1.42)).all()


def test_scales_that_would_eat_the_budget_are_shared():
    X, y = blobs(d=40)
    X *= np.geomspace(1e-3, 1e3, 40)
    assert len(fitted(X, y, budget_bytes=4096).inputs.shift) == 40
    assert len(fitted(X, y, budget_bytes=300).inputs.shift) == 1


def test_scales_that_differ_too_much_are_not_shared_for_a_few_bytes():
    X, y = blobs(d=40)
    alike = X * np.geomspace(0.1, 1, 40)
    apart = X * np.geomspace(1e-3, 1e3, 40)
    assert len(fitted(alike, y, budget_bytes=700).inputs.shift) == 1
    assert len(fitted(apart, y, budget_bytes=700).inputs.shift) == 40


def test_constant_columns_are_dropped_and_transform_gives_what_is_kept():
    X, y = blobs()
    X[:, 2] = 4
    codec = EntroGeDe().fit(X, y)
    assert codec.representatives_.inputs.kept.tolist() == [True, True, False, True, True]
    Z = codec.transform(X)
    assert Z.shape == (400, 4) and Z.dtype == np.float32
    assert np.array_equal(Z, EntroGeDe().fit_transform(X, y))


def test_what_has_no_input_is_refused():
    X, y = blobs()
    with pytest.raises(DataError, match="all 5 columns are constant"):
        fitted(X * 0, y)
    with pytest.raises(DataError, match="column 3 has numbers beyond float32"):
        fitted(X * [1, 1, 1, 1e60, 1], y)
    with pytest.raises(DataError, match=r"is not fitted yet; call fit\(X, y\) first"):
        EntroGeDe().transform(X)
    with pytest.raises(DataError, match="X has 4 features, but EntroGeDe is expecting 5"):
        EntroGeDe().fit(X, y).transform(X[:, :4])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("bits", b) for b in (0, 17, "many", 2.5)),
        *(("budget_bytes", b) for b in (0, -1, "1k", True)),
        *(("lloyd", b) for b in (-1, 0.5)),
        ("representatives", 0),
    ],
)
def test_a_parameter_out_of_range_is_named(name, value):
    with pytest.raises(InputError, match=f"{name} is .*; it must be a whole number in"):
        EntroGeDe(**{name: value}).fit(*blobs())


def test_an_unknown_parameter_is_refused_with_those_that_exist():
    with pytest.raises(InputError, match="no parameter 'budget'; it has budget_bytes, rep"):
        EntroGeDe().set_params(budget=3)


def test_a_fitted_codec_can_be_pickled():
    codec = EntroGeDe().fit(*blobs())
    again = pickle.loads(pickle.dumps(codec))
    assert again.representatives_.rows.to_bytes() == codec.representatives_.rows.to_bytes()


# ---- the stream ----


def test_sampled_rows_are_those_of_the_oracle(digits):
    reps = fitted(digits.X, digits.y, budget_bytes=2048)
    x, y = reps.sample(4000, seed=9)
    expected, labels = oracle_rows.draw(reps.rows, 9, 0, 4000)
    assert x.tobytes() == expected.tobytes() and np.array_equal(y, labels)
    with pytest.raises(InputError, match="n is 0; one row or more"):
        reps.sample(0)
    with pytest.raises(InputError, match="seed is -1; it must be"):
        reps.sample(1, seed=-1)


def test_sampled_rows_have_the_means_and_spreads_of_the_model(digits):
    reps = fitted(digits.X, digits.y, budget_bytes=2048)
    x, y = reps.sample(20 * reps.rows.rows)
    for k in range(10):
        mine, weight = reps.X[reps.y == k], reps.weight[reps.y == k]
        mean = np.average(mine, axis=0, weights=weight)
        variance = np.average((mine - mean) ** 2, axis=0, weights=weight) + reps.sigma**2
        own, error = x[y == k], np.sqrt(variance / (y == k).sum())
        assert (np.abs(own.mean(axis=0) - mean) < 5 * error + 1e-6).all()
        assert np.allclose(own.var(axis=0), variance, rtol=0.12, atol=1e-6)


def test_dreamt_rows_spread_as_the_real_ones_do(digits):
    reps = fitted(digits.X, digits.y, noise=1.0)
    x, y = reps.sample(reps.rows.rows * 4)
    Z = reps.inputs.apply(digits.X)
    dreamt = sum(x[y == k].var(axis=0) * (y == k).mean() for k in range(10))
    real = sum(Z[digits.y == k].var(axis=0) * (digits.y == k).mean() for k in range(10))
    assert abs(dreamt.sum() / real.sum() - 1) < 0.1
    assert np.corrcoef(dreamt, real)[0, 1] > 0.98


# ---- what it is compared with ----


def test_all_rows_are_all_rows_to_16_bits(digits):
    reps = fitted(digits.X, digits.y, budget_bytes=2048, projection="none")
    every = all_rows(reps, digits.X, digits.y)
    assert every.rows.count == len(digits.X) and every.rows.levels == ((1, len(digits.X)),)
    assert len(every.rows.sigma) == 0 and (every.rows.width == 16).all()
    assert np.abs(every.X - reps.inputs.apply(digits.X)).max() < 1e-4
    assert np.array_equal(every.y, digits.y)


def test_random_rows_take_the_same_bytes_at_the_same_bits(digits):
    reps = fitted(digits.X, digits.y, budget_bytes=4000, projection="none")
    some = random_rows(reps, digits.X, digits.y, 3)
    assert np.array_equal(some.rows.width, reps.rows.width) and len(some.rows.sigma) == 0
    assert some.nbytes <= reps.nbytes and 8 * (reps.nbytes - some.nbytes) < some.rows.row_bits
    assert some.rows.count > reps.rows.count, "no sigma and one weight: more rows"
    real = reps.inputs.apply(digits.X)[:, None] - some.X[:5]
    assert (np.abs(real).max(axis=2).min(axis=0) < 0.6).all(), "each is some row, rounded"
    again = random_rows(reps, digits.X, digits.y, 3)
    assert again.rows.to_bytes() == some.rows.to_bytes()
    assert random_rows(reps, digits.X, digits.y, 4).rows.to_bytes() != some.rows.to_bytes()


def test_labels_of_the_comparison_are_class_indices(digits):
    reps = fitted(digits.X, digits.y)
    with pytest.raises(DataError, match=r"y holds 1..10; class indices 0..9 are needed"):
        all_rows(reps, digits.X, digits.y + 1)


@pytest.mark.parametrize("options", [{}, {"soft": 4}, {"spread": "class"}, {"tree": "global"}])
def test_labels_are_read_where_they_lie(options):
    """A column of a table, or what may not be written to: the same bytes, and left as it was."""
    X, y = blobs(n=600)
    y = y.astype(np.int32)
    several = np.column_stack([y, y, y])
    fixed = y.copy()
    fixed.flags.writeable = False
    expected = EntroGeDe(budget_bytes=500, **options).fit(X, y.astype(np.int64)).representatives_
    for given in (y, several[:, 1], fixed, y[:, None]):
        made = EntroGeDe(budget_bytes=500, **options).fit(X, given).representatives_
        assert made.rows.to_bytes() == expected.rows.to_bytes()
    assert (several == fixed[:, None]).all()
