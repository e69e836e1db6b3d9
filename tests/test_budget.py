"""Where each byte goes, and the sentence when it does not fit."""

import dataclasses

import pytest
from plans import random_plan

from tinydream.board import load_board
from tinydream.budget import budget, check_budget
from tinydream.errors import BudgetError, InputError
from tinydream.network import SGD, Adam, Dense, LeakyRelu, Network, Relu, Softmax, Tanh
from tinydream.planner import make_plan


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
    assert names[:2] == ["weights", "gradients"] and names[-2:] == ["node", "stack"]
    assert ram.need == plan.arena_bytes + sum(b.bytes for b in ram.buffers[-2:])
    tables = sum(b.bytes for b in flash.buffers if b.name in plan.constants)
    assert tables == plan.representative_bytes


@pytest.mark.parametrize("region", ["ram", "flash"])
def test_a_plan_that_does_not_fit_says_region_need_have_over_and_what_to_change(region):
    plan = random_plan(2)
    board = load_board("qemu_netduinoplus2")
    need = {use.region: use.need for use in budget(plan, board)}[region]
    assert not any(use.over for use in check_budget(plan, small(board, region, need)))
    says = rf"has {need - 1} bytes of {region} .*needs {need} \(1 over\)\. .*; try .*--"
    with pytest.raises(BudgetError, match=says):
        check_budget(plan, small(board, region, need - 1))


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
