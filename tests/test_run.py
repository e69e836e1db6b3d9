"""The run folder: atomic, and every damaged or stale file is named with the verb that renews it."""

import json
import os

import numpy as np
import pytest
from plans import random_plan

from tinydream.errors import RunError
from tinydream.run import WRITERS, Run


@pytest.fixture
def run(tmp_path):
    """A run with a plan and its representatives."""
    run, plan = Run(tmp_path / "run"), random_plan(3)
    run.write("plan.bin", plan.to_bytes())
    run.write_json("plan.json", {"digest": plan.digest.hex()})
    save(run, plan)
    return run


def save(run, plan):
    parts = {"inputs": plan.inputs, "outputs": plan.outputs, "rows": plan.rows}
    arrays = {name: np.frombuffer(part.to_bytes(), np.uint8) for name, part in parts.items()}
    run.write_arrays("representatives.npz", **arrays)


def test_a_plan_is_read_back_as_it_was_written(run):
    assert run.plan() == random_plan(3)


def test_a_plan_of_other_representatives_is_stale(run):
    save(run, random_plan(4))
    with pytest.raises(RunError, match=r"plan.bin is stale: .* run `tinydream plan` again"):
        run.plan()


@pytest.mark.parametrize("name", ["plan.bin", "representatives.npz"])
def test_damage_anywhere_is_named_with_the_verb_that_renews_the_file(run, name):
    good = run.read(name)
    for at in range(0, len(good), max(1, len(good) // 60)):
        for bad in (good[:at], good[:at] + bytes([good[at] ^ 0x40]) + good[at + 1 :]):
            run.write(name, bad)
            try:
                assert run.plan() == random_plan(3)  # a byte that means nothing, in a zip's header
            except RunError as error:
                assert "run `tinydream " in str(error)


@pytest.mark.parametrize("name", ["plan.bin", "build.json", "train.json", "weights.npz"])
def test_an_absent_file_is_named_with_the_verb_that_writes_it(tmp_path, name):
    run = Run(tmp_path)
    with pytest.raises(RunError, match=rf"has no {name}; run `tinydream {WRITERS[name]}` first"):
        run.read(name)


def test_json_that_is_no_json_or_lacks_a_key_is_damaged(run):
    run.write("train.json", b"{")
    with pytest.raises(RunError, match="train.json is damaged .it is not JSON."):
        run.read_json("train.json")
    run.write("train.json", b"[1]")
    with pytest.raises(RunError, match="it is not an object with keys"):
        run.read_json("train.json", "digest")


def test_weights_come_back_whole_and_by_layer(run):
    plan = run.plan()
    weights = np.arange(plan.parameters, dtype=np.float32)
    run.write_weights(plan, weights)
    assert np.array_equal(run.weights(plan), weights)
    arrays = run.read_arrays("weights.npz")
    layers = [layer for layer in plan.layers if layer.kind == "dense"]
    for i, layer in enumerate(layers, 1):
        assert arrays[f"W{i}"].shape == (layer.outputs, layer.inputs)
    pieces = [arrays[f"{k}{i}"].ravel() for i in range(1, len(layers) + 1) for k in "Wb"]
    assert np.array_equal(np.concatenate(pieces), weights)


def test_weights_of_another_plan_or_another_size_are_refused(run):
    plan = run.plan()
    run.write_weights(random_plan(5), np.zeros(random_plan(5).parameters, np.float32))
    with pytest.raises(RunError, match="belongs to plan"):
        run.weights(plan)
    run.write_arrays("weights.npz", weights=np.zeros(3, np.float32), digest=plan.digest.hex())
    with pytest.raises(RunError, match=f"needs {plan.parameters} float32 weights"):
        run.weights(plan)


def test_a_program_built_from_another_plan_or_gone_is_stale(run):
    plan = run.plan()
    run.write_json("build.json", {"digest": "00", "program": "x"})
    with pytest.raises(RunError, match="built from plan 00"):
        run.program(plan)
    run.write_json("build.json", {"digest": plan.digest.hex(), "program": "x"})
    with pytest.raises(RunError, match="is gone"):
        run.program(plan)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(run, monkeypatch):
    before = run.read("plan.bin")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="plan.bin cannot be written: No space left"):
        run.write("plan.bin", b"new")
    assert run.read("plan.bin") == before
    assert not list(run.folder.glob("*.new"))


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(RunError, match="is a file"):
        Run(tmp_path / "run")


def test_log_lines_are_json_one_by_one(run):
    run.append("log.jsonl", {"epoch": 1})
    run.append("log.jsonl", {"epoch": 2})
    lines = run.read("log.jsonl").decode().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
