"""The store's benchmark: a cell is measured, and its page says what was."""

import json

import pytest
from click.testing import CliRunner

from bench import store as suite
from bench.store import measure, page


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.setattr(suite, "CELLS", tmp_path / "cells/store.json")
    monkeypatch.setattr(suite, "data_folder", lambda: tmp_path)
    monkeypatch.setattr(measure, "FIRST", 1 << 14)
    monkeypatch.setattr(measure, "rows_of", lambda name, folder: ROWS)
    return lambda *arguments: CliRunner().invoke(suite.main, list(arguments))


ROWS = measure.rows_of("synthetic_walk", None)[:1500]


def test_a_set_is_measured_and_kept(run, tmp_path):
    told = json.loads(run("--json", "--sets", "letter").stdout)
    cell = told["sets"]["letter"]
    assert cell["raw"] == ROWS.nbytes and 0 < cell["ours"] < cell["zstd"] < cell["raw"]
    assert cell["formula"] and cell["warm"] < cell["cold"]
    again = json.loads(run("--json", "--sets", "letter").stdout)
    assert again == told
    text = run("--sets", "letter").stdout
    assert "| letter |" in text and "| tuned | 1 |" in text


def test_each_set_is_tuned_on_unseen_or_made_up(data_dir):
    names = measure.names(data_dir)
    assert len(names) == 28 and set(measure.TUNED) == set(names[:15])
    cell = dict.fromkeys(("raw", "ours", "zstd", "parquet", "encode", "decode", "warm", "cold"), 1)
    cell |= {"zstd_encode": 3, "zstd_decode": 1, "formula": None}
    groups = page.summary({"sets": {name: cell for name in names}})
    assert {name: made["sets"] for name, made in groups.items()} == {
        "all": 25,
        "tuned": 15,
        "unseen": 10,
    }
