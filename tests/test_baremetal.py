"""The bare-metal port on every emulated board: bytes, ticks, reset, sleep, and how it dies."""

import os
import re
import select
import shutil
import subprocess
import time

import pytest
from plans import random_plan

from tinydream.board import list_boards, load_board
from tinydream.bridge import Device, ProcessLink
from tinydream.build import build
from tinydream.codegen import write_project
from tinydream.simulator import Simulator

BOARDS = [board for board in map(load_board, list_boards()) if board.qemu]
# QEMU lets this machine write where there is no memory (ignore_memory_transaction_failures)
UNGUARDED = ("qemu_netduino2",)

pytestmark = pytest.mark.slow


def command(board, program) -> list[str]:
    return [
        *(board.qemu.program, "-M", board.qemu.machine, *board.qemu.options),
        *("-kernel", str(program), "-icount", "shift=0"),
        *("-display", "none", "-monitor", "none", "-serial", "stdio"),
    ]


def params(boards):
    return [
        pytest.param(
            board,
            marks=pytest.mark.needs("riscv" if "riscv" in board.prefix else "qemu"),
            id=board.id,
        )
        for board in boards
    ]


every_board = pytest.mark.parametrize("board", params(BOARDS), indirect=True)


@pytest.fixture(scope="module")
def board(request):
    return request.param


@pytest.fixture(scope="module")
def project(board, tmp_path_factory):
    folder = tmp_path_factory.mktemp(board.id)
    write_project(random_plan(3, board=board.id), folder)
    return folder


@pytest.fixture(scope="module")
def on_trial(project, request):
    source = request.path.parent / "c" / "port_test.c"
    trial = shutil.copytree(project, project.with_name(f"{project.name}-trial"))
    shutil.copy(source, trial / "src" / "main.c")
    return build(trial)


class Machine:
    """QEMU with its serial line on two pipes."""

    def __init__(self, board, program) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command(board, program), bufsize=0, **pipes)

    def hear(self, end: bytes, seconds: float = 30) -> bytes:
        heard, until = b"", time.monotonic() + seconds
        while not heard.endswith(end):
            ready, _, _ = select.select([self.process.stdout], [], [], until - time.monotonic())
            assert ready, f"only {heard!r} came in {seconds} s"
            heard += os.read(self.process.stdout.fileno(), 4096)
        return heard

    def say(self, data: bytes) -> None:
        self.process.stdin.write(data)

    def cpu_seconds(self) -> float:
        with open(f"/proc/{self.process.pid}/stat") as file:
            user, system = file.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def machine(board, on_trial):
    machine = Machine(board, on_trial)
    try:
        machine.greeting = machine.hear(b"\n")
        yield machine
    finally:
        machine.process.kill()
        machine.process.communicate()


@every_board
def test_ticks_are_instructions_in_steps_of_the_counter(board, machine):
    found = re.fullmatch(rb"ready (\d+) 150 instructions \(emulated\)\n", machine.greeting)
    assert found, machine.greeting
    hz = board.devices.counter_hz or 1e9
    # 1000 nops, a call and a return; both ends of each of two spans fall between two ticks
    assert abs(int(found[1]) - 1002) <= (0 if hz == 1e9 else 2e9 / hz)


@every_board
def test_every_byte_comes_back(machine):
    data = bytes(set(range(256)) - set(b"FRS")) * 20
    machine.say(data)
    assert machine.hear(data) == data


@every_board
def test_a_reset_starts_again_with_the_same_ticks(machine):
    machine.say(b"R")
    assert machine.hear(b"\n") == machine.greeting


@every_board
def test_a_fault_is_told_with_its_status_and_place(board, machine):
    machine.say(b"F")
    told = machine.hear(b"\r\n\0")
    status = {"Cortex-M0": b"CFSR 00000000", "RV": b"mcause 00000002"}
    expected = status.get(board.core, status["RV"] if "RV" in board.core else b"CFSR 00010000")
    assert told.startswith(b"\0\r\nfault, " + expected + b", at "), told
    flash, place = board.region("flash"), int(told.strip(b"\0\r\n").split()[-1], 16)
    assert flash.start < place < flash.start + 65536


@pytest.mark.parametrize("board", params(b for b in BOARDS if b.id not in UNGUARDED), indirect=True)
def test_a_stack_that_overflows_is_told_and_writes_over_nothing(machine):
    machine.say(b"S")
    assert b"stack overflow" in machine.hear(b"\r\n\0")


@every_board
def test_a_board_that_waits_costs_the_host_nothing(machine):
    machine.say(b"x")  # after one interrupt it sleeps again
    assert machine.hear(b"x") == b"x"
    before = machine.cpu_seconds()
    time.sleep(0.5)
    assert machine.cpu_seconds() - before < 0.1


@pytest.mark.parametrize("seed", [3, 4])
@pytest.mark.parametrize("board", params([load_board("qemu_netduinoplus2")]), indirect=True)
def test_the_emulated_core_trains_the_weights_that_the_simulator_trains(board, project, seed):
    plan = random_plan(seed, board=board.id)
    write_project(plan, project)
    simulator = Simulator(plan)
    simulator.train(epochs=2, seed=seed)
    with Device(ProcessLink(command(board, build(project)))) as device:
        device.expect(plan)
        device.train(epochs=2, seed=seed)
        assert device.pull().tobytes() == simulator.pull().tobytes()
