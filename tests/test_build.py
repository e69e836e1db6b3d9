"""Building: a project becomes a program that runs, and each way to fail says what to do."""

import configparser
import importlib
import importlib.metadata
import os
import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jinja2
import pytest

from tinydream.board import list_boards, load_board
from tinydream.build import build, core_folder
from tinydream.errors import BuildError
from tinydream.resources import firmware_folder

HELLO = '#include <stdio.h>\nint main(void) { return puts("hello") < 0; }\n'
BARE = '#include "td_port.h"\nint main(void) { td_port_init(); return 0; }\n'
room = importlib.import_module("tinydream.build")  # the package may give its name to the function
TEMPLATES = Path(room.__file__).parent / "codegen" / "templates"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tinydream"


def make(place: Path, board_id: str = "native", main: str = HELLO) -> Path:
    """A project as codegen lays it out, with a main of the test's own."""
    board = load_board(board_id)
    template = (TEMPLATES / "platformio.ini.j2").read_text()
    shutil.copytree(firmware_folder() / "platform", place / "platform")
    library = place / "lib" / "tinydream"
    (library / "src").mkdir(parents=True)
    for name in ("library.json", "src/td_port.h"):
        shutil.copy(firmware_folder() / "lib" / "tinydream" / name, library / name)
    if board.port == "native":
        (place / "src").mkdir()
    else:
        shutil.copytree(firmware_folder() / "port" / board.port, place / "src")
    (place / "src" / "main.c").write_text(main)
    jinja = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = jinja.from_string(template).render(
        board=board, command="tinydream generate", kernels={"TD_WITH_ADAM": 1}
    )
    (place / "platformio.ini").write_text(text)
    return place


def run(program: Path) -> str:
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout


@pytest.mark.needs("cc")
def test_a_native_project_becomes_a_program_that_runs(tmp_path, cache):
    heard = []
    program = build(make(tmp_path / "a b"), on_output=heard.append)
    assert program.name == "program" and run(program) == "hello\n"
    assert any("Compiling" in line for line in heard)
    assert "Compiling" in (tmp_path / "a b" / ".pio" / "build.log").read_text()


@pytest.mark.needs("cc")
def test_a_second_build_sees_what_has_changed(tmp_path, cache):
    project = make(tmp_path / "p")
    build(project)
    (project / "src" / "main.c").write_text(HELLO.replace("hello", "again"))
    assert run(build(project)) == "again\n"


@pytest.mark.needs("cc")
def test_a_project_that_was_moved_builds_again(tmp_path, cache):
    project = make(tmp_path / "p")
    build(project)
    assert run(build(project.rename(tmp_path / "q"))) == "hello\n"


@pytest.mark.needs("cc")
def test_builds_that_start_together_in_an_empty_cache_all_succeed(tmp_path, cache):
    projects = [make(tmp_path / str(i)) for i in range(3)]
    with ThreadPoolExecutor(3) as pool:
        assert [run(program) for program in pool.map(build, projects)] == ["hello\n"] * 3
    assert [path.name.split("-")[0] for path in cache.iterdir()] == ["platformio"]


@pytest.mark.needs("cc")
def test_the_users_own_platformio_is_neither_used_nor_written(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "theirs"))
    monkeypatch.setenv("PLATFORMIO_SRC_DIR", str(tmp_path / "elsewhere"))
    assert run(build(make(tmp_path / "p"))) == "hello\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "p"]


@pytest.mark.needs("cc")
def test_a_build_opens_no_connection(tmp_path, cache, monkeypatch):
    # a proxy that nobody listens at: a look-up would fail the build or make it wait
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    heard = []
    assert run(build(make(tmp_path / "p"), on_output=heard.append)) == "hello\n"
    assert not [line for line in heard if "nstalling" in line or "onnection" in line]


@pytest.mark.parametrize("board_id", [b for b in list_boards() if not load_board(b).platformio])
def test_the_developers_ini_holds_the_numbers_of_the_board(tmp_path, board_id):
    ours, theirs = (configparser.ConfigParser(interpolation=None) for _ in range(2))
    ours.read(firmware_folder() / "platformio.ini")
    theirs.read(make(tmp_path / "p", board_id) / "platformio.ini")
    section = f"env:{board_id}"
    keys = ("prefix", "cpu_flags", "link_flags", "devices", "memory")
    for key in (f"custom_{key}" for key in keys):
        assert ours[section].get(key) == theirs[section].get(key), key


@pytest.mark.needs("arm")
def test_a_bare_metal_project_becomes_an_elf_file_without_a_warning(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("PLATFORMIO_BUILD_FLAGS", "-Werror")
    program = build(make(tmp_path / "p", "qemu_netduinoplus2", BARE))
    assert program.name == "firmware.elf" and program.read_bytes()[:4] == b"\x7fELF"


@pytest.mark.parametrize("board_id", [b for b in list_boards() if load_board(b).devices])
def test_the_bare_metal_port_compiles_for_each_board_without_a_warning(board_id, tmp_path, require):
    board, firmware = load_board(board_id), firmware_folder()
    require("riscv" if "riscv" in board.prefix else "arm")
    strict = "-std=c99 -O2 -ffreestanding -Wall -Wextra -Wconversion -Wshadow -Wvla -Werror -c"
    macros = [f"-D{macro}" for macro in board.devices.defines]
    sources = sorted((firmware / "port" / "baremetal").glob("*.c"))
    command = [f"{board.prefix}gcc", *board.cpu_flags, *macros, *strict.split(), *sources]
    command.append(f"-I{firmware / 'lib' / 'tinydream' / 'src'}")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_port_without_a_line_says_what_is_missing(tmp_path, require):
    require("arm")
    port = firmware_folder() / "port" / "baremetal" / "port.c"
    library = firmware_folder() / "lib" / "tinydream" / "src"
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-DTD_LINE_IRQ=1", f"-I{library}"]
    done = subprocess.run([*command, "-c", port], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode and "no serial line is named" in done.stderr


@pytest.mark.needs("arm")
@pytest.mark.parametrize(
    ("array", "why"),
    [
        ("char big[200000]; char *use(void); char *use(void) { return big; }", "ram is over by"),
        ("const char big[2000000] = {1};", "flash is over by"),
    ],
)
def test_a_program_that_does_not_fit_says_where_and_by_how_much(tmp_path, cache, array, why):
    main = f"{array}\nint main(void) {{ return ((volatile const char *)big)[1]; }}\n"
    project = make(tmp_path / "p", "qemu_netduinoplus2", main)
    with pytest.raises(BuildError, match=rf"does not fit: {why} \d+ bytes; try fewer") as error:
        build(project)
    assert str(project / ".pio" / "build.log") in str(error.value)


@pytest.mark.needs("cc")
def test_a_compile_error_is_named_with_its_line_and_the_log(tmp_path, cache):
    project = make(tmp_path / "p", main="int main(void)\n{\n    return nothing;\n}\n")
    with pytest.raises(BuildError, match=r"build failed: src/main\.c:3:12: error: .*nothing") as e:
        build(project)
    assert str(project / ".pio" / "build.log") in str(e.value)


# ---- boards that PlatformIO's own platforms build ----


@pytest.fixture
def platformio(tmp_path, monkeypatch):
    """A stand-in for PlatformIO: prints its settings and a text, makes a program if code is 0."""

    def stand_in(text: str, code: int = 0) -> None:
        path = tmp_path / "python"
        make = 'mkdir -p "$made" && echo > "$made/firmware.elf"' if code == 0 else f"exit {code}"
        path.write_text(f"#!/bin/sh\nenv\necho '{text}'\nmade=$5/.pio/build/esp32dev\n{make}\n")
        path.chmod(0o755)
        monkeypatch.setattr(room.sys, "executable", str(path))

    return stand_in


def test_a_real_board_is_built_in_the_users_own_platformio(
    tmp_path, cache, platformio, monkeypatch
):
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", "/theirs")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")  # no compiler is looked for
    platformio("fine")
    heard = []
    program = build(make(tmp_path / "p", "esp32dev"), on_output=heard.append)
    assert program.name == "firmware.elf" and "PLATFORMIO_CORE_DIR=/theirs" in heard
    assert not cache.exists()


def test_a_platform_that_cannot_be_downloaded_is_told_so(tmp_path, platformio):
    platformio("Platform Manager: Installing espressif32 @ 6.12.0\nHTTPClientError: ", code=1)
    with pytest.raises(BuildError, match="could not download .* with a connection to the int"):
        build(make(tmp_path / "p", "esp32dev"))


@pytest.mark.needs("cc")
def test_a_missing_function_is_named(tmp_path, cache):
    project = make(tmp_path / "p", main="int f(void);\nint main(void) { return f(); }\n")
    with pytest.raises(BuildError, match="build failed: .*undefined reference to `f'"):
        build(project)


@pytest.mark.needs("cc")
def test_a_failed_build_does_not_hand_back_the_program_of_an_earlier_one(tmp_path, cache):
    project = make(tmp_path / "p")
    build(project)
    (project / "src" / "main.c").write_text("#error no\n")
    with pytest.raises(BuildError, match="error: #error no"):
        build(project)


@pytest.mark.needs("cc")
def test_what_else_platformio_says_is_passed_on(tmp_path, cache):
    project = make(tmp_path / "p")
    (project / "platform" / "tinydream" / "builder" / "main.py").write_text("raise KeyError('x')")
    with pytest.raises(BuildError, match=r"PlatformIO ended with code 1 and last said '.+'"):
        build(project)


@pytest.mark.parametrize("text", [None, "[platformio]\n", "no ini"])
def test_a_folder_without_a_project_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "platformio.ini").write_text(text)
    with pytest.raises(BuildError, match="holds no project .* run `tinydream generate`"):
        build(tmp_path)


@pytest.mark.parametrize(
    ("board", "why"),
    [
        ("native", "compiler cc is not on PATH; run `apt-get install gcc`"),
        ("qemu_netduinoplus2", "arm-none-eabi-gcc .* `apt-get install gcc-arm-none-eabi`"),
    ],
)
def test_a_missing_compiler_is_named_with_its_package(tmp_path, monkeypatch, board, why):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match=why):
        build(make(tmp_path / "p", board))


def test_a_compiler_that_no_package_is_known_for_is_named(tmp_path):
    project = make(tmp_path / "p", "qemu_netduinoplus2")
    ini = project / "platformio.ini"
    ini.write_text(ini.read_text().replace("arm-none-eabi-", "pdp11-"))
    with pytest.raises(BuildError, match="pdp11-gcc is not on PATH; install it"):
        build(project)


def pretend(monkeypatch, **versions):
    """As if these versions were installed; None: not installed."""

    def version(name):
        if versions.get(name, "") is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions.get(name) or importlib.metadata.version(name)

    monkeypatch.setattr(room, "version", version)


@pytest.mark.parametrize("name", ["platformio", "scons"])
def test_a_missing_python_package_is_named_with_the_line_that_installs_it(monkeypatch, name):
    pretend(monkeypatch, **{name: None})
    with pytest.raises(BuildError, match=f"^{name} is not installed .* `pip install {name}`"):
        core_folder()


def test_another_scons_than_platformio_wants_is_refused(cache, monkeypatch):
    pretend(monkeypatch, scons="4.10.1")
    with pytest.raises(BuildError, match=r"wants SCons 4\.11\.1 and 4\.10\.1 .*scons==4\.11\.1"):
        core_folder()


def test_a_platformio_with_another_scheme_is_refused(cache, monkeypatch):
    from platformio import dependencies

    monkeypatch.setattr(dependencies, "get_core_dependencies", lambda: {"tool-scons": "^9"})
    with pytest.raises(BuildError, match=r"wants SCons another .*platformio==6\.2\.\*"):
        core_folder()


def test_the_cache_falls_back_from_xdg_to_home_to_a_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert core_folder().parent == tmp_path / "home" / ".cache" / "tinydream"
    monkeypatch.setenv("HOME", "")
    ours = core_folder().parent
    assert ours.parent == tmp_path and stat.S_IMODE(ours.stat().st_mode) == 0o700


def test_a_cache_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    block = tmp_path / "file"
    block.touch()
    monkeypatch.setattr("tempfile.tempdir", str(block))
    monkeypatch.setenv("HOME", str(block))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(BuildError, match="no folder can be written .* set XDG_CACHE_HOME"):
        core_folder()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no owners of this kind")
def test_a_temporary_folder_of_somebody_else_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("HOME", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    with pytest.raises(BuildError, match="no folder can be written"):
        core_folder()
