"""The examples: one command each, from a public set to a network that was trained as a process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinydream.run import Run

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("keywords", "vibration")


def example(name, folder, **environment):
    """Run it with this Python's tinydream first on PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [ROOT / "examples" / name / "train.sh", folder],
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("name", NAMES)
def test_an_example_without_its_data_says_what_to_set(name, tmp_path):
    done = example(name, tmp_path / "run", TINYDREAM_DATA=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1
    assert "is missing; set TINYDREAM_DATA" in done.stderr


@pytest.mark.slow
@pytest.mark.needs("cc")
@pytest.mark.parametrize("name", NAMES)
def test_an_example_trains_a_process_to_the_simulator_s_weights(name, data_dir, tmp_path):
    folder = tmp_path / "run"
    done = example(name, folder, TINYDREAM_DATA=str(data_dir), EPOCHS="1")
    assert done.returncode == 0, done.stderr
    told = json.loads((folder / "report.json").read_text())
    assert told["port"] == "native" and told["weights_equal"]
    assert told["accuracy"]["device"][0] > 0.3, "ten classes, one epoch"
    assert any(layer.kind == "conv" for layer in Run(folder).plan().layers)


def test_spectra_have_a_tone_where_it_is(tmp_path):
    time = np.arange(512)
    rows = np.sin(2 * np.pi * time * np.array([[36.0], [200.0]]) / 512) + 5
    np.savez(tmp_path / "in.npz", x_train=rows, y_train=[0, 1])
    script = ROOT / "examples/vibration/spectra.py"
    subprocess.run([sys.executable, script, tmp_path / "in.npz", tmp_path / "out.npz"], check=True)
    with np.load(tmp_path / "out.npz") as made:
        assert made["x_train"].shape == (2, 64) and made["y_train"].tolist() == [0, 1]
        assert made["x_train"].argmax(axis=1).tolist() == [8, 49]  # bins 33..36, 197..200
