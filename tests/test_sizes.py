"""What was planned is what is linked: every buffer to the byte, code within 5 % of the estimate."""

from dataclasses import replace

import pytest

from bench.boards import networks
from bench.boards.link import Linker
from bench.boards.trial import EMULATED
from tinydream.board import load_board
from tinydream.budget import budget

pytestmark = [pytest.mark.needs("qemu"), pytest.mark.slow]


class Linkers(dict):
    """A linker for each board that is asked for. whole: objects have all kernels, and are few."""

    def __init__(self, folder, **options) -> None:
        self.folder, self.options = folder, options

    def __missing__(self, board_id: str) -> Linker:
        self[board_id] = Linker(board_id, self.folder(board_id), **self.options)
        return self[board_id]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return Linkers(tmp_path_factory.mktemp, objects="whole")


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    return Linkers(tmp_path_factory.mktemp)


def fitting(board_id: str) -> list[int]:
    """The first 20 seeds from 100 on whose networks the board holds."""
    board, found, seed = load_board(board_id), list[int](), 100
    while len(found) < 20:
        plan = networks.random_plan(seed, board_id)
        if not any(use.over for use in budget(plan, board)):
            found.append(seed)
        seed += 1
    return found


@pytest.mark.parametrize("board_id", EMULATED)
def test_every_buffer_of_20_networks_is_linked_as_planned(board_id, whole, require):
    require("riscv" if "rv32" in board_id else "qemu")
    for seed in fitting(board_id):
        plan, linker = networks.random_plan(seed, board_id), whole[board_id]
        found = networks.sizes(linker, plan, linker.program(plan))
        # td_plan.c and main.c have the plan's kernels; what other files hold is code
        assert (found["off"], found["gaps"]) == ({}, 0), (seed, found)
        # a table of less than a word may lie among others' constants, without a symbol
        assert not found["unnamed"], (seed, found)


def test_representatives_in_ram_are_counted_there(whole):
    linker = whole["qemu_netduinoplus2"]
    for seed in range(100, 106):
        plan = replace(networks.random_plan(seed, "qemu_netduinoplus2"), refill=True)
        found = networks.sizes(linker, plan, linker.program(plan))
        assert found["off"] == {} and 0 <= found["gaps"] < 8, (seed, found)


@pytest.mark.parametrize("board_id", EMULATED)
def test_the_code_of_a_network_is_within_5_percent_of_the_estimate(board_id, exact, require):
    require("riscv" if "rv32" in board_id else "qemu")
    for seed in range(100, 106) if "netduino" in board_id else (101, 104):
        plan, linker = networks.random_plan(seed, board_id), exact[board_id]
        found = networks.sizes(linker, plan, linker.program(plan))
        assert abs(found["estimate"] - found["code"]) <= 0.05 * found["code"], (seed, found)
