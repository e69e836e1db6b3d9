"""Weights in files and on a board: what goes in comes out, what does not fit is named."""

import os
import subprocess
import tty

import numpy as np
import pytest
from plans import random_plan
from verbs import refused

from tinydream.errors import InputError
from tinydream.run import Run
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
    numpy = pytest.importorskip("safetensors.numpy")
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


def test_weights_are_pushed_to_a_board_and_pulled_again(planned, tmp_path):
    verb = planned
    verb("generate"), verb("build"), verb("train", "--port", "native")
    refused(verb("push", "run/weights.npz", "--port", "native"), 2, "ends with this verb")
    run = Run("run")
    plan = run.plan()
    other = np.linspace(-1, 1, plan.parameters, dtype=np.float32)
    write_weights("other.safetensors", plan, other)
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    board = subprocess.Popen([run.program(plan)], stdin=ours, stdout=ours)
    try:
        port = os.ttyname(theirs)
        assert verb("push", "other.safetensors", "--port", port)[0] == 0
        assert verb("pull", "--port", port, "--file", "back.npz")[0] == 0
    finally:
        board.kill()
        board.wait()
    assert read_weights("back.npz", plan).tobytes() == other.tobytes()
