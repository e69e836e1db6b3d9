"""scripts/bench windows: everyone learns the same network, cells are kept, the page tells them."""

from dataclasses import replace

import numpy as np
import pytest

from bench.cells import Cells
from bench.codec.sets import Facts, Fold
from bench.windows import learn, page
from bench.windows.tasks import ALL, OURS, TASKS, network


def made_fold(task, n=150):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, n).astype(np.int32)
    X = rng.normal(size=(n, int(np.prod(task.shape)))).astype(np.float32) + y[:, None]
    return Fold("made", Facts("classification", "sensor", 1), X, y, X[:60], y[:60], None, 0.0)


@pytest.fixture
def signals(monkeypatch):
    task = replace(TASKS[0], epochs=1, budget=4096)
    monkeypatch.setattr(learn, "fold_of", lambda task, held: made_fold(task))
    return task


@pytest.mark.parametrize("arm", ["the same, Haar", "random rows, 4 bits", ALL])
def test_an_arm_learns_within_its_bytes(signals, arm):
    found = learn.measure(signals, arm, 3e-3, 0, False)
    assert 0.3 < found["score"] <= 1
    assert found["bytes"] <= signals.budget or arm == ALL
    assert ("Haar" in found["told"]) == (arm in OURS)
    assert found == learn.measure(signals, arm, 3e-3, 0, False)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.set)
def test_the_network_is_the_one_that_the_title_tells(task):
    convolutions = [x for x in network(task, 5).records(int(np.prod(task.shape))) if x.window]
    filters = [x.window.filters for x in convolutions if x.kind == "conv"]
    assert filters == ([16, 16] if "conv1d" in task.title else [8, 16])


def test_a_cell_is_made_once(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"score": 0.5}

    path = tmp_path / "folder" / "cells.jsonl"
    for _ in range(2):  # the second one reads what the first one wrote
        cells = Cells(path)
        assert cells.get("a", make) == cells.get("a", make) == {"score": 0.5}
    assert len(made) == 1
    path.write_text(path.read_text()[:-5])  # a run that was killed while it wrote
    assert Cells(path).get("a", make) == {"score": 0.5} and len(made) == 2


def test_the_page_compares_with_all_rows():
    arm = {"rows": 10, "bytes": 1000, "held": 0.9, "rate": 0.01, "told": "3 bits"}
    arms = {
        "representatives": arm | {"scores": [0.9, 0.92]},
        ALL: arm | {"scores": [0.93, 0.95], "told": ""},
    }
    task = {"set": "s", "title": "t", "arms": arms, "batch": 8, "against": ALL}
    task |= {"updates": 100, "optimizer": "SGD"}
    told = {"command": "c", "budget": 32768, "held": 2, "seeds": 2, "ram": "1 B"}
    text = page.make(told | {"tasks": [task]})
    assert "| representatives | 10 | 1,000 | 90.0 | 91.0 +- 12.7 | -3.0 | 0.01 | 3 bits |" in text
    assert "as published" in text and "MCUNetV3" in text
