"""The record: its bytes, its digest, its arena."""

import dataclasses

import numpy as np
import pytest
from plans import random_plan

from tinydream.errors import PlanError
from tinydream.plan import Plan, f8_decode


@pytest.mark.parametrize("seed", range(50))
def test_bytes_and_back_is_the_same_plan(seed):
    plan = random_plan(seed)
    again = Plan.from_bytes(plan.to_bytes())
    assert again == plan and again.digest == plan.digest and hash(again) == hash(plan)
    assert again.arena == plan.arena and again.constants == plan.constants


def test_every_field_moves_the_digest():
    plan = random_plan(1)
    changes = {
        "board": "other",
        "features": tuple("g" * len(name) for name in plan.features),
        "classes": (*plan.classes, "z"),
        "targets": ("z",),
        "batch": plan.batch + 1,
    }
    digests = {dataclasses.replace(plan, **{k: v}).digest for k, v in changes.items()}
    assert len(digests | {plan.digest}) == len(changes) + 1


def test_any_changed_byte_is_another_plan_or_a_plan_error():
    good = random_plan(2, most_rows=6).to_bytes()
    digest = Plan.from_bytes(good).digest
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= 0x10
        try:
            assert Plan.from_bytes(bytes(bad)).digest != digest
        except PlanError:
            pass
    for size in range(len(good)):
        with pytest.raises(PlanError):
            Plan.from_bytes(good[:size])


def test_a_plan_of_another_format_is_refused_by_its_number():
    bad = bytearray(random_plan(0).to_bytes())
    bad[4] = 77
    with pytest.raises(PlanError, match="format 77; this tinydream reads format 2"):
        Plan.from_bytes(bytes(bad))


def test_arrays_inside_a_plan_cannot_be_written():
    plan = random_plan(0)
    with pytest.raises(ValueError, match="read-only"):
        plan.rows.bits[0] = 1


def test_8_bit_floats_are_what_spec_says():
    codes = np.arange(256, dtype=np.uint8)
    expected = [0.0] + [(8 + c % 8) * 2.0 ** (c // 8 - 27) for c in range(1, 256)]
    assert f8_decode(codes).tolist() == expected
    assert (np.diff(f8_decode(codes)) > 0).all()


def test_arena_pieces_lie_one_after_the_other():
    plan = random_plan(9)
    ends = [buffer.offset + buffer.bytes for buffer in plan.arena]
    assert [buffer.offset for buffer in plan.arena] == [0, *ends[:-1]]
    assert ends[-1] == plan.arena_bytes
