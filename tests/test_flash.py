"""Flashing, with an upload tool of the test's own and boards behind pseudo-terminals."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import serial
from bridge_double import node_program, small_plan
from click.testing import CliRunner
from plug_double import PlugDouble

from tinydream import flash as room
from tinydream import ports, stages
from tinydream.board import load_board
from tinydream.bridge import Plugged, SerialLink, hindrance
from tinydream.cli.verbs import verbs
from tinydream.errors import BuildError, FirmwareError, InputError, LinkError
from tinydream.flash import flash, look_ahead
from tinydream.run import Run

BOARD, PICO = load_board("nucleo_f446re"), load_board("pico")
PROBE = (BOARD.usb[0].vid, BOARD.usb[0].pid)
PROGRAM = next((usb.vid, usb.pid) for usb in PICO.usb if not usb.boot)
CABLE = Plugged("/dev/ttyS0", 0x0403, 0x6001, text="FT232R")
# stands for `python -m platformio`: says what it is told to, and what it was called with
TOOL = """
import json, os, pathlib, sys
pathlib.Path(os.environ["FAKE_TOLD"]).write_text(json.dumps([os.getpid(), *sys.argv[1:]]))
print(os.environ.get("FAKE_SAYS", "Hard resetting"), flush=True)
if os.environ.get("FAKE_STAYS"):
    import time
    time.sleep(60)
sys.exit(int(os.environ.get("FAKE_CODE", "0")))
"""


@pytest.fixture
def plug():
    made = PlugDouble(PROBE)
    yield made
    made.close()


@pytest.fixture
def desk(plug, tmp_path, monkeypatch):
    """A run whose plan is for a board that is plugged in, and a tool that uploads nothing."""
    (tmp_path / "tool" / "platformio").mkdir(parents=True)
    (tmp_path / "tool" / "platformio" / "__init__.py").touch()
    (tmp_path / "tool" / "platformio" / "__main__.py").write_text(TOOL)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "tool"))
    monkeypatch.setenv("FAKE_TOLD", str(tmp_path / "told"))
    desk = SimpleNamespace(others=[CABLE], told=tmp_path / "told", built=[])
    for each in (room, ports):
        monkeypatch.setattr(each, "plugged", lambda: [*plug.listed, *desk.others])
    monkeypatch.setattr(room, "_plan", lambda run: (small_plan(), BOARD))
    monkeypatch.setattr(stages, "build", lambda run, on_output: desk.built.append(run))
    monkeypatch.setattr(stages, "is_built", lambda run, made: None)
    desk.run = Run(tmp_path / "run")
    desk.run.firmware.mkdir(parents=True)
    return desk


def restart(plug, **how):
    """What a board does when the tool says that it resets it: it vanishes and comes back."""

    def on_output(line):
        if "resetting" in line:
            plug.down()
            if how.pop("stays_away", False):
                return
            timer = threading.Timer(0.3, plug.up, kwargs=how)
            timer.start()
            timer.join()

    return on_output


# ---- all goes well ----


def test_a_board_that_comes_back_under_another_name_is_found_and_asked(plug, desk):
    before = plug.up()
    done = flash(desk.run, on_output=restart(plug, noise=b"ets Jun  8 2016\r\nrst:0x1\r\n\0\x17"))
    assert done.port == plug.port != before
    assert (done.board, done.digest) == (BOARD.id, small_plan().digest.hex())
    assert desk.built == [desk.run]
    _, *told = json.loads(desk.told.read_text())
    project = str(desk.run.firmware.resolve())
    wanted = ["run", "--project-dir", project, "--target", "upload", "--upload-port", before]
    assert told == wanted
    assert (desk.run.firmware / ".pio" / "upload.log").read_text() == "Hard resetting\n"


def test_a_board_whose_port_stays_is_asked_there(plug, desk):
    port = plug.up()
    assert flash(desk.run, port).port == port


def test_a_program_with_other_usb_ids_than_the_one_before_is_found(plug, desk, monkeypatch):
    monkeypatch.setattr(room, "_plan", lambda run: (small_plan(), PICO))
    plug.ids, plug.location, plug.serial = (0x1234, 1), "", ""
    before = plug.up()

    def on_output(line):
        plug.down()
        plug.ids = PROGRAM
        plug.up()

    assert flash(desk.run, before, on_output=on_output).port == plug.port


def test_a_dry_run_says_what_would_be_done_and_does_nothing(plug, desk):
    port = plug.up()
    result = CliRunner().invoke(verbs, ["flash", "--dry-run", "-o", str(desk.run.folder), "--json"])
    steps = json.loads(result.output)
    assert steps["port"] == port and steps["board"] == BOARD.id and steps["built"] is False
    assert steps["command"][-2:] == ["--upload-port", port]
    assert not desk.told.exists() and not desk.built
    text = CliRunner().invoke(verbs, ["flash", "--dry-run", "-o", str(desk.run.folder)]).output
    assert f"{BOARD.id} is plugged in at {port}" in text and "it would be built" in text


# ---- which board ----


def test_nothing_is_flashed_for_boards_that_are_none():
    for board, how in (("native", "--port native"), ("qemu_microbit", "--port qemu")):
        run = SimpleNamespace(plan=small_plan, board=lambda made, board=board: load_board(board))
        with pytest.raises(InputError, match=f"{board}.* is not flashed: .*{how}.* runs it"):
            look_ahead(run)


def test_without_the_board_it_says_what_is_plugged_in(desk):
    with pytest.raises(LinkError, match=r"no .*F446RE.* plugged in \(/dev/ttyS0 0403:6001\)"):
        look_ahead(desk.run)
    desk.others.append(Plugged("/dev/ttyACM3", *PROGRAM))
    with pytest.raises(LinkError, match=r"/dev/ttyACM3 2e8a:00c0 pico\)"):
        look_ahead(desk.run)
    desk.others.clear()
    with pytest.raises(LinkError, match="there are no serial ports"):
        look_ahead(desk.run)


def test_of_two_boards_one_must_be_named(plug, desk):
    port = plug.up()
    desk.others.append(Plugged("/dev/ttyACM9", *PROBE, "S2", "1-3"))
    with pytest.raises(LinkError, match=rf"2 ports may be a .*{port}.*/dev/ttyACM9.*--port"):
        look_ahead(desk.run)
    assert look_ahead(desk.run, port).port == port


def test_a_port_with_another_board_is_refused_and_an_unknown_cable_is_not(plug, desk):
    plug.ids = PROGRAM
    port = plug.up()
    with pytest.raises(LinkError, match=rf"{port} is pico \(2e8a:00c0\), and the plan is for nucl"):
        look_ahead(desk.run, port)
    plug.ids = (0x0403, 0x6001)
    assert look_ahead(desk.run, port).looks == "0403:6001 a board"
    for wrong in ("/dev/nowhere", "socket://127.0.0.1:4000"):
        with pytest.raises(LinkError, match=f"port '{wrong}' is no serial port of this machine"):
            look_ahead(desk.run, wrong)


# ---- what can go wrong ----


def test_firmware_of_another_plan_is_named(plug, desk, tmp_path):
    plug.up()
    other = Path(node_program()).read_bytes().replace(small_plan().digest, b"another!")
    program = tmp_path / "other"
    program.write_bytes(other)
    program.chmod(0o755)
    with pytest.raises(FirmwareError, match="was built from another plan: digest 616e6f74686572"):
        flash(desk.run, on_output=restart(plug, program=str(program)))


def test_a_board_that_never_comes_back_is_given_up(plug, desk):
    plug.up()
    with pytest.raises(LinkError, match=r"uploaded to and did not answer within 1 s .*reset"):
        flash(desk.run, on_output=restart(plug, stays_away=True), wait=1)


def test_a_board_that_says_something_else_is_given_up(plug, desk):
    plug.up()
    with pytest.raises(LinkError, match="did not answer within 1 s .no tinydream firmware"):
        flash(desk.run, on_output=restart(plug, program="/bin/cat"), wait=1)


@pytest.mark.parametrize(
    "said, sentence",
    [
        ("could not open port '/dev/ttyUSB0': [Errno 13] Permission denied", "dialout"),
        ("libusb: LIBUSB_ERROR_ACCESS", "99-platformio-udev.rules"),
        ("[Errno 16] Device or resource busy: '/dev/ttyACM0'", "another program holds the port"),
        ("A fatal error occurred: This chip is ESP32-S3, not ESP32. Wrong --chip?", "not the plan"),
        ("Error: init mode failed\nError: UNEXPECTED idcode: 0x2ba01477", "not the plan's"),
        ("A fatal error occurred: Failed to connect to ESP32: Wrong boot mode", "hold BOOT"),
        ("No accessible RP2040 devices in BOOTSEL mode were found.", "hold BOOTSEL while"),
        ("No device found on ttyACM0", "press its reset button"),
        ("Error: open failed\nin procedure 'program'", "no debug probe answered"),
        ("A fatal error occurred: MD5 of file does not match data in flash!", "is not what was"),
        ("could not open port '/dev/ttyUSB0': No such file or directory: '/dev/ttyUSB0'", "away"),
        ("HTTPClientError: ", "with a connection to the internet"),
        ("*** [upload] Error 7\n=====", r"failed with code 3; the tool last said .*Error 7"),
    ],
)
def test_what_a_tool_says_becomes_one_sentence(plug, desk, said, sentence, monkeypatch):
    plug.up()
    monkeypatch.setenv("FAKE_SAYS", said)
    monkeypatch.setenv("FAKE_CODE", "3")
    with pytest.raises(BuildError, match=sentence) as error:
        flash(desk.run)
    text = str(error.value)
    assert text.startswith("uploading failed") and "\n" not in text and text.endswith("upload.log")
    assert said in (desk.run.firmware / ".pio" / "upload.log").read_text()


def test_a_port_that_another_program_has_is_not_touched(plug, desk):
    port = plug.up()
    with open(port) as theirs, subprocess.Popen(["sleep", "60"], stdin=theirs) as other:
        try:
            with pytest.raises(LinkError, match=rf"{port} is held by sleep \(process {other.pid}"):
                flash(desk.run)
        finally:
            other.kill()
    assert not desk.told.exists()


def test_a_port_that_is_not_ours_to_use_says_how_it_may_be(plug, monkeypatch):
    port = plug.up()
    assert hindrance(port) == "" == hindrance("/dev/nowhere")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "usermod -aG dialout" in hindrance(port)


def test_ctrl_c_ends_the_tool_and_its_children(plug, desk, monkeypatch):
    plug.up()
    monkeypatch.setenv("FAKE_STAYS", "1")

    def interrupt(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flash(desk.run, on_output=interrupt)
    pid = json.loads(desk.told.read_text())[0]
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_both_lines_are_asserted_before_a_port_is_opened(monkeypatch):
    seen = []

    class Port(serial.Serial):
        def open(self):
            seen.append((self.dtr, self.rts, self.is_open))

    monkeypatch.setattr(serial, "serial_for_url", lambda port, **options: Port())
    SerialLink("/dev/ttyUSB0").close()
    assert seen == [(True, True, False)]


def test_a_link_error_of_the_command_line_ends_with_3(desk, monkeypatch, capfd):
    from tinydream.cli import main

    monkeypatch.setattr(sys, "argv", ["tinydream", "flash", "-o", str(desk.run.folder)])
    with pytest.raises(SystemExit) as end:
        main()
    err = capfd.readouterr().err
    assert end.value.code == 3 and err.count("\n") == 1 and "no " in err and "Traceback" not in err
