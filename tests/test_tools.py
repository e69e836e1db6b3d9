"""The verbs boards, ports and doctor: what there is, what lacks, and the line that mends it."""

import importlib.metadata
import json
import os
import sys

import pytest

from tinydream import doctor, ports
from tinydream.board import list_boards, load_board
from tinydream.bridge import Plugged

NAMES = [
    "Python",
    "PlatformIO",
    "SCons",
    "cc",
    "arm-none-eabi-gcc",
    "qemu-system-arm",
    "riscv64-unknown-elf-gcc",
    "qemu-system-riscv32",
    "Keras",
    "cache",
    "run folder",
    "serial ports",
]


@pytest.fixture
def looked(verb, tmp_path, monkeypatch):
    """What `doctor --json` says, by name, and its exit code."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def look(*arguments):
        code, out, err = verb("doctor", "--json", *arguments)
        assert err == ""
        return {check["name"]: check for check in json.loads(out)}, code

    return look


def program(folder, name, text):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


# ---- boards ----


def test_boards_lists_every_board_with_its_memory_and_what_nobody_verified(verb):
    code, out, err = verb("boards")
    assert (code, err) == (0, "")
    for board in map(load_board, list_boards()):
        assert board.id in out and board.name in out
    assert "1,024 + 128" in out and "unverified: pointer_bytes, stack_bytes" in out
    assert "40? + 17?" in out and "?: unverified, nobody has read" in out


def test_a_plan_marks_what_nobody_verified_of_its_board(table, verb):
    verb("compress", table, "--target", "kind", "--budget-bytes", 400)
    out = verb("plan", "--board", "bluepill_f103c8", "--hidden", 4)[1]
    assert "of 40,960?" in out and "of 17,408?" in out and "2,048?" not in out
    assert "4,096?" in verb("plan", "--board", "qemu_netduinoplus2", "--hidden", 4)[1]


def test_boards_as_json_is_what_the_files_say(verb):
    told = {board["id"]: board for board in json.loads(verb("boards", "--json")[1])}
    assert sorted(told) == list(list_boards())
    board = told["qemu_netduinoplus2"]
    assert [region["usable"] for region in board["regions"]] == [1_048_576, 131_072]
    assert (board["run_by"], board["unverified"]) == ("qemu", ["pointer_bytes", "stack_bytes"])


# ---- ports ----


def test_ports_lists_those_without_a_board_and_the_serial_ones(verb, monkeypatch):
    wires = [Plugged("/dev/ttyACM0", 0x2E8A, 0x00C0, text="Pico"), Plugged("/dev/ttyS0")]
    monkeypatch.setattr(ports, "plugged", lambda: wires)
    told = json.loads(verb("ports", "--json")[1])
    assert [place["port"] for place in told] == [
        "sim",
        "native",
        "qemu",
        "keras",
        "/dev/ttyACM0",
        "/dev/ttyS0",
    ]
    assert [place["what"] for place in told[4:]] == ["Pico 2e8a:00c0", "a serial port"]
    assert told[4]["boards"] == ["pico"] and len(told[5]["boards"]) == len(list_boards())
    assert told[1]["boards"] == ["native"] and told[2]["boards"][0] == "qemu_netduinoplus2"
    assert sorted(told[2]["boards"]) == [b for b in list_boards() if load_board(b).qemu]
    assert told[3]["boards"] == told[0]["boards"]
    code, out, err = verb("ports")
    assert code == 0 and "/dev/ttyACM0" in out and "Pico" in out


def test_ports_says_what_each_still_needs(verb, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    told = {place["port"]: place["missing"] for place in json.loads(verb("ports", "--json")[1])}
    assert told["sim"] == [] and told["native"] == ["cc: apt-get install gcc libc6-dev"]
    assert "qemu-system-arm: apt-get install qemu-system-arm" in told["qemu"]
    assert "apt-get install gcc-arm-none-eabi" in verb("ports")[1]
    assert not [need for need in told["qemu"] if "riscv" in need]  # most boards do without


# ---- doctor ----


@pytest.mark.needs("cc")
def test_doctor_looks_at_everything_and_ends_with_0_where_native_works(looked, verb):
    checks, code = looked()
    assert list(checks) == NAMES and code == 0
    for name in ("Python", "PlatformIO", "SCons", "cc", "cache", "run folder"):
        assert checks[name]["ok"] and checks[name]["mend"] == "", checks[name]
    assert sys.executable in checks["Python"]["found"]
    assert "PlatformIO" in verb("doctor")[1]


def test_what_is_not_on_path_is_told_with_its_package(looked, verb, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    checks, code = looked()
    assert code == 1
    packages = {
        "cc": "gcc libc6-dev",
        "arm-none-eabi-gcc": "gcc-arm-none-eabi",
        "qemu-system-arm": "qemu-system-arm",
        "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf",
        "qemu-system-riscv32": "qemu-system-misc",
    }
    for name, package in packages.items():
        assert not checks[name]["ok"] and checks[name]["mend"] == f"apt-get install {package}"
    code, out, err = verb("doctor")
    assert code == 1 and out.count("missing") == 5 and "apt-get install gcc libc6-dev" in out


@pytest.mark.needs("cc")
def test_tools_that_only_other_ports_need_are_no_failure(looked, monkeypatch, tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for name in ("cc", "as", "ld"):
            if os.path.exists(f"{place}/{name}") and not (folder / name).exists():
                (folder / name).symlink_to(f"{place}/{name}")
    monkeypatch.setenv("PATH", str(folder))
    checks, code = looked()
    assert code == 0 and not checks["qemu-system-arm"]["ok"] and checks["cc"]["ok"]


def test_a_compiler_that_compiles_nothing_is_missing_its_library(looked, monkeypatch, tmp_path):
    program(tmp_path, "cc", "echo 'hello.c:1: fatal error: stdint.h: No such file' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    checks, code = looked()
    assert code == 1 and "fatal error: stdint.h" in checks["cc"]["found"]
    assert checks["cc"]["mend"] == "apt-get install gcc libc6-dev"


@pytest.mark.parametrize(
    ("package", "name", "mend"),
    [
        ("platformio", "PlatformIO", "-m pip install 'platformio==6.2.*'"),
        ("scons", "SCons", "-m pip install 'scons==4.11.1'"),
    ],
)
@pytest.mark.parametrize("installed", [None, "1.0"])
def test_python_packages_that_are_absent_or_others(
    looked, monkeypatch, package, name, mend, installed
):
    real = importlib.metadata.version

    def version(asked):
        if asked == package and installed is None:
            raise importlib.metadata.PackageNotFoundError(asked)
        return installed if asked == package else real(asked)

    monkeypatch.setattr(doctor.importlib.metadata, "version", version)
    checks, code = looked()
    assert code == 1 and not checks[name]["ok"]
    assert checks[name]["mend"] == f"{sys.executable} {mend}"


def test_folders_that_cannot_be_written(looked, monkeypatch, tmp_path):
    block = tmp_path / "file"
    block.touch()
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(block))
    monkeypatch.setattr("tempfile.tempdir", None)
    checks, code = looked("-o", block / "run")
    assert code == 1 and "cannot be written: Not a directory" in checks["run folder"]["found"]
    monkeypatch.setattr(doctor, "cache_folder", refuse)
    checks, code = looked()
    assert code == 1 and checks["cache"]["mend"].startswith("export XDG_CACHE_HOME=")


def refuse():
    raise doctor.BuildError("no folder can be written; set XDG_CACHE_HOME")


def test_serial_ports_of_another_group_are_told_with_the_line_that_joins_it(looked, monkeypatch):
    monkeypatch.setattr(doctor, "port_names", lambda: ["/dev/null"])
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    checks, code = looked()
    assert (
        not checks["serial ports"]["ok"] and "/dev/null may not" in checks["serial ports"]["found"]
    )
    assert checks["serial ports"]["mend"].startswith("sudo usermod -aG ")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="groups are Linux's")
def test_a_user_outside_dialout_is_told_before_a_port_is_there(looked, monkeypatch):
    monkeypatch.setattr(doctor, "port_names", list)
    monkeypatch.setattr(doctor.os, "getuid", lambda: 1000)
    monkeypatch.setattr(doctor.os, "getgroups", list)
    monkeypatch.setattr(doctor.os, "getgid", lambda: 1000)
    monkeypatch.setattr(doctor, "cache_folder", lambda: "cache")
    checks, _ = looked()
    assert checks["serial ports"]["mend"] == 'sudo usermod -aG dialout "$USER", then log in again'
