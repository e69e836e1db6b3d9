"""Everything that can go wrong, provoked: one sentence that helps, the right exit code, no harm."""

import os
import re
import shutil
import signal
import subprocess
import time
import tty
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import serial.serialposix
from verbs import ended, refused, wait_for_epochs

from tinydream.bridge import Device, SerialLink
from tinydream.run import Run

EMULATED = "qemu_netduinoplus2"
slow = pytest.mark.slow
needs_qemu = pytest.mark.needs("qemu")


@pytest.fixture
def emulated(planned):
    for arguments in (["plan", "--board", EMULATED, "--hidden", 8], ["generate"], ["build"]):
        assert planned(*arguments)[0] == 0
    return planned


def path_without(tmp_path, *programs):
    """A PATH that has all that PATH has, except these."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for place in reversed(os.environ["PATH"].split(os.pathsep)):
        for each in Path(place).glob("*"):
            if each.name not in programs:
                (folder / each.name).unlink(missing_ok=True)
                (folder / each.name).symlink_to(each)
    return str(folder)


# ---- boards and budgets ----


def test_an_unknown_board_gets_near_matches_or_the_verb_that_lists_them(planned):
    result = planned("plan", "--board", "netduinoplus2")
    refused(result, 2, "board 'netduinoplus2' is unknown; did you mean qemu_netduinoplus2")
    refused(planned("plan", "--board", "zx81"), 2, "'zx81' is unknown; see `tinydream boards`")


def test_over_budget_says_region_need_have_and_what_to_change(planned):
    result = planned("plan", "--board", EMULATED, "--hidden", "300,300")
    refused(result, 1, "131072 bytes of ram", "needs", "over", "--hidden")


# ---- tools ----


def test_an_absent_compiler_is_named_with_its_package(planned, tmp_path, monkeypatch):
    planned("generate")
    monkeypatch.setenv("PATH", path_without(tmp_path, "cc", "arm-none-eabi-gcc"))
    refused(planned("build"), 3, "compiler cc is not on PATH", "`apt-get install gcc`")
    planned("plan", "--board", EMULATED, "--hidden", 8), planned("generate")
    refused(planned("build"), 3, "arm-none-eabi-gcc is", "`apt-get install gcc-arm-none-eabi`")


@slow
@needs_qemu
def test_an_absent_emulator_is_named_with_its_package(emulated, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", path_without(tmp_path, "qemu-system-arm"))
    result = emulated("train", "--port", "qemu")
    refused(result, 3, "qemu-system-arm is not on PATH", "`apt-get install qemu-system-arm`")


@slow
@pytest.mark.needs("cc")
def test_an_error_in_the_project_is_told_with_its_line_and_generate_mends_it(built):
    source = Path("run/firmware/src/td_plan.c")
    good = source.read_text()
    source.write_text(good + "\nthis is no C;\n")
    line = good.count("\n") + 2
    refused(built("build"), 3, "build failed", f"td_plan.c:{line}:", "error", "build.log")
    assert built("generate")[0] == built("build")[0] == 0
    assert built("train", "--port", "native")[0] == 0


@slow
@pytest.mark.needs("arm")
def test_ram_that_overflows_when_linked_says_by_how_much(emulated):
    source = Path("run/firmware/src/main.c")
    main = source.read_text().replace("td_port_init();", "td_port_init(); big[1] = 1;")
    source.write_text("volatile char big[200000];\n" + main)
    refused(emulated("build"), 3, "does not fit: ram is over by ", " bytes; try fewer")


def test_a_stack_that_is_too_small_is_told_before_anything_is_built(planned):
    text = (Path(__file__).parents[1] / "boards" / "qemu_microbit.toml").read_text()
    small = re.sub(r"(stack_bytes = \{ value = )[\d_]+", r"\g<1>512", text)
    Path("my_board.toml").write_text(small.replace("qemu_microbit", "my_board"))
    says = "has 512 bytes", "raise its stack_bytes"
    refused(planned("plan", "--board", "my_board.toml", "--hidden", 4), 1, "stack of", *says)
    code, out, _ = planned("budget", "--board", "my_board.toml")
    assert code == 0 and "of stack; raise stack_bytes in its file" in out


# ---- ports ----


@contextmanager
def wire(program):
    """A program behind a pseudo-terminal, as if it were a board: (port, process, unplug)."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    port = os.ttyname(theirs)
    process = subprocess.Popen(program, stdin=ours, stdout=ours)
    open_files = [ours, theirs]

    def unplug():
        process.kill()
        process.wait()
        while open_files:
            os.close(open_files.pop())

    try:
        yield port, process, unplug
    finally:
        unplug()


def test_an_absent_port_is_told_with_the_verb_that_lists_ports(planned):
    for port in ("/dev/ttyUSB99", "natve"):
        result = planned("train", "--port", port)
        refused(result, 3, f"'{port}' does not exist", "`tinydream ports`")
    refused(planned("train", "--port", "socket://127.0.0.1:1"), 3, "cannot be opened", "refused")


def test_a_port_that_another_program_holds(planned):
    with wire(["sleep", "60"]) as (port, _, _):
        monitor = SerialLink(port)
        refused(planned("train", "--port", port), 3, f"'{port}' is held by another program; close")
        monitor.close()


def test_a_port_that_this_user_may_not_open(planned, monkeypatch):
    opened = os.open

    def guarded(path, *rest):
        if path == "/dev/ttyACM7":
            raise PermissionError(13, "Permission denied")
        return opened(path, *rest)

    monkeypatch.setattr(serial.serialposix.os, "open", guarded)
    result = planned("train", "--port", "/dev/ttyACM7")
    refused(result, 3, "may not be used by this user", "usermod -aG dialout")


@pytest.mark.parametrize("program", [["sleep", "60"], ["yes"]], ids=["silent", "noise"])
def test_a_port_where_no_firmware_answers(planned, monkeypatch, program):
    monkeypatch.setitem(Device.__init__.__kwdefaults__, "open_timeout", 0.6)
    with wire(program) as (port, _, _):
        result = planned("train", "--port", port)
    refused(result, 3, f"no tinydream firmware answered on '{port}' within 0.6 s", "baud rate")


@slow
@pytest.mark.needs("cc")
def test_a_device_built_from_another_plan_is_refused_with_both_digests(built):
    program = shutil.copy("run/firmware/.pio/build/native/program", "other")
    old = Run("run").plan().digest.hex()
    assert built("plan", "--board", "native", "--hidden", 5)[0] == 0
    new = Run("run").plan().digest.hex()
    with wire([f"./{program}"]) as (port, _, _):
        for verb in ("train", "pull"):
            refused(built(verb, "--port", port), 3, "another plan", old, new, "`tinydream build`")
    assert not Run("run").has("weights.npz")


@slow
@pytest.mark.needs("cc")
@pytest.mark.parametrize("end", ["unplugged", "crashed"])
def test_a_board_that_goes_away_while_it_trains_tells_how_far_it_was(built, background, end):
    assert built("train", "--port", "native")[0] == 0
    before = Run("run").read("weights.npz"), Run("run").read("train.json")
    Run("run").path("log.jsonl").unlink()
    with wire(["run/firmware/.pio/build/native/program"]) as (port, board, unplug):
        host = background("train", "--port", port, "--epochs", 10**6, "--wait", 0.5)
        wait_for_epochs(host)
        unplug() if end == "unplugged" else board.kill()
        says = "broke" if end == "unplugged" else "did not answer Status"
        ended(host, 3, "training broke off", "of 1000000", says, "cable")
    assert before == (Run("run").read("weights.npz"), Run("run").read("train.json"))
    assert built("train", "--port", "native")[0] == 0


def emulator_of(host):
    children = Path(f"/proc/{host.pid}/task/{host.pid}/children").read_text().split()
    (emulator,) = [pid for pid in children if "qemu" in Path(f"/proc/{pid}/comm").read_text()]
    return int(emulator)


def gone(pid):
    until = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.02)
    return not Path(f"/proc/{pid}").exists()


@slow
@needs_qemu
def test_an_emulator_that_dies_while_it_trains_tells_how_far_it_was(emulated, background):
    host = background("train", "--port", "qemu", "--epochs", 10**6)
    wait_for_epochs(host)
    os.kill(emulator_of(host), signal.SIGKILL)
    ended(host, 3, "training broke off", "of 1000000", "qemu-system-arm was killed by SIGKILL")
    assert emulated("train", "--port", "qemu", "--epochs", 3)[0] == 0


# ---- Ctrl-C ----


@slow
@needs_qemu
def test_ctrl_c_ends_the_emulator_too_and_one_can_go_on(emulated, background):
    host = background("train", "--port", "qemu", "--epochs", 10**6)
    wait_for_epochs(host)
    emulator = emulator_of(host)
    host.send_signal(signal.SIGINT)
    ended(host, 130, "interrupted")
    assert gone(emulator)
    assert emulated("train", "--port", "qemu", "--epochs", 3)[0] == 0


@slow
def test_ctrl_c_while_a_port_is_silent(planned, background):
    with wire(["sleep", "60"]) as (port, _, _):
        host = background("train", "--port", port)
        until = time.monotonic() + 30
        while time.monotonic() < until and not holds(host, port):
            time.sleep(0.05)
        time.sleep(0.5)
        host.send_signal(signal.SIGINT)
        ended(host, 130, "interrupted")
    assert planned("train", "--port", "sim")[0] == 0


def holds(process, port):
    """Whether a process has a port open."""
    with suppress(OSError):  # a file may be closed meanwhile
        folder = f"/proc/{process.pid}/fd"
        return str(port) in {os.readlink(f"{folder}/{each}") for each in os.listdir(folder)}
    return False


@slow
@pytest.mark.needs("cc")
def test_ctrl_c_in_a_build_ends_it_and_the_next_one_is_whole(planned, background):
    planned("generate")
    host, log = background("build"), Path("run/firmware/.pio/build.log")
    until = time.monotonic() + 30
    while time.monotonic() < until and not (log.exists() and "Compiling" in log.read_text()):
        time.sleep(0.01)
    host.send_signal(signal.SIGINT)
    ended(host, 130, "interrupted")
    assert planned("build")[0] == planned("train", "--port", "native")[0] == 0


@slow
def test_ctrl_c_in_the_demo_ends_every_seed(verb, background):
    host = background("demo", "--port", "sim", "--seeds", 5)
    wait_for_epochs(host)
    host.send_signal(signal.SIGINT)
    started = time.monotonic()
    ended(host, 130, "interrupted")
    assert time.monotonic() - started < 15  # a stage may end first
    assert not Path("run/seeds/4").exists()
