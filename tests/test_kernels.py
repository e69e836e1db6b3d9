"""Fast kernels are the definition, bit for bit, on every shape, tile and target."""

import subprocess
from pathlib import Path

import pytest

import tinydream
from tinydream.resources import firmware_folder

CORE = firmware_folder() / "lib/tinydream/src"
PORT = firmware_folder() / "port/baremetal"
TESTS = {
    "kernels": ("dense", "fast", "math"),
    "conv": ("window", "between", "conv", "math"),
}
FLAGS = (
    "-std=c99",
    "-ffp-contract=off",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Werror",
    f"-I{CORE}",
)
MEMORY = {
    **{"FLASH_START": 0x08000000, "FLASH_BYTES": 1 << 20},
    **{"RAM_START": 0x20000000, "RAM_BYTES": 1 << 17, "STACK_BYTES": 4096},
}
FPU = ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")
SOFT = ("-mcpu=cortex-m3", "-mthumb")


def call(*command) -> subprocess.CompletedProcess:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)


def make(compiler, name, program, *flags, libraries=()):
    sources = [Path(__file__).parent / f"c/{name}_test.c"]
    sources += [CORE / f"td_{part}.c" for part in TESTS[name]]
    done = call(compiler, *FLAGS, *flags, *sources, "-o", program, *libraries)
    assert done.returncode == 0, done.stderr
    return program


@pytest.mark.needs("cc")
@pytest.mark.parametrize("optimise", ["-O1", "-O3"])
@pytest.mark.parametrize("tile", [1, 4, 8])
def test_fast_kernels_equal_the_definition_on_the_host(tile, optimise, tmp_path):
    lanes = [Path(tinydream.__file__).parent / "_lanes.c"] if tile == 8 else []
    program = make("cc", "kernels", tmp_path / "test", f"-DTD_TILE={tile}", optimise, *lanes)
    assert call(program).returncode == 0


@pytest.mark.needs("cc")
def test_fast_convolutions_equal_the_definition_on_the_host(tmp_path):
    assert call(make("cc", "conv", tmp_path / "test", "-O2")).returncode == 0


@pytest.mark.needs("qemu")
@pytest.mark.slow
@pytest.mark.parametrize(("name", "tile"), [("kernels", 1), ("kernels", 4), ("conv", 1)])
@pytest.mark.parametrize(
    ("machine", "core", "every"), [("netduinoplus2", FPU, 5), ("netduino2", SOFT, 41)]
)
def test_fast_kernels_equal_the_definition_on_a_cortex_m(
    machine, core, every, name, tile, tmp_path
):
    defined = [f"-Wl,--defsym={name}={value:#x}" for name, value in MEMORY.items()]
    program = make(
        "arm-none-eabi-gcc",
        name,
        tmp_path / "test.elf",
        *(f"-DTD_TILE={tile}", f"-DEVERY={every}", "-O2", "-ffreestanding", "-nostdlib"),
        *(*core, *defined, "-T", PORT / "link.ld", PORT / "startup.c"),
        libraries=("-lgcc",),
    )
    done = call(
        *("qemu-system-arm", "-M", machine, "-kernel", program, "-display", "none"),
        *("-monitor", "none", "-serial", "none"),
        *("-semihosting-config", "enable=on,target=native"),
    )
    assert done.returncode == 0, done.stderr
