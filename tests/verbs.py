"""The command line as a user has it: a table, verbs in a folder, a verb in the background."""

import subprocess
import sys
import time

import numpy as np
import pytest
from plans import random_plan

from tinydream import cli
from tinydream.looks.inspect import FACTS
from tinydream.run import Run
from tinydream.simulator import Simulator


def refused(result, code, *says):
    """One line on standard error, that exit code, and each of these in the line."""
    got, out, err = result
    assert (got, out) == (code, ""), err
    assert err.startswith("tinydream: ") and err.count("\n") == 1 and "Traceback" not in err
    for text in says:
        assert text in err, (text, err)


def ended(process, code, *says):
    out, err = process.communicate(timeout=60)
    told = err.removeprefix("\n") if code == 130 else err  # it ends the line that has ^C
    refused((process.returncode, out, told), code, *says)


@pytest.fixture
def table(tmp_path):
    """A small table with three classes that a network can tell apart."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    x = rng.normal(size=(300, 4)) + 3 * np.eye(3, 4)[y]
    lines = [
        ",".join([*(f"{v:.3f}" for v in row), "abc"[label]])
        for row, label in zip(x, y, strict=True)
    ]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["a,b,c,d,kind", *lines]) + "\n")
    return path


@pytest.fixture
def verb(tmp_path, monkeypatch, capsys):
    """Run a verb in an empty folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = cli._run([str(a) for a in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def planned(verb, table):
    plain = ("--budget-bytes", 400, "--projection", "none")
    assert verb("compress", table, "--target", "kind", *plain)[0] == 0
    assert verb("plan", "--board", "native", "--epochs", 8, "--hidden", "8")[0] == 0
    return verb


@pytest.fixture
def built(planned):
    for arguments in (["generate"], ["build"]):
        assert planned(*arguments)[0] == 0
    return planned


@pytest.fixture
def background():
    """Start a verb in a process of its own, which does not outlive the test."""
    started = []

    def run(*arguments):
        command = [
            sys.executable,
            "-c",
            "import tinydream.cli as c; c.main()",
            *map(str, arguments),
        ]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, **pipes))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def wait_for_epochs(process, count=3):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        log = Run("run").path("log.jsonl")
        if log.exists() and log.read_text().count('"epoch"') > count:
            return
        time.sleep(0.02)
    raise AssertionError("no epochs")


@pytest.fixture
def regression(verb):
    """A run of a random regression plan with two targets or more, as if it had been trained."""
    seeds = (s for s in range(1000) if len(random_plan(s).outputs.scale) > 1)
    plan = next(p for p in map(random_plan, seeds) if len(p.rows.sigma) and p.inputs.columns > 2)
    run = Run("run")
    sections = {"inputs": plan.inputs, "outputs": plan.outputs, "rows": plan.rows}
    arrays = {name: np.frombuffer(s.to_bytes(), np.uint8) for name, s in sections.items()}
    names = {"features": plan.features, "classes": np.empty(0, str), "targets": plan.targets}
    run.write_arrays("representatives.npz", **arrays, **names)
    entropy = np.full((len(plan.features), 3), 0.5, np.float32)
    run.write_arrays("entropy.npz", bits=np.full(len(entropy), 3), values=entropy)
    facts = dict.fromkeys(FACTS, 100) | {"raw_dtype": "f32", "columns": []}
    facts |= {"missing": [], "trials": [], "chosen": None, "options": {"projection": "none"}}
    run.write_json("compress.json", facts)
    run.write("plan.bin", plan.to_bytes())
    run.write_json("plan.json", {"digest": plan.digest.hex(), "knobs": {}})
    simulator = Simulator(plan)
    run.write_weights(plan, simulator.weights)
    return plan, simulator
