"""Where each byte goes, and the sentence when it does not fit."""

import dataclasses
import json
from pathlib import Path

import pytest
from plans import random_plan

from bench.core.workload import digits_plan
from tinydream.board import list_boards, load_board
from tinydream.budget import (
    budget,
    changes,
    check_budget,
    estimate_code,
    estimate_pace,
    fitted,
    parts,
    stack_bound,
)
from tinydream.errors import BudgetError, InputError
from tinydream.network import SGD, Adam, Dense, LeakyRelu, Network, Relu, Softmax, Tanh
from tinydream.planner import make_plan

ROOT = Path(__file__).resolve().parents[1]


def small(board, region, size):
    regions = tuple(
        dataclasses.replace(r, bytes=size, reserved=0) if r.name == region else r
        for r in board.regions
    )
    return dataclasses.replace(board, regions=regions)


def test_each_region_is_the_sum_of_its_buffers():
    plan = random_plan(1)
    uses = {use.region: use for use in budget(plan, load_board("qemu_netduinoplus2"))}
    ram, flash = uses["ram"], uses["flash"]
    names = [buffer.name for buffer in ram.buffers]
    assert names[:2] == ["weights", "gradients"] and names[-3:] == ["port", "node", "stack"]
    assert ram.need == plan.arena_bytes + sum(b.bytes for b in ram.buffers[-3:])
    tables = sum(b.bytes for b in flash.buffers if b.name in plan.constants)
    assert tables == plan.representative_bytes


def adam_plan():
    """With a hidden layer and Adam, one row at a time."""
    plans = (dataclasses.replace(random_plan(seed), slice=1) for seed in range(40))
    return next(p for p in plans if p.optimizer.kind == "adam" and len(p.dense) > 1)


@pytest.mark.parametrize("region", ["ram", "flash"])
def test_a_plan_that_does_not_fit_says_region_need_have_over_and_what_to_change(region):
    plan = dataclasses.replace(adam_plan(), board="qemu_netduinoplus2")
    board = load_board("qemu_netduinoplus2")
    need = {use.region: use.need for use in budget(plan, board)}[region]
    assert not any(use.over for use in check_budget(plan, small(board, region, need)))
    says = rf"has {need - 1} bytes of {region} .*needs {need} \(1 over\)\. .*; try .*--"
    with pytest.raises(BudgetError, match=says):
        check_budget(plan, small(board, region, need - 1))


def test_a_stack_that_is_too_small_takes_single_rows_or_says_by_how_much():
    plan = random_plan(3, board="qemu_netduinoplus2")
    board = load_board("qemu_netduinoplus2")
    most = {
        rows: stack_bound(dataclasses.replace(plan, slice=rows), board).value for rows in (1, 4)
    }
    assert most[1] < most[4]
    between = dataclasses.replace(board, stack_bytes=most[4] - 1)
    assert (fitted(dataclasses.replace(plan, slice=4), between)).slice == 1
    least = dataclasses.replace(board, stack_bytes=most[1])
    check_budget(fitted(plan, least), least)
    tiny = dataclasses.replace(board, stack_bytes=most[1] - 1)
    says = rf"stack of .*has {most[1] - 1} bytes .*take {most[1]} \(1 over\); raise its stack_bytes"
    with pytest.raises(BudgetError, match=says):
        check_budget(fitted(plan, tiny), tiny)


def test_networks_that_cannot_be_trained_are_refused():
    with pytest.raises(InputError, match="not Dense, Softmax, Relu"):
        Network([Dense(3), Softmax(), Relu()])
    with pytest.raises(InputError, match="1..65535 units, not 0"):
        Dense(0)
    with pytest.raises(InputError, match="momentum must lie"):
        SGD(momentum=1.5)
    with pytest.raises(InputError, match="beta1"):
        Adam(beta1=1)
    with pytest.raises(InputError, match="epsilon"):
        Adam(epsilon=0)


class Record:
    def __init__(self, plan):
        self.inputs, self.outputs, self.rows = plan.inputs, plan.outputs, plan.rows
        self.classes = plan.classes


def plan_for(task):
    return next(plan for plan in map(random_plan, range(30)) if plan.task == task)


def test_a_network_for_other_classes_or_a_batch_of_none_is_refused():
    plan = plan_for("classification")
    board, classes = load_board("native"), len(plan.classes)
    with pytest.raises(InputError, match=f"has {classes + 1} units and the data {classes}"):
        make_plan(Record(plan), Network.mlp([4], classes + 1), board=board)
    with pytest.raises(InputError, match="batch is 1..65535 rows, not 0"):
        make_plan(Record(plan), Network.mlp([4], classes), board=board, batch=0)
    with pytest.raises(InputError, match="2 feature names were given"):
        make_plan(Record(plan), Network.mlp([4], classes), board=board, features=["a", "b"])


def test_a_network_for_another_task_or_other_targets_is_refused():
    plan, board = plan_for("regression"), load_board("native")
    with pytest.raises(InputError, match="ends with a Softmax, and the data is for regression"):
        make_plan(Record(plan), Network.mlp([4], 2), board=board)
    network = Network.mlp([4], 9, task="regression")
    with pytest.raises(InputError, match="has 9 units and the data 1 targets"):
        make_plan(Record(plan), network, board=board, targets=["y"])


def test_the_planner_s_plan_is_for_the_board_and_fits_it():
    plan = plan_for("classification")
    made = make_plan(Record(plan), Network.mlp([4], len(plan.classes)), board=load_board("native"))
    assert (made.board, made.slice, made.batch) == ("native", 4, 20)
    assert made.rows is plan.rows and made.layers[0].inputs == plan.inputs.outputs


def test_where_four_rows_do_not_fit_the_planner_takes_one_at_a_time():
    plan, board = plan_for("classification"), load_board("qemu_netduinoplus2")
    network = Network.mlp([4], len(plan.classes))
    four = make_plan(Record(plan), network, board=board)
    need = {use.region: use.need for use in budget(four, board)}["ram"]
    one = make_plan(Record(plan), network, board=small(board, "ram", need - 1))
    assert (four.tile, one.tile, one.slice) == (4, 1, 1)
    assert four.arena_bytes - one.arena_bytes == 3 * 4 * (
        2 + plan.rows.columns + 4 + network.outputs
    )
    assert dataclasses.replace(one, slice=4) == four


def test_plain_sgd_on_single_rows_keeps_no_gradients():
    plan, board = plan_for("classification"), load_board("native")
    made = make_plan(Record(plan), Network.mlp([4], len(plan.classes), SGD()), board=board, batch=1)
    names = [buffer.name for use in budget(made, board) for buffer in use.buffers]
    assert "gradients" not in names and "weights" in names


def test_an_activation_is_one_of_those_there_are():
    with pytest.raises(InputError, match="an activation is relu, .*, sigmoid, not 'elu'"):
        Network.mlp([4], 2, activation="elu")
    with pytest.raises(InputError, match="slope of LeakyRelu must lie in 0..1, not 2"):
        LeakyRelu(2)
    network = Network([Dense(3), LeakyRelu(0.25), Dense(3), Tanh(), Dense(2), Softmax()])
    kinds = [(layer.kind, layer.limit) for layer in network.records(5)[1::2]]
    assert kinds == [("leaky_relu", 0.25), ("tanh", 0.0), ("softmax", 0.0)]


# ---- what would make it fit ----


def need(plan, board, region):
    return next(use.need for use in budget(plan, board) if use.region == region)


@pytest.mark.parametrize("seed", range(8))
def test_every_change_that_is_told_makes_the_plan_fit(seed):
    plan, board = random_plan(seed), load_board("qemu_netduinoplus2")
    for part in (0.97, 0.8, 0.6):
        room = small(board, "ram", 5000 + int((need(plan, board, "ram") - 5000) * part))
        for change in changes(plan, room):
            assert change.options.startswith("--") and change.plan is not None
            assert not any(use.over for use in budget(change.plan, room)), change.options
            assert change.plan.layers[-1].outputs == plan.layers[-1].outputs


def test_a_plan_that_fits_needs_no_change_and_one_that_never_will_has_none():
    plan, board = adam_plan(), load_board("qemu_netduinoplus2")
    assert changes(plan, board) == [] == changes(plan, small(board, "ram", 3000))


def test_hidden_layers_that_are_told_are_the_largest_even_part_of_them_that_fits():
    plan, board = adam_plan(), load_board("qemu_netduinoplus2")
    room = small(board, "ram", need(plan, board, "ram") - 40)
    told = changes(plan, room)
    assert told[0].options.startswith("--hidden ") and told[1].options == "--optimizer sgd"
    assert told[1].plan.layers == plan.layers and not told[1].plan.optimizer.state


def test_too_many_representatives_are_answered_with_the_bytes_that_fit():
    plan = dataclasses.replace(adam_plan(), board="qemu_netduinoplus2")
    board = load_board(plan.board)
    room = small(board, "flash", need(plan, board, "flash") - 17)
    (change,) = changes(plan, room)
    assert change.options == f"compress --budget-bytes {plan.representative_bytes - 17}"
    assert change.plan is None


def test_parts_are_all_of_a_region():
    for seed in range(8):
        plan, board = random_plan(seed), load_board("qemu_microbit")
        for use in budget(plan, board):
            assert sum(parts(plan, use, board).values()) == use.need
    names = parts(adam_plan(), budget(adam_plan(), board)[1], board)
    assert {"parameters", "optimiser", "activations", "link buffers", "stack"} <= names.keys()


# ---- estimates ----


@pytest.mark.parametrize("board_id", list_boards())
def test_every_board_but_the_host_has_estimates_with_their_source(board_id):
    plan, board = adam_plan(), load_board(board_id)
    code, stack, pace = (
        estimate_code(plan, board),
        stack_bound(plan, board),
        estimate_pace(plan, board),
    )
    if board_id == "native":
        assert code is stack is pace is None
        return
    assert 8_000 < code.value < 40_000 and "measured on" in code.source
    assert ("unverified" in code.source) == (board.qemu is None)
    assert 300 < stack.value <= board.stack_bytes
    assert pace.instructions > 1000 and "as measured on" in pace.source
    assert (pace.seconds is None) == (board.qemu is not None)
    if pace.joules is not None:
        watts = board.power.active_microamps * board.power.millivolts * 1e-9
        assert pace.joules == pytest.approx(pace.seconds * watts)


def test_the_pace_of_the_net_that_was_counted_instruction_by_instruction():
    """docs/results/core.md: 64-32-10 on an M4F, counted by another program in another way."""
    counts = json.loads((ROOT / "docs/results/core.json").read_text())["counts"]
    board = load_board("qemu_netduinoplus2")
    for optimizer, name in ((SGD(), "SGD"), (Adam(), "Adam")):
        case = counts[f"M4F {name} 20 tile 4"]
        told = estimate_pace(digits_plan(optimizer, 20), board, case["samples"]).instructions
        assert told == pytest.approx(case["train"] + case["draw"], rel=0.15)
