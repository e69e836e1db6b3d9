"""The Arduino port: compiled for each board as its core would, run on a stand-in of the API."""

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest
from plans import random_plan

from tinydream import Simulator
from tinydream.board import list_boards, load_board
from tinydream.bridge import Device, ProcessLink
from tinydream.build import core_folder
from tinydream.codegen import write_project
from tinydream.resources import firmware_folder

BOARDS = [board for board in map(load_board, list_boards()) if board.port == "arduino"]
STAND_IN = Path(__file__).parent / "arduino"
LIBRARY = firmware_folder() / "lib" / "tinydream"
STRICT = "-O2 -ffreestanding -Wall -Wextra -Wconversion -Wshadow -Wvla -Werror -c".split()
# as the build scripts of the cores have them, at the versions that boards name
CORES = {
    "espressif32": ("gnu99", "gnu++11", "-DARDUINO_ARCH_ESP32", "-fstrict-volatile-bitfields"),
    "ststm32": ("gnu17", "gnu++17", "-DARDUINO_ARCH_STM32"),
    "nordicnrf52": ("gnu11", "gnu++14", "-DARDUINO_ARCH_MBED", "-funsigned-char"),
    "raspberrypi": ("gnu11", "gnu++14", "-DARDUINO_ARCH_MBED", "-funsigned-char"),
    "teensy": ("gnu11", "gnu++17", "-DTEENSYDUINO=162", "-D__IMXRT1062__"),
}
# what stands in for a compiler that only PlatformIO has: the same sizes of types
ELSE = {
    "xtensa-esp32-elf-": ("", ("-m32",)),
    "xtensa-esp32s3-elf-": ("", ("-m32",)),
    "riscv32-esp-elf-": ("riscv64-unknown-elf-", ("-march=rv32imc", "-mabi=ilp32")),
}


def core_of(board):
    return CORES[board.platformio.platform.partition("@")[0]]


def done(*command, cwd):
    run = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, ""), f"{command}: {run.stderr}"
    return run.stdout


class Compiler:
    """A board's compilers with its core's flags, or what stands in for them."""

    def __init__(self, board, require) -> None:
        self.prefix, flags = ELSE.get(board.prefix, (board.prefix, board.cpu_flags))
        require({"": "cxx", "arm-none-eabi-": "arm"}.get(self.prefix, "riscv"))
        c, cxx, *macros = core_of(board)
        self.standards = {".c": ("gcc", c), ".cpp": ("g++", cxx), ".ino": ("g++", cxx)}
        switches = [flag for flag in board.platformio.build_flags if flag.startswith("-D")]
        if board.mcu.startswith("STM32"):
            macros.append(f"-D{board.mcu[:7]}xx")
        kept = [f"-D{macro}" for macro in board.storage.defines] if board.storage else []
        self.flags = (*flags, *macros, "-DARDUINO=10808", *switches, *kept)

    def compile(self, sources, folder):
        """One object a source."""
        for source in sources:
            driver, standard = self.standards[source.suffix]
            cxx = ("-x", "c++", "-fno-exceptions", "-fno-rtti") if driver == "g++" else ()
            if source.suffix == ".ino":  # as the builders of sketches do
                cxx = (*cxx, "-include", "Arduino.h")
            command = (f"{self.prefix}{driver}", *cxx, f"-std={standard}", *self.flags, *STRICT)
            includes = (f"-I{STAND_IN}", f"-I{LIBRARY / 'src'}", f"-I{source.parent}")
            done(*command, *includes, source, "-o", f"{source.stem}.o", cwd=folder)
        return [folder / f"{source.stem}.o" for source in sources]

    def wanted(self, objects, folder):
        """Names that these objects leave to the framework."""
        flags = [flag for flag in self.flags if flag.startswith("-m")]
        done(f"{self.prefix}gcc", *flags, "-nostdlib", "-r", *objects, "-o", "all.o", cwd=folder)
        return set(done(f"{self.prefix}nm", "-u", "all.o", cwd=folder).split()) - {"U"}


@pytest.fixture(scope="module")
def projects(tmp_path_factory):
    """Each board's generated project, written once."""
    made = {}

    def project(board):
        if board.id not in made:
            made[board.id] = tmp_path_factory.mktemp(board.id)
            write_project(random_plan(3, board=board.id), made[board.id])
        return made[board.id]

    return project


@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.id)
def test_a_project_compiles_as_the_core_would_and_wants_only_arduino(
    board, projects, tmp_path, require
):
    compiler, project = Compiler(board, require), projects(board)
    sources = [*(project / "src").glob("*.c*"), *(project / "lib/tinydream/src").glob("*.c")]
    objects = compiler.compile([*sources, STAND_IN / "core.cpp"], tmp_path)
    wanted = compiler.wanted(objects, tmp_path)
    ours = {name for name in wanted if re.search("td_|setup|loop|main", name)}
    assert not ours, "linkage of setup() and loop() is the core's"
    arduino = re.compile(
        r"SerialOfCore|SerialPort|EspClass|^ESP$|^(micros|delay|mem(set|cpy|cmp))$"
        r"|getArduinoLoopTaskStackSize|^uxTask|^esp_partition_|^HAL_FLASH|FlashRegisters|ControlRegisters|^SCB_Inv|FlashIAP|^eepromemu_"
    )
    runtime = re.compile(r"^_(_|GLOBAL_OFFSET)")  # libgcc's, as for floats without an FPU
    assert all(arduino.search(name) or runtime.match(name) for name in wanted), wanted


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.id)
def test_setup_and_loop_are_declared_as_that_core_declares_them(board, tmp_path, require):
    compiler = Compiler(board, require)
    (port,) = compiler.compile([firmware_folder() / "port/arduino/port.cpp"], tmp_path)
    names = set(done(f"{compiler.prefix}nm", port, cwd=tmp_path).split())
    mangled = "-DARDUINO_ARCH_ESP32" in core_of(board)  # its linker is told -u _Z5setupv
    assert ({"_Z5setupv", "_Z4loopv"} if mangled else {"setup", "loop"}) <= names


def test_constants_of_a_plan_stay_in_flash_where_the_core_copies_others(
    projects, tmp_path, require
):
    board = load_board("teensy41")
    compiler = Compiler(board, require)
    (made,) = compiler.compile([projects(board) / "src" / "td_plan.c"], tmp_path)
    sizes = done(f"{compiler.prefix}objdump", "-h", made, cwd=tmp_path).split("\n")
    size = {line.split()[1]: int(line.split()[2], 16) for line in sizes if " ." in line}
    assert size[".progmem.tinydream"] > 200
    assert sum(bytes for name, bytes in size.items() if name.startswith(".rodata")) < 100


def test_a_chip_of_another_kind_is_refused_with_what_is_missing(tmp_path, require):
    require("cxx")
    port = firmware_folder() / "port" / "arduino" / "port.cpp"
    command = ["g++", f"-I{STAND_IN}", f"-I{LIBRARY / 'src'}", "-c", port]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode and "how is this chip restarted?" in run.stderr


# ---- run ----


def program(family, projects, folder, *more):
    """The Arduino port of a family as a process of the host, on the stand-in; with its plan."""
    board = load_board("native")  # for the size of pointers
    library, plan = LIBRARY / "src", projects(board) / "src"
    flags = [f"-I{library}", f"-I{plan}", "-ffp-contract=off", "-O1", "-DARDUINO=10808"]
    main = firmware_folder() / "port" / "main.c"
    done("gcc", *flags, "-c", *library.glob("*.c"), plan / "td_plan.c", main, cwd=folder)
    ours = [f"-DARDUINO_ARCH_{family}", f"-I{STAND_IN}", *more]
    port = (firmware_folder() / "port" / "arduino").glob("*.cpp")
    arm = () if family == "ESP32" else ("-D__arm__",)  # its reset, which is not called here
    done("g++", *flags, *ours, *arm, "-c", *port, cwd=folder)
    host = STAND_IN / "host.cpp"
    done("g++", *flags, *ours, host, *folder.glob("*.o"), "-o", "program", cwd=folder)
    return folder / "program", random_plan(3, board=board.id)


@pytest.mark.slow
@pytest.mark.needs("cxx")
@pytest.mark.parametrize(
    ("family", "more"),
    [("ESP32", ()), ("ESP32", ("-DBUFFER=16",)), ("MBED", ())],
)
def test_a_sketch_trains_the_weights_that_the_simulator_trains(family, more, projects, tmp_path):
    path, plan = program(family, projects, tmp_path, *more)
    simulator, heard = Simulator(plan), []
    simulator.train(epochs=3, seed=5)
    with Device(ProcessLink([str(path)])) as device:
        device.expect(plan)
        assert device.tick_unit == "us"
        device.train(epochs=3, seed=5, on_metrics=heard.append)
        assert device.pull().tobytes() == simulator.pull().tobytes()
        assert [metrics.epoch for metrics in heard] == [1, 2, 3]
        assert all(0 < metrics.ticks < 60_000_000 for metrics in heard)


@pytest.mark.slow
@pytest.mark.needs("cxx")
def test_a_reset_starts_a_sketch_again(projects, tmp_path):
    path, plan = program("ESP32", projects, tmp_path)
    simulator = Simulator(plan)
    with Device.open(ProcessLink([str(path)])) as device:
        device.train(epochs=1, seed=5)
        device.reset()
        device.expect(plan)
        assert device.pull().tobytes() == simulator.pull().tobytes()


# ---- environments ----


def environment(path, board):
    ini = configparser.ConfigParser(interpolation=None)
    ini.read(path)
    return dict(ini[f"env:{board.id}"])


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.id)
def test_environments_pin_the_platform_and_say_what_the_board_says(board, projects):
    theirs = environment(projects(board) / "platformio.ini", board)
    ours = environment(firmware_folder() / "arduino.ini", board)
    assert theirs["platform"] == board.platformio.platform
    assert f"-DTD_BAUD={board.baud}" in theirs["build_flags"].split()
    assert theirs["build_flags"].startswith(ours.pop("build_flags").partition(" -I")[0])
    assert ours.pop("build_src_filter").startswith("+<main.c> +<arduino/> ")
    assert ours.items() <= theirs.items() and "lib_deps" not in theirs


@pytest.mark.parametrize("which", ["generated", "arduino.ini"])
def test_platformio_finds_nothing_wrong_with_the_environments(
    which, projects, tmp_path, monkeypatch
):
    text = (firmware_folder() / "arduino.ini").read_text()
    assert [f"env:{board.id}" for board in BOARDS] == re.findall(r"^\[(env:.+)\]", text, re.M)
    if which == "generated":
        made = [(projects(board) / "platformio.ini").read_text() for board in BOARDS]
        text = "".join(each[each.index("[env:") :] for each in made)
    (tmp_path / "platformio.ini").write_text(text)
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(core_folder()))
    monkeypatch.setenv("TINYDREAM_PLAN", "/plan")
    lint = (sys.executable, "-m", "platformio", "project", "config", "--lint", "-d", tmp_path)
    assert "is free from linting errors" in done(*lint, cwd=tmp_path)
