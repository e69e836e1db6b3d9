"""The stream of drawn rows: the C core against the oracle, with ==, and against its own rules."""

import numpy as np
import oracle_inputs
import oracle_rows
import pytest
from plans import random_rows

from tinydream import _core
from tinydream.codec.dream import dream
from tinydream.codec.haar import haar, haar_inverse
from tinydream.codec.quantise import unpack_shares
from tinydream.errors import PlanError
from tinydream.rows import Projection, Rows, f8_decode


def drawn(rows, seed, first_pass, n):
    x, y, _ = _core.rows_draw(rows.to_bytes(), seed, first_pass, n)
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
    assert np.array_equal(dream(rows, n, key, 5)[2], oracle_rows.picks(rows, key, 5, n))


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


@pytest.mark.parametrize("seed", range(40))
def test_soft_targets_are_those_of_the_oracle(seed):
    rows = any_rows(seed, rich=True)
    if not rows.soft_bits:
        assert _core.rows_target(rows.to_bytes(), 0) < 0, "a label is no soft target"
        return
    got = [_core.rows_target(rows.to_bytes(), i) for i in range(rows.count)]
    assert b"".join(got) == oracle_rows.soft_targets(rows).tobytes()
    assert b"".join(got) == unpack_shares(rows).tobytes()


def test_a_soft_target_without_any_share_is_refused():
    one = np.ones(1, np.uint8)
    rows = Rows(2, 0, one, one, one, [], ((1, 2),), [0b10100011, 0], classes=2, soft_bits=2)
    assert _core.rows_draw(rows.to_bytes(), 0, 0, 2) == -2
    good = Rows(2, 0, one, one, one, [], ((1, 2),), [0b10101011, 3], classes=2, soft_bits=2)
    assert np.frombuffer(_core.rows_target(good.to_bytes(), 0), np.float32).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("axes", [((50, True), (6, False)), ((7, True), (5, True), (3, True))])
def test_the_transform_that_fits_is_undone_by_the_one_that_dreams(axes):
    rows = np.random.default_rng(1).normal(size=(20, np.prod([n for n, _ in axes])))
    v = haar(rows, axes)
    assert np.allclose(haar_inverse(v, axes), rows)
    told = v.astype(np.float32).reshape(20, *(n for n, _ in axes))
    for axis, (_, along) in enumerate(axes):
        told = oracle_rows.inverse_haar(told, axis + 1) if along else told
    assert np.allclose(told.reshape(20, -1), rows, atol=1e-5)
    assert np.allclose(haar(np.ones((1, 50)), ((50, True),))[0, 1:], 0), "one mean, no differences"


@pytest.mark.parametrize("outputs", [1, 8, 13])
def test_a_projection_is_the_device_s_bit_for_bit_and_close_to_its_matrix(outputs):
    rng = np.random.default_rng(outputs)
    projection = Projection(rng.integers(-8, 8, (64, outputs)), [176] * outputs, 4)
    x = rng.normal(size=(3000, 64)).astype(np.float32)
    z = projection.apply(x)
    assert z.tobytes() == oracle_inputs.project(projection, x).tobytes()
    assert np.allclose(z, np.clip(x @ projection.matrix, -16, 16), atol=1e-4)
    assert projection.apply(x[:0]).shape == (0, outputs)
    assert np.allclose(projection.back(z) @ projection.matrix, z, atol=1e-3)


WRONG = {
    "sigma has 1 entries": {"sigma": [1]},
    "need sigma": {"sigma": [], "spread": [1, 1], "classes": 2},
    "1..4 bits, not 5": {"spread_bits": 5, "spread": [1] * 32},
    "3 spreads; 2 are needed": {"spread_bits": 1, "spread": [1] * 3},
    r"factors have shape \(1, 1\)": {"factors": [[1]], "factor_scale": [1]},
    "1 axes, and 0 corrections": {"axes": ((2, True),)},
    r"axes of \[3\] are not 2 inputs": {"axes": ((3, True),), "correction": [1, 1]},
    "and not both": {"soft_bits": 3, "classes": 2, "label_bits": 1},
    "need classes": {"classes": 2},
    "1 targets in 2 columns, and a label": {"targets": 1, "classes": 2, "spread": [1, 1]},
}


@pytest.mark.parametrize("why", WRONG)
def test_rows_that_contradict_themselves_are_refused_with_a_sentence(why):
    own = {"columns": 2, "label_bits": 0, "width": [1], "low": [1], "step": [1], "sigma": [1, 1]}
    with pytest.raises(PlanError, match=why):
        Rows(**own | {"levels": ((1, 1),), "bits": [0]} | WRONG[why])


def test_projections_that_cannot_be_stored_are_refused_with_a_sentence():
    with pytest.raises(PlanError, match="2..8 bits, not 9"):
        Projection(np.zeros((2, 1)), [1], 9)
    with pytest.raises(PlanError, match=r"codes of 2 bits lie in -2..1"):
        Projection(np.full((2, 1), 2), [1], 2)
    with pytest.raises(PlanError, match=r"shape \(2, 1\), which for 2 scales"):
        Projection(np.zeros((2, 1)), [1, 1], 2)
