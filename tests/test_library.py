"""The core as an ordinary library of Arduino, PlatformIO and CMake, and what its examples do."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from golden.renew import EXAMPLES, examples
from test_arduino import BOARDS, LIBRARY, STAND_IN, Compiler, done

SKETCH = EXAMPLES / "SensorLoop"


def properties():
    lines = (LIBRARY / "library.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_the_plans_of_the_examples_are_what_the_generator_writes():
    for name, text in examples().items():
        assert (EXAMPLES / name).read_text() == text, "renew with `python tests/golden/renew.py`"


def test_the_two_manifests_say_the_same():
    ours, theirs = properties(), json.loads((LIBRARY / "library.json").read_text())
    assert [ours[key] for key in ("name", "version", "license", "includes")] == [
        theirs[key] for key in ("name", "version", "license", "headers")
    ]
    mandatory = "author maintainer sentence paragraph category url architectures"
    assert set(mandatory.split()) <= ours.keys()
    for example in theirs["examples"]:
        assert all((LIBRARY / example["base"] / file).is_file() for file in example["files"])


def test_the_readme_names_files_that_are_there():
    text = (LIBRARY / "README.md").read_text()
    names = re.findall(r"`((?:src|examples)/[\w./]+)`", text)
    assert len(names) >= 4 and all((LIBRARY / name).exists() for name in names)


# one board of each core: the others differ in flags that tests/test_arduino.py tries
@pytest.mark.parametrize(
    "board_id", ["esp32dev", "esp32-c3-devkitm-1", "nucleo_f446re", "pico", "teensy41"]
)
def test_the_sketch_compiles_as_each_core_would(board_id, tmp_path, require):
    (board,) = [each for each in BOARDS if each.id == board_id]
    compiler = Compiler(board, require)
    objects = compiler.compile([SKETCH / "SensorLoop.ino", SKETCH / "td_plan.c"], tmp_path)
    wanted = compiler.wanted(objects, tmp_path)
    core = {name for name in wanted if name.startswith("td_")}
    assert core == {
        "td_error_text",
        "td_predict",
        "td_train_init",
        "td_train_start",
        "td_train_step",
    }


@pytest.mark.slow
@pytest.mark.needs("cxx")
def test_the_sketch_learns_while_it_samples(tmp_path):
    shutil.copy(SKETCH / "SensorLoop.ino", tmp_path / "sketch.cpp")
    for name in ("td_plan.h", "td_plan.c"):
        shutil.copy(EXAMPLES / "plain_c" / name, tmp_path)  # for the host's pointers
    flags = ["-O1", "-ffp-contract=off", f"-I{LIBRARY / 'src'}", "-I."]
    core = [path for path in (LIBRARY / "src").glob("*.c") if not path.name.startswith("td_node")]
    done("gcc", *flags, "-c", *core, "td_plan.c", cwd=tmp_path)
    flags += ["-DARDUINO_ARCH_ESP32", f"-I{STAND_IN}"]
    done("g++", *flags, "-c", STAND_IN / "host.cpp", cwd=tmp_path)
    done("g++", *flags, "-include", "Arduino.h", "-c", "sketch.cpp", cwd=tmp_path)
    done("g++", *tmp_path.glob("*.o"), "-o", "program", cwd=tmp_path)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([tmp_path / "program"], text=True, **pipes) as process:
        lines = [process.stdout.readline().strip() for _ in range(40)]
        process.kill()
    right = [int(line.split()[-1]) for line in lines if line.startswith("epoch")]
    named = [line for line in lines if not line.startswith("epoch")]
    assert len(right) == 20 and right[0] < right[-1] and right[-1] > 2900
    assert named[-9:] in [(["still", "slow", "fast"] * 4)[i : i + 9] for i in range(3)]


@pytest.mark.slow
@pytest.mark.needs("cmake")
def test_a_project_of_cmake_links_the_core_by_its_name(tmp_path):
    strict = "-DCMAKE_C_FLAGS=-Wall -Wextra -Wconversion -Werror"
    done("cmake", "-S", EXAMPLES / "plain_c", "-B", tmp_path, strict, cwd=tmp_path)
    done("cmake", "--build", tmp_path, cwd=tmp_path)
    lines = done(Path(tmp_path) / "example", cwd=tmp_path).split("\n")
    losses = [float(line.split()[-1]) for line in lines if line.startswith("epoch")]
    assert len(losses) == 20 and losses[-1] < losses[0] / 10
    assert lines[20:23] == ["still", "slow", "fast"]
