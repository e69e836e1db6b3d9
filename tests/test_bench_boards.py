"""The table of emulated boards: every board in it, one weights CRC, and figures that come again."""

import json

import pytest

from bench.boards import KEPT, networks, page, trial


def kept():
    return json.loads(KEPT.read_text(encoding="utf-8"))


def test_every_emulated_board_has_a_row_and_the_weights_of_the_simulator():
    found = kept()
    assert tuple(found["boards"]) == trial.EMULATED
    crcs = {figures["weights_crc32"] for figures in found["boards"].values()}
    assert crcs == {found["simulator"]} == {trial.simulated()}


def test_the_page_is_that_of_the_figures():
    assert KEPT.with_suffix(".md").read_text(encoding="utf-8") == page.make(kept())


def test_no_board_used_more_stack_than_it_gives():
    for figures in kept()["boards"].values():
        assert 0 < figures["stack"] <= figures["stack_given"] * 3 // 4


@pytest.mark.slow
@pytest.mark.parametrize("board", ["qemu_microbit", "qemu_rv32imafc"])
def test_the_figures_come_again(board, require):
    require("riscv" if "rv32" in board else "qemu")
    found, here = kept(), trial.versions()
    if any(found[tool] != version for tool, version in here.items()):
        pytest.skip(f"boards.json was made with {found}, here are {here}: not compared")
    assert trial.on_board(board) == found["boards"][board]


def test_random_networks_were_linked_as_planned_and_kept_to_their_bounds():
    found = json.loads(networks.KEPT.read_text(encoding="utf-8"))
    assert tuple(found["boards"]) == trial.EMULATED
    assert networks.KEPT.with_suffix(".md").read_text("utf-8") == networks.page(found)[1]
    for board in found["boards"].values():
        assert len(board) == 20
        for each in board.values():
            assert (each["off"], each["gaps"], each["unnamed"]) == ({}, 0, [])
            assert abs(each["code"] - each["estimate"]) <= 0.05 * each["code"]
            assert 0 < each["stack"] <= each["stack_bound"]
