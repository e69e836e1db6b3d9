"""Generated C: golden, deterministic, strict, and the same device as the simulator."""

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from golden.renew import HERE, golden
from plans import gentle, random_plan

from tinydream.board import load_board
from tinydream.bridge import Device, ProcessLink
from tinydream.budget import kernels, node_bytes, plan_struct_bytes
from tinydream.codegen import generate, write_project
from tinydream.errors import RunError
from tinydream.plan import FORMAT
from tinydream.resources import firmware_folder
from tinydream.simulator import Simulator

STRICT = (
    "-std=c99 -O1 -ffp-contract=off -Wall -Wextra -Wconversion -Wdouble-promotion -Wvla -Werror"
)


def compiled(plan, folder, *flags):
    """The project built by hand, as its README line says: cc and nothing else."""
    write_project(plan, folder)
    sources = sorted(folder.glob("src/*.c")) + sorted(folder.glob("lib/tinydream/src/*.c"))
    program = folder / "by-hand"
    command = [
        "cc",
        *STRICT.split(),
        *flags,
        "-Ilib/tinydream/src",
        "-Isrc",
        *sources,
        "-o",
        program,
    ]
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


def test_generated_text_is_the_golden_text():
    for name, text in golden().items():
        assert (HERE / name).read_text() == text, "renew with `python tests/golden/renew.py`"


def test_the_same_plan_gives_the_same_text_and_another_plan_another():
    plan = random_plan(5)
    again = dataclasses.replace(plan)
    assert generate(plan) == generate(again)
    assert generate(dataclasses.replace(plan, batch=plan.batch + 1)) != generate(plan)


def test_every_float_literal_reads_back_as_the_same_bits():
    plan = random_plan(7)
    text = generate(plan)["src/td_plan.c"]
    body = text.split("static const float shift")[1].split("};")[0].split("{")[1]
    read = [np.float32(item) for item in re.findall(r"([^\s,]+)f,", body)]
    assert np.array(read, np.float32).tobytes() == plan.inputs.shift.tobytes()


@pytest.mark.parametrize("seed", range(20))
def test_the_firmware_built_by_hand_is_the_simulator_bit_for_bit(seed, tmp_path):
    plan = random_plan(seed)
    knobs = {"epochs": 2, "rate": 0.01 * gentle(plan), "seed": seed, "weights_seed": seed + 1}
    with Device.open(ProcessLink([str(compiled(plan, tmp_path))])) as device:
        device.expect(plan)
        heard = []
        device.train(**knobs, on_metrics=heard.append)
        weights = device.pull()
    simulator = Simulator(plan)
    told = simulator.train(**knobs)
    assert weights.tobytes() == simulator.weights.tobytes()
    assert [(m.epoch, m.step, m.rows, m.correct, m.loss) for m in heard] == [
        (m.epoch, m.step, m.rows, m.correct, m.loss) for m in told
    ]


def test_kernels_that_a_plan_does_not_ask_for_are_left_out_and_refused(tmp_path):
    plan = next(p for p in map(random_plan, range(30)) if p.optimizer.kind == "adam")
    assert "-DTD_WITH_SGD=0 -DTD_WITH_ADAM=1" in generate(plan)["platformio.ini"]
    program = compiled(plan, tmp_path, "-DTD_WITH_ADAM=0")
    with Device.open(ProcessLink([str(program)])) as device:
        with pytest.raises(Exception, match="kernel that this build left out"):
            device.train(epochs=1)


def test_health_has_a_bit_for_every_kernel_and_32_of_them():
    text = (firmware_folder() / "lib/tinydream/src/td_node_answer.c").read_text("utf-8")
    told = re.findall(r"TD_WITH_\w+", re.search(r"kernels\[\] = {([^}]*)}", text)[1])
    assert len(told) == len(set(told)) == 32
    # told elsewhere: by the plan's digest, by hello, and by health itself
    elsewhere = {"TD_WITH_AGAIN", "TD_WITH_LATE", "TD_WITH_REFILL", "TD_WITH_SAVE", "TD_TILE"}
    assert kernels(random_plan(0)).keys() - set(told) <= elsewhere


def asks_for(switch, plan):
    return f"-D{switch}=1" in generate(plan)["platformio.ini"]


@pytest.mark.parametrize(
    "name",
    "clip decay momentum validation soft spread grids projection expansion".split(),
)
def test_a_build_without_what_a_plan_asks_for_refuses_it(name, tmp_path):
    switch = f"TD_WITH_{name.upper()}"
    plan = next(p for p in map(random_plan, range(200)) if asks_for(switch, p))
    with Device.open(ProcessLink([str(compiled(plan, tmp_path, f"-D{switch}=0"))])) as device:
        with pytest.raises(Exception, match="kernel that this build left out"):
            device.train(epochs=1)


@pytest.mark.parametrize("seed", range(20, 32))
def test_a_build_with_the_kernels_of_its_plan_and_no_others_gives_the_same_weights(seed, tmp_path):
    plan = random_plan(seed)
    knobs = {"epochs": 2, "rate": 0.01 * gentle(plan), "seed": seed, "weights_seed": 1}
    text = generate(plan)["platformio.ini"]
    flags = re.findall(r"-DTD_\w+=\d", text)
    with Device.open(ProcessLink([str(compiled(plan, tmp_path, *flags))])) as device:
        device.train(**knobs)
        weights = device.pull()
    simulator = Simulator(plan)
    simulator.train(**knobs)
    assert weights.tobytes() == simulator.weights.tobytes()


def test_a_header_of_another_format_does_not_compile(tmp_path):
    plan = random_plan(0)
    write_project(plan, tmp_path)
    header = tmp_path / "src/td_plan.h"
    header.write_text(header.read_text().replace(f"TD_FORMAT != {FORMAT}", "TD_FORMAT != 77"))
    command = ["cc", "-fsyntax-only", "-Ilib/tinydream/src", "-Isrc", "src/td_plan.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "run `tinydream generate` again" in done.stderr


def test_struct_sizes_that_python_plans_are_the_compiler_s(tmp_path):
    probe = tmp_path / "probe.c"
    probe.write_text(
        '#include "td_node.h"\n#include <stdio.h>\n'
        'int main(void) { printf("%zu %zu", sizeof(td_plan_t), sizeof(td_node_t)); return 0; }\n'
    )
    core = Path(__file__).parents[1] / "firmware/lib/tinydream/src"
    subprocess.run(["cc", f"-I{core}", probe, "-o", tmp_path / "probe"], check=True)
    sizes = subprocess.run([tmp_path / "probe"], capture_output=True, text=True).stdout
    pointer = load_board("native").pointer_bytes
    assert sizes == f"{plan_struct_bytes(pointer)} {sum(node_bytes(pointer).values())}"


PROBE = """#include "td_node.h"
TD_STATIC_ASSERT(sizeof(td_train_t) == TRAIN, training_state);
TD_STATIC_ASSERT(sizeof(td_frame_reader_t) + TD_FRAME_MAX == LINK, link_buffers);
TD_STATIC_ASSERT(sizeof(td_node_t) == NODE, node);
"""


@pytest.mark.parametrize("seed", range(100, 120))
def test_a_node_with_the_kernels_of_its_plan_has_the_bytes_that_python_plans(seed, tmp_path):
    plan, probe = random_plan(seed), tmp_path / "probe.c"
    probe.write_text(PROBE)
    core = Path(__file__).parents[1] / "firmware/lib/tinydream/src"
    compilers = {8: ["cc"]}
    if shutil.which("arm-none-eabi-gcc"):
        compilers[4] = ["arm-none-eabi-gcc", "-mcpu=cortex-m0", "-mthumb", "-ffreestanding"]
    for pointer, compiler in compilers.items():
        size = node_bytes(pointer, kernels(plan))
        told = {"TRAIN": size["training state"], "LINK": size["link buffers"]}
        macros = kernels(plan) | told | {"NODE": sum(size.values())}
        flags = [f"-D{name}={value}" for name, value in macros.items()]
        subprocess.run([*compiler, "-fsyntax-only", f"-I{core}", *flags, probe], check=True)


def test_a_project_of_another_plan_is_replaced_and_only_what_changed_is_written(tmp_path):
    write_project(random_plan(1), tmp_path)
    stray = tmp_path / "lib/old/old.c"
    stray.parent.mkdir()
    stray.write_text("int old;")
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.c") if p != stray}
    write_project(random_plan(2), tmp_path)
    changed = {p.name for p, t in before.items() if p.stat().st_mtime_ns != t}
    assert changed == {"td_plan.c"} and not stray.parent.exists()


def test_a_folder_with_somebody_else_s_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match="not a firmware project"):
        write_project(random_plan(1), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_names_with_quotes_and_accents_survive_c(tmp_path):
    plan = next(p for p in map(random_plan, range(30)) if len(p.classes) > 1)
    names = ('a "b" \\ ??/', "été\n", *plan.classes[2:])
    plan = dataclasses.replace(plan, classes=names[: len(plan.classes)])
    compiled(plan, tmp_path)
    text = (tmp_path / "src/td_plan.c").read_text()
    assert r"\303\251t\303\251\012" in text
    shutil.rmtree(tmp_path)
