"""The verb budget, and plan --search: on which boards a plan fits, and which plan is best."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from verbs import refused

from tinydream.board import list_boards, load_board
from tinydream.budget import budget
from tinydream.data import load_data
from tinydream.errors import BudgetError, InputError
from tinydream.run import Run
from tinydream.search import search

FEW = ("--projection", "none", "--budget-bytes", 400)


def told(verb, *arguments):
    code, out, err = verb("budget", "--json", *arguments)
    assert (code, err) == (0, "")
    return json.loads(out)


# ---- budget ----


def test_budget_has_a_line_a_board_and_says_what_would_make_it_fit(planned):
    code, out, err = planned("budget", "--hidden", "200,200")
    assert (code, err) == (0, "")
    assert all(out.count(f"\n {board} ") == 1 for board in list_boards() if board != "native")
    assert "qemu_microbit lacks " in out and "it fits with --hidden " in out
    assert "or --optimizer sgd --hidden " in out and "?: a number that nobody has read" in out


def test_what_budget_advises_can_be_planned(planned):
    (small,) = [
        each for each in told(planned, "--hidden", "200,200") if each["board"] == "qemu_microbit"
    ]
    assert not small["fits"] and small["memory"]["ram"]["over"] > 0
    for options in small["changes"]:
        code, out, err = planned("plan", "--board", "qemu_microbit", *options.split())
        assert (code, err) == (0, ""), options
    code, out, err = planned("plan", "--board", "qemu_microbit", "--hidden", "200,200")
    refused((code, out, err), 1, small["changes"][0])


def test_budget_of_a_board_tells_every_part_and_is_the_plan_s(planned):
    made = told(planned, "--board", "qemu_netduinoplus2")
    plan, board = Run("run").plan(), load_board("qemu_netduinoplus2")
    for use in budget(plan, board):
        memory = made["memory"][use.region]
        assert sum(memory["parts"].values()) == memory["need"]
        assert memory["linked"] is None and memory["reserved"] == board.region(use.region).reserved
    assert made["memory"]["ram"]["parts"]["stack"] == board.stack_bytes
    assert made["epoch"]["seconds"] is None and made["stack_bound"]["value"] <= board.stack_bytes
    code, out, err = planned("budget", "--board", "nucleo_l476rg")
    assert (
        "an epoch, estimated: about " in out
        and " mJ" in out
        and "; unverified" in " ".join(out.split())
    )


def test_budget_without_a_plan_takes_a_usual_network_and_without_a_run_says_what_lacks(verb, table):
    refused(verb("budget"), 2, "run `tinydream compress` first")
    verb("compress", table, "--target", "kind", *FEW)
    assert told(verb, "--board", "qemu_netduinoplus2")["fits"]
    refused(verb("budget", "--hidden", "a"), 2, "--hidden is a list of sizes")
    refused(verb("budget", "--board", "qemu_microbitt"), 2, "did you mean qemu_microbit")


def test_a_board_of_one_s_own_is_in_the_table(verb, table, tmp_path):
    text = Path(__file__).parents[1].joinpath("boards/qemu_microbit.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace('id = "qemu_microbit"', 'id = "mine"'))
    verb("compress", table, "--target", "kind", *FEW)
    verb("plan", "--board", "mine.toml", "--hidden", 4)
    assert "mine" in [each["board"] for each in told(verb)]


@pytest.mark.slow
@pytest.mark.needs("qemu")
def test_after_the_build_budget_tells_what_was_linked(verb, table):
    verb("compress", table, "--target", "kind", *FEW)
    verb("plan", "--board", "qemu_microbit", "--hidden", 4)
    assert verb("generate")[0] == verb("build")[0] == 0
    memory = told(verb, "--board", "qemu_microbit")["memory"]
    planned, linked = memory["ram"]["parts"], memory["ram"]["linked"]
    assert linked["stack"] == planned["stack"] and linked["port"] == planned["port"]
    assert linked["arena"] == Run("run").plan().arena_bytes
    parts = ("training state", "link buffers", "node")
    assert linked["node"] == sum(planned[name] for name in parts)
    code = memory["flash"]["parts"]["code"]
    assert memory["flash"]["linked"]["code"] == pytest.approx(code, rel=0.05)
    assert memory["ram"]["observed"] is None
    assert verb("train", "--port", "qemu", "--epochs", 1)[0] == 0
    found = told(verb, "--board", "qemu_microbit")
    seen = found["memory"]["ram"]["observed"]
    assert (seen["arena"], seen["node"]) == (linked["arena"], linked["node"])
    assert 0 < seen["stack"] <= found["stack_bound"]["value"]
    assert "observed" in verb("budget", "--board", "qemu_microbit")[1]
    assert verb("report")[0] == 0
    assert f"<td>{seen['stack']}</td>" in Run("run").read("report.html").decode()


# ---- search ----


@pytest.fixture
def data(table):
    return load_data(table, target="kind")


def test_a_search_finds_what_fits_and_learns_best_and_finds_it_again(data):
    board, heard = load_board("qemu_microbit"), []
    found = search(data, board, updates=60, tell=lambda done, of: heard.append((done, of)))
    done = [trial for trial in found.trials if trial.score is not None]
    assert found.best.score == max(trial.score for trial in done) > 0.6
    for trial in done:
        assert trial.over == 0 and trial.ram <= board.region("ram").usable
    assert {trial.optimizer for trial in done} == {"adam", "sgd"}
    assert any(trial.over for trial in found.trials)
    assert heard == [(i + 1, heard[0][1]) for i in range(len(found.trials))]
    assert found.rows == len(data.X) // 4 and len(found.trials) <= heard[0][1]
    assert search(data, board, updates=60) == found


def test_a_search_never_looks_at_rows_held_out_for_testing(data):
    blind = replace(data, X_test=data.X_test[:0], y_test=data.y_test[:0])
    board = load_board("qemu_microbit")
    assert search(blind, board, updates=10) == search(data, board, updates=10)


def test_a_search_where_nothing_fits_says_by_how_much(data):
    board = load_board("qemu_microbit")
    regions = [replace(region, bytes=900) for region in board.regions]
    with pytest.raises(BudgetError, match="nothing that was tried fits board 'qemu_microbit'"):
        search(data, replace(board, regions=tuple(regions)), updates=10)
    with pytest.raises(InputError, match="updates must be 1 or more"):
        search(data, board, updates=0)


def test_plan_search_plans_what_it_found_and_leaves_representatives_as_they_are_best(verb, table):
    verb("compress", table, "--target", "kind", *FEW)
    code, out, err = verb("plan", "--board", "qemu_microbit", "--search", "--json")
    assert (code, err) == (0, "")
    made, plan = json.loads(out), Run("run").plan()
    best = made["search"]["trials"][made["search"]["chosen"]]
    assert [x.outputs for x in plan.dense[:-1]] == best["hidden"] and plan.batch == best["batch"]
    assert plan.optimizer.kind == best["optimizer"]
    options = Run("run").read_json("compress.json", "options")["options"]
    assert options["budget_bytes"] == best["budget_bytes"]
    assert best["bits"] in (0, options["bits"])
    refused(
        verb("plan", "--board", "qemu_microbit", "--search", "--batch", 3),
        2,
        "--search and --batch do not go together",
    )
    table.write_text(table.read_text() + "1,2,3,4,a\n")
    refused(verb("plan", "--board", "native", "--search"), 2, "is gone or has changed")
