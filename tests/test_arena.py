"""The arena: no two buffers on the same bytes at the same time, and none larger than it needs."""

import itertools

import pytest
from plans import random_plan

from tinydream import _core
from tinydream.arena import activations
from tinydream.plan import Layer
from tinydream.report.lives import lives


@pytest.mark.parametrize("seed", range(100))
def test_buffers_that_are_wanted_at_one_time_share_no_byte(seed):
    plan = random_plan(seed)
    last = len(plan.phases) - 1
    for a, b in itertools.combinations(plan.arena, 2):
        apart = a.offset + a.bytes <= b.offset or b.offset + b.bytes <= a.offset
        assert apart or a.last < b.first or b.last < a.first, (a, b)
        assert 0 <= a.first <= a.last <= last and 0 <= a.shared <= a.bytes
    own = sum(buffer.bytes - buffer.shared for buffer in plan.arena)
    assert own == plan.arena_bytes == _core.arena_bytes(plan.to_bytes())


def numbers(*trains):
    """A row's numbers in 784-128-64-10, all activations together; what of each layer trains."""
    dense = [Layer("dense", 1, n, 0.1, t) for n, t in zip((128, 64, 10), trains, strict=True)]
    return max(place + width for _, width, place, _, _ in activations(dense, 784, 0))


def test_below_frozen_layers_activations_alternate():
    assert numbers("all", "all", "all") == 784 + 128 + 64 + 10
    assert numbers("none", "all", "all") == 784 + 128  # the last two lie where the rows were
    assert numbers("none", "none", "all") == 784 + 128
    assert numbers("bias", "bias", "bias") == 784 + 128  # rows are wanted by the first layer alone
    assert numbers("none", "none", "bias") == 784 + 128


def test_what_does_not_train_has_neither_gradient_nor_state():
    plans = (p for p in map(random_plan, range(99)) if p.optimizer.kind == "adam")
    plan = next(p for p in plans if p.moving < p.parameters)
    sizes = {buffer.name: buffer.bytes for buffer in plan.arena}
    assert sizes["weights"] == 4 * plan.parameters
    assert (sizes["gradients"], sizes["optimizer"]) == (4 * plan.moving, 8 * plan.moving)


def test_the_picture_has_each_buffer_and_each_phase():
    plan = random_plan(9)
    (_, whole), (_, batch) = lives(plan)
    assert whole.count("<rect") == len(plan.arena) > batch.count("<rect") >= 3
    for buffer in plan.arena:
        assert f"{buffer.name}: {buffer.bytes:,} bytes" in whole
    assert whole.count(">update<") == 1 and "→1" in batch
