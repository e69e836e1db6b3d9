"""The bare-metal port on an emulated board: bytes, ticks, reset, and how it dies."""

import os
import select
import shutil
import subprocess
import time

import pytest
from plans import random_plan

from tinydream.board import load_board
from tinydream.bridge import Device, ProcessLink
from tinydream.build import build
from tinydream.codegen import write_project
from tinydream.simulator import Simulator

BOARD = "qemu_netduinoplus2"
READY = b"ready 1002 150 instructions (emulated)\n"  # 1000 nops, a call and a return

pytestmark = [pytest.mark.needs("qemu"), pytest.mark.slow]


def command(program) -> list[str]:
    machine = load_board(BOARD).machine
    return [
        *("qemu-system-arm", "-M", machine, "-kernel", str(program), "-icount", "shift=0"),
        *("-display", "none", "-monitor", "none", "-serial", "stdio"),
    ]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("port")
    write_project(random_plan(3, board=BOARD), folder)
    return folder


@pytest.fixture(scope="module")
def on_trial(project, request):
    source = request.path.parent / "c" / "port_test.c"
    trial = shutil.copytree(project, project.with_name("trial"))
    shutil.copy(source, trial / "src" / "main.c")
    return build(trial)


class Emulator:
    """QEMU with its serial line on two pipes."""

    def __init__(self, program) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command(program), bufsize=0, **pipes)

    def hear(self, end: bytes, seconds: float = 30) -> bytes:
        heard, until = b"", time.monotonic() + seconds
        while not heard.endswith(end):
            ready, _, _ = select.select([self.process.stdout], [], [], until - time.monotonic())
            assert ready, f"only {heard!r} came in {seconds} s"
            heard += os.read(self.process.stdout.fileno(), 4096)
        return heard

    def cpu_seconds(self) -> float:
        with open(f"/proc/{self.process.pid}/stat") as file:
            user, system = file.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def emulator(on_trial):
    emulator = Emulator(on_trial)
    assert emulator.hear(b"\n") == READY
    yield emulator
    emulator.process.kill()
    emulator.process.communicate()


def test_every_byte_comes_back(emulator):
    data = bytes(set(range(256)) - set(b"FRS")) * 20
    emulator.process.stdin.write(data)
    assert emulator.hear(data) == data


def test_a_reset_starts_again_with_the_same_ticks(emulator):
    emulator.process.stdin.write(b"R")
    assert emulator.hear(b"\n") == READY


def test_a_fault_is_told_with_its_status_and_place(emulator):
    emulator.process.stdin.write(b"F")
    assert emulator.hear(b"\r\n\0").startswith(b"\0\r\nfault, CFSR 00008200, at 0800")


def test_a_stack_that_overflows_is_told_and_writes_over_nothing(emulator):
    emulator.process.stdin.write(b"S")
    assert b"stack overflow" in emulator.hear(b"\r\n\0")


def test_a_board_that_waits_costs_the_host_nothing(emulator):
    before = emulator.cpu_seconds()
    time.sleep(0.5)
    assert emulator.cpu_seconds() - before < 0.1


@pytest.mark.parametrize("seed", [3, 4])
def test_the_emulated_core_trains_the_weights_that_the_simulator_trains(project, seed):
    plan = random_plan(seed, board=BOARD)
    write_project(plan, project)
    simulator = Simulator(plan)
    simulator.train(epochs=2, seed=seed)
    with Device(ProcessLink(command(build(project)))) as device:
        device.expect(plan)
        device.train(epochs=2, seed=seed)
        assert device.pull().tobytes() == simulator.pull().tobytes()
