"""Several boards train at once, come to the same weights, and tell which of them does not."""

import json
from pathlib import Path

import numpy as np
import pytest
from test_carry import plugged_in
from verbs import refused

from tinydream import fleet
from tinydream.run import Run
from tinydream.simulator import Simulator

pytestmark = pytest.mark.needs("cc")


@pytest.fixture
def boards(planned):
    """The verbs, and two boards that run the plan."""
    assert planned("generate")[0] == planned("build")[0] == 0
    program = Run("run").program(Run("run").plan())
    with plugged_in(program) as first, plugged_in(program) as second:
        yield planned, ("--port", first, "--port", second)


def test_all_are_heard_and_the_run_is_the_first_one_s(boards):
    verb, ports = boards
    code, _, err = verb("train", *ports, "--epochs", 3, "--jsonl", "events.jsonl")
    assert (code, err) == (0, "")
    events = [json.loads(line) for line in Path("events.jsonl").read_text().splitlines()]
    for port in (ports[1], ports[3]):
        own = [e["event"] for e in events if e["device"] == port and e["event"] != "link"]
        assert own.count("epoch") == 3 and own[0] == "open"
    run = Run("run")
    simulator = Simulator(run.plan())
    simulator.train(**run.knobs("train.json").as_dict())
    assert run.weights(run.plan()).tobytes() == simulator.pull().tobytes()
    assert run.read_json("train.json")["port"] == ports[1]


def test_other_weights_and_lost_boards_are_named(boards, monkeypatch):
    verb, ports = boards
    said = f"the board on {ports[3]!r} came to other weights than the one on {ports[1]!r}"
    with monkeypatch.context() as patch:
        patch.setattr(fleet, "_train_along", lambda *_: np.zeros(3, np.float32))
        refused(verb("train", *ports, "--epochs", 1), 1, said)
    lost = verb("train", *ports[:2], "--port", "/dev/tty_none", "--epochs", 1)
    refused(lost, 3, "/dev/tty_none")


def test_several_ports_are_for_boards(planned):
    result = planned("train", "--port", "sim", "--port", "native")
    refused(result, 2, "port 'sim' is no board on a line")
