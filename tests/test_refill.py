"""Representatives in RAM: a host puts others there, and the device learns from these."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import oracle_inputs
import oracle_rows
import pytest
from bridge_double import FAST, compiled
from plans import gentle, random_plan
from test_carry import plugged_in
from test_learn import of_the_network, some_rows
from verbs import refused

from tinydream import _core
from tinydream.board import load_board
from tinydream.bridge import Device, ProcessLink, answer, message
from tinydream.budget import budget, plan_struct_bytes
from tinydream.errors import DataError, FirmwareError, InputError
from tinydream.plan import Plan
from tinydream.refill import refilled
from tinydream.run import Run
from tinydream.simulator import Simulator
from tinydream.training import Knobs

# classes and targets, shares, spreads by class and by row
SEEDS = (0, 3, 5, 8, 11, 14)


def in_ram(seed):
    return replace(random_plan(seed), refill=True)


def rows_for(plan, count, seed=1):
    raw, y = some_rows(plan, np.random.default_rng(seed), count)
    return np.nan_to_num(raw), y


@pytest.mark.parametrize("seed", range(40))
def test_rows_take_places_as_the_nearest_on_the_grid(seed):
    plan = in_ram(seed)
    count = 1 + seed % (2 * plan.rows.count)
    X, y = rows_for(plan, count)
    new = refilled(plan, X, y, seed)
    assert replace(new, rows=replace(new.rows, bits=plan.rows.bits)) == plan
    before, after = oracle_rows.unpack(plan.rows), oracle_rows.unpack(new.rows)
    assert (before[2] == after[2]).all()  # codes of spreads stay
    x = oracle_inputs.apply_inputs(plan.inputs, X)
    if plan.rows.targets:
        x = np.hstack([x, of_the_network(plan, y)])
    values = oracle_rows.decode(new.rows)[0]
    far = np.abs(values[:, None] - x[None]).astype(float)
    step = oracle_rows.f8(plan.rows.step).astype(float)
    low, high = (edge(plan.rows, side) for side in (0, 1))
    far = np.maximum(far - np.maximum(low - x, x - high).clip(0)[None], 0)
    near = (far <= 0.5001 * step).all(2)
    labels = oracle_rows.labels_of(new.rows)
    if not plan.rows.targets:
        near &= labels[:, None] == y[None]
    same = (before[0] == after[0]).all(1) & (before[1] == after[1]).all(1)
    assert (near.any(1) | same).all()
    assert near.any(1).sum() >= min(count, plan.rows.count)


def edge(rows, side):
    """The least or the greatest number that each column can hold."""
    shift = np.maximum(rows.width.astype(int) - 7, 0)
    low = rows.low.astype(float) * 2.0**shift
    return (low + side * (2.0**rows.width - 1)) * oracle_rows.f8(rows.step)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_device_learns_from_what_it_was_given(seed, tmp_path):
    plan = in_ram(seed)
    new = refilled(plan, *rows_for(plan, 1 + plan.rows.count // 2))
    knobs = Knobs(epochs=2, rate=1e-4 * gentle(plan), seed=3, epoch_rows=40)
    with Device.open(ProcessLink([compiled(plan, tmp_path)]), **FAST) as device:
        device.expect(plan)
        for each in (plan, new, plan):
            if each is not plan or device.info.digest != plan.digest:
                device.refill(each)
            device.expect(each)
            assert device.pull_rows(len(each.rows.bits)) == each.rows.bits.tobytes()
            device.start(knobs)
            device.watch()
            simulator = Simulator(each)
            simulator.train(**knobs.as_dict())
            assert device.pull().tobytes() == simulator.pull().tobytes()


def test_half_pushed_rows_are_not_learnt(tmp_path):
    plan = replace(in_ram(3), validation=None, keep_best=False)
    bits = plan.rows.bits.tobytes()
    with Device.open(ProcessLink([compiled(plan, tmp_path)]), **FAST) as device:
        device.expect(plan)
        ask = device._ask
        ask(message.Fill(0, bits[:1]), answer.Laid)
        for request in (lambda: device.start(Knobs()), device.save, lambda: device.load(run=False)):
            with pytest.raises(FirmwareError, match="TD_EDIRTY"):
                request()
        with pytest.raises(FirmwareError, match="TD_EDIRTY"):
            ask(message.Filled(7, b"another "), answer.Nothing)
        with pytest.raises(FirmwareError, match="TD_EARG"):
            ask(message.Fill(len(bits), b"a"), answer.Laid)
        device.refill(refilled(plan, *rows_for(plan, 2)))
        device.start(Knobs(epochs=1, rate=1e-5))


def test_labels_that_are_no_classes_are_refused(tmp_path):
    seeds = (in_ram(seed) for seed in range(60))
    plan = next(p for p in seeds if p.rows.label_bits and len(p.classes) < 1 << p.rows.label_bits)
    wild = replace(plan, rows=replace(plan.rows, bits=plan.rows.bits | np.uint8(255)))
    with Device.open(ProcessLink([compiled(plan, tmp_path)]), **FAST) as device:
        device.expect(plan)
        with pytest.raises(FirmwareError, match="TD_EDIRTY"):
            device.refill(wild)
        device.refill(plan)


def test_other_plans_and_plans_in_flash_are_refused(tmp_path):
    plan = random_plan(0)
    with pytest.raises(InputError, match="lie in flash; plan with --refill"):
        refilled(plan, *rows_for(plan, 2))
    with Device.open(ProcessLink([compiled(plan, tmp_path)]), **FAST) as device:
        device.expect(plan)
        with pytest.raises(InputError, match="differs from the device's .* in more than"):
            device.refill(in_ram(3))
        with pytest.raises(FirmwareError, match="TD_EUNSUPPORTED"):
            device.refill(plan)


@pytest.mark.parametrize("seed", [0, 3])
def test_rows_that_do_not_fit_are_named(seed):
    plan = in_ram(seed)
    X, y = rows_for(plan, 3)
    with pytest.raises(DataError, match=r"X has 1 features and the plan"):
        refilled(plan, X[:, :1], y)
    with pytest.raises(DataError, match=r"y has shape"):
        refilled(plan, X, y[:2])
    with pytest.raises(DataError, match=r"class indices|not a finite number"):
        refilled(plan, X, np.full(y.shape, np.inf) if plan.rows.targets else y + 99)


def test_bytes_are_counted_and_kept():
    plan = in_ram(0)
    assert Plan.from_bytes(plan.to_bytes()) == plan
    assert plan.digest != replace(plan, refill=False).digest
    assert _core.arena_bytes(plan.to_bytes()) == plan.arena_bytes
    board = load_board("qemu_netduinoplus2")
    ram, less = (budget(p, board)[1] for p in (plan, replace(plan, refill=False)))
    rows = len(plan.rows.bits)
    assert ram.region == "ram" and ram.need - less.need == rows + plan_struct_bytes(4)


@pytest.mark.needs("cc")
def test_the_verb_refills_a_board_and_the_run(planned, table):
    verb = planned
    refused(verb("refill", table, "--port", "/dev/null"), 2, "lie in flash; plan with --refill")
    assert verb("plan", "--board", "native", "--refill")[0] == 0
    verb("generate"), verb("build")
    refused(verb("refill", table, "--port", "native"), 2, "ends with this verb")
    for name, y, says in (
        ("objects", np.array([{}] * 2), "cannot be read"),
        ("other", np.array(["x", "y"]), "is of class 'x', which this plan does not know"),
        ("short", np.array(["a"]), "2 rows and 1 answers"),
        ("none", None, "has no array 'y'"),
    ):
        arrays = {} if y is None else {"y": y}
        np.savez(f"{name}.npz", x=np.ones((2, len(Run("run").plan().features))), **arrays)
        refused(verb("refill", f"{name}.npz", "--port", "/dev/null"), 2, f"{name}.npz", says)
    Path("some.csv").write_text("\n".join(Path(table).read_text().splitlines()[:40]) + "\n")
    before = Run("run").plan()
    program = Run("run").program(before)
    with plugged_in(program) as port:
        code, out, err = verb("refill", "some.csv", "--port", port)
        assert (code, err) == (0, ""), err
        plan = Run("run").plan()
        assert plan.digest.hex() in out and plan != before
        assert verb("train", "--port", port, "--epochs", 2)[0] == 0
    assert verb("verify")[0] == 0
    notes = Run("run").read_json("compress.json")["notes"]
    assert notes[-1] == "representatives were replaced by rows of another table"
    with plugged_in(program) as port:  # as it was built
        refused(
            verb("train", "--port", port, "--epochs", 2), 3, "built from another plan", "refill"
        )
        assert plan.digest.hex() in verb("refill", "--port", port)[1]
        assert verb("train", "--port", port, "--epochs", 2)[0] == 0
    assert verb("verify")[0] == 0 and Run("run").plan() == plan


def test_a_device_of_another_plan_is_not_refilled_unasked(tmp_path):
    with Device.open(ProcessLink([compiled(in_ram(3), tmp_path)]), **FAST) as device:
        for seed in (0, 8):
            with pytest.raises(InputError, match="differs from the device's"):
                device.refill(in_ram(seed))
        device.refill(refilled(in_ram(3), *rows_for(in_ram(3), 2)))
