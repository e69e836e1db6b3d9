"""The demo keeps what README and SPEC promise of it."""

import json
from dataclasses import fields

import pytest

from tinydream import cli, stages
from tinydream.demo import demo
from tinydream.errors import LinkError
from tinydream.report import Report
from tinydream.run import Run

PORTS = [
    "sim",
    pytest.param("native", marks=pytest.mark.slow),
    pytest.param("qemu", marks=[pytest.mark.slow, pytest.mark.needs("qemu")]),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What `demo --json` prints, by port; each is run once."""
    ports = {}

    def demo(port, capsys):
        if port not in ports:
            folder = tmp_path_factory.mktemp(port) / "run"
            assert cli._run(["demo", "--port", port, "--json", "-o", str(folder)]) == 0
            ports[port] = json.loads(capsys.readouterr().out), folder
        return ports[port]

    return demo


@pytest.mark.parametrize("port", PORTS)
def test_representatives_are_a_twentieth_of_the_bytes_and_the_device_beats_random_rows(
    told, port, capsys
):
    report, _ = told(port, capsys)
    mean = {name: sum(values) / len(values) for name, values in report["accuracy"].items()}
    assert len(report["seeds"]) == 5 and report["raw_dtype"] == "u8"
    assert report["raw_bytes"] == report["rows"] * report["features"]
    assert report["representative_bytes"] <= report["raw_bytes"] / 20
    assert mean["device"] >= 0.95 and mean["device"] >= mean["random_rows"] + 0.02


@pytest.mark.parametrize("port", PORTS)
def test_the_report_has_the_keys_of_spec_and_lies_in_the_run_folder(told, port, capsys):
    report, folder = told(port, capsys)
    assert list(report) == [field.name for field in fields(Report)]
    assert report["port"] == port and report["weights_equal"] is True
    assert report == json.loads((folder / "report.json").read_text())
    assert report["weights_crc32"] == Run(folder).read_json("train.json")["crc32"]
    assert sorted(p.name for p in (folder / "seeds").iterdir()) == ["1", "2", "3", "4"]


@pytest.mark.slow
@pytest.mark.parametrize("port", PORTS[1:])
def test_every_port_trains_the_same_weights(told, capsys, port):
    (sim, _), (other, _) = told("sim", capsys), told(port, capsys)
    same = ("weights_crc32", "accuracy", "representatives", "arena_bytes")
    assert {key: sim[key] for key in same} == {key: other[key] for key in same}
    assert (sim["digest"] == other["digest"]) is (port == "native")  # a plan names its board


def test_a_seed_that_fails_ends_the_others(tmp_path, monkeypatch):
    begun = []

    def train(run, port, on_metrics):
        raise LinkError("gone")

    monkeypatch.setattr(stages, "train", train)
    with pytest.raises(LinkError, match="gone"):
        demo(tmp_path / "run", port="sim", tell=lambda seed, stage: begun.append((seed, stage)))
    assert len({seed for seed, _ in begun}) < 5
