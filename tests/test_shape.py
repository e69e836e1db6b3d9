"""Rows with a shape, by the command line: pictures keep their margins, networks get them."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from tinydream.network.read import KINDS
from tinydream.run import Run

NETWORK = """shape = [4, 4, 1]
layers = [{ kind = "conv", filters = 4, size = 3 }, { kind = "relu" }, { kind = "flatten" }]
"""


@pytest.fixture
def pictures(tmp_path):
    """4x4 numbers of two classes; the first row is always dark."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    x = np.zeros((300, 4, 4), np.float32)
    x[:, 1:] = rng.standard_normal((300, 3, 4)) + 2 * y[:, None, None]
    path = tmp_path / "pictures.npz"
    np.savez(path, x=x.reshape(300, 16), y=y)
    (tmp_path / "net.toml").write_text(NETWORK)
    return path


def test_a_shape_keeps_constant_columns_and_projects_nothing(verb, pictures):
    code, out, err = verb("compress", pictures, "--shape", "4,4", "--budget-bytes", 600)
    assert (code, err) == (0, "") and "left out" not in out and "dropped" not in out
    facts = Run("run").read_json("compress.json")
    assert facts["kept"] == facts["inputs"] == 16
    assert {trial["candidate"]["kind"] for trial in facts["trials"]} == {"none"}
    code, out, err = verb("plan", "--board", "native", "--network", "net.toml")
    assert (code, err) == (0, "") and "conv" in out
    assert Run("run").plan().layers[0].inputs == 16


def test_without_a_shape_they_are_left_out_and_the_network_says_what_to_do(verb, pictures):
    code, out, err = verb("compress", pictures, "--budget-bytes", 600, "--projection", "none")
    assert (code, err) == (0, "") and "are constant and are left out" in out
    code, out, err = verb("plan", "--board", "native", "--network", "net.toml")
    assert code == 2 and "cannot take 12 inputs" in err and "compress with --shape" in err


def test_a_projection_that_is_asked_for_is_tried_with_a_shape_too(verb, pictures):
    arguments = ("compress", pictures, "--shape", "4,4", "--budget-bytes", 600)
    assert verb(*arguments, "--projection", "pca")[0] == 0
    facts = Run("run").read_json("compress.json")
    assert {trial["candidate"]["kind"] for trial in facts["trials"]} == {"pca"}


def test_spec_has_every_kind_of_layer_with_its_keys():
    spec = (Path(__file__).parent.parent / "SPEC.md").read_text("utf-8")
    section = spec.split("## Network file")[1].split("\n## ")[0]
    lines = re.findall(r"^\| (.+?) \| (.*)\|$", section, re.M)
    told = {kind: keys for kinds, keys in lines for kind in kinds.split(", ")}
    assert told.keys() - {"kind"} == KINDS.keys()
    for kind, made in KINDS.items():
        for field in dataclasses.fields(made):
            assert re.search(rf"\b{field.name}\b", told[kind]), (kind, field.name)
