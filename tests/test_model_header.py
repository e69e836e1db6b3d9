"""A trained network as a C header: its predictions are the simulator's, bit for bit."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from plans import gentle, random_plan
from test_between import mixed

from tinydream.codegen import model_header
from tinydream.errors import InputError
from tinydream.simulator import Simulator

SOURCES = Path(__file__).parent.parent / "firmware/lib/tinydream/src"
FLAGS = "-O1 -ffp-contract=off -Wall -Wextra -Werror -Wno-unused-function"
MAIN = """
#include "gait.h"
#include <stdio.h>
#include <string.h>
int main(void)
{
    static float raw[GAIT_RAW_COLUMNS], out[GAIT_OUTPUTS];
    while (fread(raw, sizeof raw, 1, stdin) == 1) {
        int class_number = gait_predict(raw, out);
        fwrite(&class_number, sizeof class_number, 1, stdout);
        fwrite(out, sizeof out, 1, stdout);
    }
    return gait_predict(raw, NULL) < 0;
}
"""
ALONE = """
#include "gait.h"
float raw[GAIT_RAW_COLUMNS], out[GAIT_OUTPUTS];
int start(void) { return gait_predict(raw, out); }
"""


def trained(plan, folder):
    """A simulator that has trained the plan, and its header in a folder."""
    simulator = Simulator(plan)
    simulator.train(epochs=2, rate=0.01 * gentle(plan))
    made = model_header(plan, simulator.weights, "gait")
    (folder / "gait.h").write_text(made.text)
    return simulator, made


def core_objects(folder):
    """The C library without its node, as files that a compiler takes."""
    objects = folder / "objects"
    if not objects.exists():
        objects.mkdir()
        files = [file for file in SOURCES.glob("*.c") if "node" not in file.name]
        command = ["cc", "-std=c99", *FLAGS.split(), "-c", f"-I{SOURCES}", *files]
        subprocess.run(list(map(str, command)), cwd=objects, check=True)
    return sorted(objects.glob("*.o"))


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    return core_objects(tmp_path_factory.mktemp("core"))


PLANS = [*((random_plan, seed) for seed in range(12)), *((mixed, seed) for seed in range(12))]


@pytest.mark.needs("cc")
@pytest.mark.parametrize(("kind", "seed"), PLANS)
def test_a_header_predicts_what_the_device_does(kind, seed, objects, tmp_path):
    plan = kind(seed)
    simulator, made = trained(plan, tmp_path)
    (tmp_path / "main.c").write_text(MAIN)
    command = ["cc", "-std=c99", *FLAGS.split(), f"-I{SOURCES}", "main.c", *objects, "-o", "main"]
    subprocess.run(list(map(str, command)), cwd=tmp_path, check=True)
    rng = np.random.default_rng(seed)
    raw = rng.normal(scale=3, size=(20, plan.inputs.raw_columns)).astype(np.float32)
    raw[::5, 0] = np.nan
    ran = subprocess.run([tmp_path / "main"], input=raw.tobytes(), capture_output=True, check=True)
    outputs = plan.layers[-1].outputs
    told = np.frombuffer(ran.stdout, np.uint32).reshape(20, 1 + outputs)
    if plan.classes:
        shares = simulator.predict_proba(raw)[:, -outputs:]  # one output: of class 1
        assert np.array_equal(told[:, 0], simulator.predict(raw))
    else:
        shares = simulator.predict(raw).reshape(20, -1)
    assert told[:, 1:].tobytes() == np.ascontiguousarray(shares, np.float32).tobytes()
    assert made.ram < plan.arena_bytes


@pytest.mark.slow
@pytest.mark.needs("arm")
@pytest.mark.parametrize(("kind", "seed"), [(random_plan, 1), (mixed, 3)])
def test_on_a_small_core_nothing_of_training_is_linked(kind, seed, tmp_path):
    _, made = trained(kind(seed), tmp_path)
    (tmp_path / "alone.c").write_text(ALONE)
    flags = ["-mcpu=cortex-m0", "-mthumb", "-Os", "-ffp-contract=off", "-ffreestanding"]
    flags += ["-ffunction-sections", "-fdata-sections", "-nostartfiles", "-Wl,--gc-sections"]
    files = [file for file in SOURCES.glob("*.c") if "node" not in file.name]
    command = ["arm-none-eabi-gcc", "-std=c99", *flags, "-Wl,-e,start", f"-I{SOURCES}", "alone.c"]
    command += [*map(str, files), "-o", "alone.elf", "--specs=nosys.specs"]
    subprocess.run(command, cwd=tmp_path, check=True)
    told = subprocess.run(
        ["arm-none-eabi-nm", "-S", "alone.elf"], cwd=tmp_path, capture_output=True, text=True
    )
    sizes = {line.split()[-1]: int(line.split()[1], 16) for line in told.stdout.splitlines()
             if len(line.split()) == 4}  # fmt: skip
    held = {name: size for name, size in sizes.items() if name.startswith("gait_")}
    struct = sizes["gait_plan"] + sizes.get("gait_class_names", 0)
    assert sum(held.values()) - struct - sizes.get("gait_predict", 0) == made.flash
    assert next(size for name, size in sizes.items() if name.startswith("memory")) == made.ram
    linked = {name for name in sizes if name.startswith("td_")}
    assert "td_infer" in linked
    assert not linked & {"td_train_init", "td_net_backward", "td_update", "td_rows_dream"}


@pytest.mark.needs("cxx")
def test_it_is_c_plus_plus_too(tmp_path):
    trained(mixed(3), tmp_path)
    (tmp_path / "alone.cpp").write_text(ALONE)
    command = ["g++", "-std=c++11", "-Wall", "-Werror", f"-I{SOURCES}", "-c", "alone.cpp"]
    subprocess.run(command, cwd=tmp_path, check=True)


def test_a_name_that_is_none_in_c_is_refused():
    plan = random_plan(0)
    with pytest.raises(InputError, match="'my model' is no name in C; call the file something"):
        model_header(plan, Simulator(plan).weights, "my model")
