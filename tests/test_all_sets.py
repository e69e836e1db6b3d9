"""Every set of the data folder is read and condensed, or refused in one true sentence."""

import subprocess
import sys

import numpy as np
import pytest

from tinydream import cli
from tinydream.data import load_data
from tinydream.errors import DataError
from tinydream.run import Run
from tinydream.simulator import Simulator
from tinydream.stages import read_representatives

REGRESSION = {
    "appliances_energy",
    "beijing_air",
    "california_housing",
    "ccpp",
    "cmapss_fd001",
    "naval",
    "protein_casp",
}
SETS = [
    *("adult", "appliances_energy", "beijing_air", "california_housing", "ccpp", "cmapss_fd001"),
    *("cwru_bearing48k", "eeg_eye", "elec2", "fashion_mnist_mini", "fsdd_mfcc"),
    *("gas_sensor_drift", "geotec_har_watch", "kddcup99_10pct", "letter", "magic_gamma"),
    *("magic_wand_digits", "mnist", "naval", "occupancy", "optdigits", "protein_casp"),
    *("room_occupancy", "skin_segmentation", "wisdm_features"),
]
MISSING = {"room_occupancy": 321, "wisdm_features": 505}
CONSTANT = {"cmapss_fd001": 7, "naval": 2, "wisdm_features": 1}
# of the part that is condensed; 67 and 2 of all their rows
CONSTANT |= {"mnist": 115, "kddcup99_10pct": 3}


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_a_set_is_condensed_and_trained_on(name, data_dir, tmp_path, capsys):
    run = Run(tmp_path / "run")
    for verb in (
        ["compress", str(data_dir / f"{name}.npz"), "--budget-bytes", "8192"],
        ["plan", "--board", "native", "--hidden", "16", "--epochs", "1"],
        ["train", "--port", "sim"],
    ):
        assert cli._run([*verb, "-o", str(run.folder)]) == 0, capsys.readouterr().err
    facts = run.read_json("compress.json")
    reps, _ = read_representatives(run)
    assert facts["task"] == ("regression" if name in REGRESSION else "classification")
    assert 0.9 * 8192 < reps.nbytes == facts["representative_bytes"] <= 8192
    dropped = int((~reps.inputs.kept).sum())
    assert dropped == CONSTANT.get(name, dropped)
    assert any("left out" in note for note in facts["notes"]) == bool(dropped)
    gaps = [note for note in facts["notes"] if "values are missing" in note]
    assert gaps == [note for note in gaps if str(MISSING.get(name)) in note]
    assert len(gaps) == (name in MISSING) == bool(facts["missing"])
    x, y = reps.sample(2000)
    assert np.isfinite(x).all() and np.abs(x).max() < 60
    if facts["task"] == "classification":
        assert set(y) <= set(range(len(facts["classes"]))) and len(facts["classes"]) > 1
    else:
        assert y.shape == (2000, 1) and abs(y.mean()) < 0.3 and 0.7 < y.std() < 1.3
    plan = run.plan()
    simulator = Simulator(plan)
    fresh = simulator.score(run.heldout().X, run.heldout().y)
    simulator.push(run.weights(plan))
    assert simulator.score(run.heldout().X, run.heldout().y) > fresh


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("occupancy", "column 'date' of occupancy.csv.gz holds 20560 different texts, such as"),
        ("room_occupancy", "column 'Time' of room_occupancy.csv.gz holds 10129 different texts"),
    ],
)
def test_dates_and_times_are_refused_as_text(name, message, data_dir):
    with pytest.raises(DataError, match=message):
        load_data(data_dir / f"{name}.csv.gz")


@pytest.mark.slow
def test_the_csv_of_adult_is_its_npz(data_dir):
    csv = load_data(data_dir / "adult.csv.gz", target="income")
    npz = load_data(data_dir / "adult.npz")
    told = {c.name: c for c in csv.columns}
    for column in npz.columns:
        assert told[column.name].kind == column.kind
        assert set(told[column.name].categories) <= set(column.categories)


MEASURE = """
import re, sys
import tinydream as td
data = td.load_data(sys.argv[1])
td.EntroGeDe(budget_bytes=1024, task=data.task).fit(data.X, data.y)
# not ru_maxrss, which remembers the process that this one was started from
print(1024 * int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_long_table_takes_no_more_than_three_times_its_memory(tmp_path, task):
    """10**7 rows by hand: 2.8 times (NPZ), 2.7 (CSV); here fewer, and the interpreter counts."""
    x = np.random.default_rng(0).normal(size=(4_000_000, 4)).astype(np.float32)
    y = x[:, 0] + x[:, 1] if task == "regression" else (x[:, 0] > x[:, 1]).astype(np.uint8)
    np.savez(tmp_path / "long.npz", x=x, y=y)
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "long.npz")]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    base = 70e6 + 50e6  # the interpreter, and the half million rows that are condensed
    assert int(told.stdout) <= 3 * (x.nbytes + y.nbytes) + base
