"""Real tables of other people, through every verb, on the firmware."""

import json

import pytest

from tinydream import cli
from tinydream.run import Run

SETS = {"letter.csv.gz": 0.7, "magic_wand_digits.npz": 0.95}


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_a_real_set_goes_from_table_to_trained_device(name, data_dir, tmp_path, capsys):
    run = ["-o", str(tmp_path / "run")]
    verbs = [
        ["compress", str(data_dir / name), "--budget-bytes", "8192"],
        ["plan", "--board", "native", "--hidden", "32", "--epochs", "10"],
        ["generate"],
        ["build"],
        ["train", "--port", "native"],
        ["pull", "--port", "native"],
        ["report", "--json"],
    ]
    for verb in verbs:
        capsys.readouterr()
        assert cli._run([*verb, *run]) == 0, capsys.readouterr().err
    told = json.loads(capsys.readouterr().out)
    assert told["representative_bytes"] <= 8192 and told["weights_equal"] is True
    assert told["weights_crc32"] == Run(run[1]).read_json("train.json")["crc32"]
    assert told["accuracy"]["device"][0] > SETS[name]
