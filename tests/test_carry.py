"""Weights in files and on a board: what goes in comes out, what does not fit is named."""

import contextlib
import os
import subprocess
import tty
from pathlib import Path

import numpy as np
import pytest
from plans import random_plan
from verbs import refused

from tinydream.codegen import model_header
from tinydream.errors import InputError
from tinydream.run import Run
from tinydream.simulator import Simulator
from tinydream.weights import read_weights, write_weights

PLAN = random_plan(0)
WEIGHTS = np.random.default_rng(0).normal(size=PLAN.parameters).astype(np.float32)


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_weights_survive_a_file(tmp_path, ending):
    path = tmp_path / f"weights{ending}"
    write_weights(path, PLAN, WEIGHTS)
    assert read_weights(path, PLAN).tobytes() == WEIGHTS.tobytes()
    with pytest.raises(InputError, match=r"holds weights of plan \w{16}, not of"):
        read_weights(path, random_plan(1))


def test_other_programs_write_and_read_the_same_safetensors(tmp_path):
    from safetensors import numpy

    path = tmp_path / "weights.safetensors"
    write_weights(path, PLAN, WEIGHTS)
    arrays = numpy.load_file(path)
    numpy.save_file(arrays, path)  # without our digest
    assert read_weights(path, PLAN).tobytes() == WEIGHTS.tobytes()


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_damaged_files_are_named_whatever_the_damage(tmp_path, ending):
    path, rng = tmp_path / f"weights{ending}", np.random.default_rng(1)
    write_weights(path, PLAN, WEIGHTS)
    good = path.read_bytes()
    for _ in range(200):
        bad = bytearray(good)
        for at in rng.integers(0, min(len(bad), 400), 3):
            bad[at] = rng.integers(256)
        path.write_bytes(bad[: rng.integers(1, len(bad) + 1)])
        try:
            assert read_weights(path, PLAN).shape == WEIGHTS.shape
        except InputError as error:
            assert str(path) in str(error)


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"lie in \.npz or \.safetensors files, not in 'w\.txt'"):
        read_weights("w.txt", PLAN)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_weights(tmp_path / "none.npz", PLAN)


@contextlib.contextmanager
def plugged_in(program):
    """The port of a board that is there before and after any verb, and keeps weights in a file."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    kept = {"TINYDREAM_STORAGE": os.path.abspath("kept.bin")}
    board = subprocess.Popen([program], stdin=ours, stdout=ours, env=os.environ | kept)
    try:
        yield os.ttyname(theirs)
    finally:
        board.kill()
        board.wait()
        os.close(ours), os.close(theirs)


def test_weights_are_carried_to_a_board_and_stay_there(planned, tmp_path):
    verb = planned
    verb("generate"), verb("build"), verb("train", "--port", "native")
    for name in (["push", "run/weights.npz"], ["save"], ["load"]):
        refused(verb(*name, "--port", "native"), 2, "ends with this verb")
    refused(verb("erase", "--port", "sim"), 2, "keeps nothing")
    refused(verb("erase", "--port", "native"), 2, "nothing is kept behind port 'native'")
    run = Run("run")
    plan = run.plan()
    other = np.linspace(-1, 1, plan.parameters, dtype=np.float32)
    write_weights("other.safetensors", plan, other)
    X = run.heldout().X[:5]
    np.save("x.npy", X)
    expected = Simulator(plan)
    expected.push(other)
    with plugged_in(run.program(plan)) as port:
        at = ("--port", port)
        refused(verb("load", *at), 3, "TD_ENOTHING")
        assert verb("push", "other.safetensors", *at)[0] == 0
        said = verb("predict", "x.npy", *at)[1].splitlines()
        assert said[1:] == [plan.classes[k] for k in expected.predict(X)]
        refused(verb("predict", "x.npy", *at, "--weights", "run/weights.npz"), 2, "tinydream push")
        assert verb("save", *at)[1].endswith("that was save 1\n")
        assert verb("push", "run/weights.npz", *at)[0] == 0
        assert verb("load", *at)[0] == 0
        assert verb("pull", *at, "--file", "back.npz")[0] == 0
        assert verb("pull", *at, "--file", "gait.h")[0] == 0
        refused(verb("pull", *at, "--file", "my gait.h"), 2, "'my gait' is no name in C")
        assert verb("erase", *at)[0] == 0
        refused(verb("load", *at), 3, "TD_ENOTHING")
    assert read_weights("back.npz", plan).tobytes() == other.tobytes()
    assert Path("gait.h").read_text() == model_header(plan, other, "gait").text
