"""scripts/bench options: what an option set says is what the codec does."""

import numpy as np
import pytest
from click.testing import CliRunner

import tinydream as td
from bench.codec.sets import SETS as ALL_SETS
from bench.options import main, page
from bench.options.measure import changed
from bench.options.rows import QUESTIONS, SETS, rows_of

CONSTANTS: dict = {}
for _, some in (each for rows in QUESTIONS.values() for each in rows):
    CONSTANTS = some | CONSTANTS  # the first value of each


def packed(projection):
    """What a table with one value far off becomes, byte for byte, and what was tried for it."""
    generator = np.random.default_rng(0)
    X = generator.standard_normal((600, 6)) * [1, 5, 1, 20, 1, 1]
    X[0, 1], y = 1e4, X[:, 0] + 0.5 * X[:, 2] ** 2
    codec = td.EntroGeDe(budget_bytes=700, projection=projection, noise=1.0, rank=0, spread="none")
    reps = codec.fit(X, y).representatives_
    return reps.rows.to_bytes(), reps.inputs.to_bytes(), codec.trials_


@pytest.mark.parametrize("constant", sorted(CONSTANTS))
def test_a_constant_takes_effect_and_is_set_back(constant):
    projection = "trained" if constant.startswith(("project.", "choose.")) else "none"
    before = packed(projection)
    with changed({constant: CONSTANTS[constant]}):
        other = packed(projection)
    assert other != before and packed(projection) == before


def test_options_are_those_of_the_codec_and_labels_tell_them_apart():
    for name in ALL_SETS:
        rows = rows_of(name, list(QUESTIONS))
        assert len({(row.question, row.label) for row in rows}) == len(rows)
        for row in rows:
            td.EntroGeDe(**row.options)
    known = {row.question for name in SETS for row in rows_of(name, list(QUESTIONS))}
    assert known == set(QUESTIONS)
    regression = rows_of("california_housing", list(QUESTIONS))
    assert not any(row.options.get("soft") for row in regression)


def test_the_page_compares_with_the_first_row():
    row = {"question": "noise", "budget": 8192, "set": "letter"}
    rows = [
        row | {"label": "no choice", "mean": 80.0},
        row | {"label": "noise=0.5", "mean": 79.5},
        row | {"label": "noise=9", "mean": None},
        row | {"label": "no choice", "mean": 90.0, "set": "eeg_eye"},
    ]
    text = page.make({"command": "scripts/bench options", "seeds": 3, "rows": rows})
    assert "| no choice | 8,192 | 80.0 | 90.0 |" in text
    assert "| noise=0.5 | 8,192 | 79.5 (-0.5) |  |" in text and "| noise=9 | 8,192 | - |  |" in text


def test_what_is_unknown_gets_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYDREAM_DATA", str(tmp_path))
    for option, sentence in (("--sets", "no set is called x"), ("--questions", "no question is")):
        result = CliRunner().invoke(main, [option, "x"])
        assert result.exit_code == 1 and sentence in result.output
