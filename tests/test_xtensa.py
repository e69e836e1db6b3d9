"""An ESP32's instructions, by LLVM, on QEMU's Xtensa core: the same weights, bit for bit.

`scripts/setup qemu xtensa` installs what it needs; TINYDREAM_REQUIRE=xtensa makes it compulsory.
"""

import shutil

import numpy as np
import pytest
from plans import gentle, random_plan
from xtensa import llvm

from tinydream.bridge import Device, ProcessLink
from tinydream.codegen import generate
from tinydream.resources import firmware_folder
from tinydream.simulator import Simulator

HERE = llvm.HERE
FIRMWARE = firmware_folder()
CORE = FIRMWARE / "lib" / "tinydream" / "src"
MACHINE = ("qemu-system-xtensa", "-M", "lx60", "-cpu", "de233_fpu", "-nographic")
LINE = ("-monitor", "none", "-serial", "stdio")

pytestmark = [pytest.mark.needs("xtensa"), pytest.mark.slow]


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """The core with all kernels, and the port."""
    folder = tmp_path_factory.mktemp("core")
    sources = [HERE / "port.c", *sorted(CORE.glob("td_*.c"))]
    made = [llvm.compile_c(x, folder / f"{x.stem}.o", f"-I{CORE}") for x in sources]
    return [llvm.assemble(HERE / "start.s", folder / "start.o"), *made]


@pytest.mark.parametrize("seed", range(100, 108))
def test_an_esp32_s_instructions_come_to_the_simulator_s_weights(seed, objects, tmp_path):
    plan = random_plan(seed, board="esp32dev")
    for name in ("td_plan.c", "td_plan.h"):
        (tmp_path / name).write_text(generate(plan)[f"src/{name}"])
    shutil.copy(FIRMWARE / "port" / "main.c", tmp_path)
    options = f"-I{CORE}", f"-I{tmp_path}"
    own = [
        llvm.compile_c(tmp_path / f"{name}.c", tmp_path / f"{name}.o", *options)
        for name in ("td_plan", "main")
    ]
    program = llvm.link([*objects, *own], HERE / "link.ld", tmp_path / "firmware.elf")
    knobs = {"epochs": 2, "rate": 0.01 * gentle(plan), "seed": seed, "weights_seed": seed}
    simulator = Simulator(plan)
    simulator.train(**knobs)
    with Device.open(ProcessLink([*MACHINE, "-kernel", str(program), *LINE])) as device:
        device.expect(plan)
        device.train(**knobs)
        weights = device.pull()
    assert np.array_equal(weights.view(np.uint32), simulator.weights.view(np.uint32))
