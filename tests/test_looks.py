"""inspect, verify, predict, export, as a user types them."""

import csv
import io
import json
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from plans import random_plan

from tinydream import looks
from tinydream.looks.inspect import FACTS
from tinydream.run import Run
from tinydream.simulator import Simulator
from tinydream.stages import read_representatives


@pytest.fixture
def trained(planned):
    assert planned("train", "--port", "sim")[0] == 0
    return planned


# ---- inspect ----


def test_compress_keeps_the_entropy_of_each_feature(planned):
    arrays = Run("run").read_arrays("entropy.npz", "bits", "values")
    assert arrays["values"].dtype == np.float32 and len(arrays["values"]) == 4
    assert (~np.isnan(arrays["values"])).sum(axis=1).tolist() == arrays["bits"].tolist()
    known = arrays["values"][~np.isnan(arrays["values"])]
    assert ((known >= 0) & (known <= 1)).all() and known.max() > 0.9


def test_inspect_shows_bits_representatives_deviations_and_bytes(planned):
    code, out, err = planned("inspect")
    assert (code, err) == (0, "")
    for part in ("entropy of each bit", "representatives of 240 rows", "deviations", "in all"):
        assert part in out
    assert max(map(len, out.splitlines())) <= 100


def test_inspect_tells_json_the_same_as_the_plan(planned):
    told = json.loads(planned("inspect", "--json")[1])
    plan = Run("run").plan()
    assert told["tables"] == {name: len(data) for name, data in plan.constants.items()}
    assert sum(told["tables"].values()) == told["representative_bytes"] <= 400
    assert sum(c["representatives"] for c in told["classes"]) == plan.rows.count
    assert sum(c["rows"] for c in told["classes"]) == plan.rows.rows
    assert [s["name"] for s in told["deviation"]] == list("abcd")
    assert set(told["entropy"]) == set("abcd")


def test_inspect_draws_an_svg_that_is_well_formed(planned, tmp_path):
    assert planned("inspect", "--svg", "bits.svg")[0] == 0
    root = ET.parse(tmp_path / "bits.svg").getroot()
    titles = [each.text for each in root.iter("{http://www.w3.org/2000/svg}title")]
    bits = json.loads(planned("inspect", "--json")[1])["entropy"]
    assert len(titles) == sum(map(len, bits.values()))
    assert titles[0].startswith("a, bit 1: ")


def test_many_features_are_shown_in_few_lines():
    names = [f"x{i}" for i in range(1000)]
    entropy = np.full((1000, 8), 0.5, np.float32)
    entropy[:, 7] = np.nan
    short, means = looks.condense(names, entropy, 40)
    assert len(short) == len(means) == 40 and short[0] == "x0 .. x24"
    assert (means[:, :7] == 0.5).all() and np.isnan(means[:, 7]).all()
    assert looks.condense(names[:40], entropy[:40], 40)[0] == names[:40]


def test_without_deviations_inspect_says_so(verb, table):
    verb("compress", table, "--target", "kind", "--budget-bytes", 400, "--no-deviation")
    code, out, err = verb("inspect")
    assert code == 0 and "rows repeat" in out
    assert json.loads(verb("inspect", "--json")[1])["deviation"] == []


def test_inspect_of_nothing_names_the_verb_that_is_missing(verb):
    code, out, err = verb("inspect")
    assert code == 2 and err.endswith("run `tinydream compress` first\n")


def test_a_picture_that_cannot_be_written_is_one_sentence(planned, tmp_path):
    code, out, err = planned("inspect", "--svg", "absent/bits.svg")
    assert code == 2 and err.count("\n") == 1
    assert "absent/bits.svg cannot be written" in err and "another file" in err


# ---- verify ----


def test_verify_finds_simulator_and_weights_equal(trained):
    code, out, err = trained("verify")
    assert (code, err) == (0, "") and "equal bit for bit" in out
    told = json.loads(trained("verify", "--port", "sim", "--json")[1])
    assert told["equal"] is True and told["trained"] is True
    assert told["crc32"] == Run("run").read_json("train.json")["crc32"]
    assert told["weights"] == Run("run").plan().parameters and told["probes"] == 60


@pytest.mark.needs("cc")
def test_verify_trains_a_device_and_leaves_the_run_as_it_was(trained):
    trained("generate"), trained("build")
    before = {p.name: p.read_bytes() for p in Run("run").folder.iterdir() if p.is_file()}
    told = json.loads(trained("verify", "--port", "native", "--json")[1])
    assert told["port"] == "native" and told["equal"] is True
    assert {p.name: p.read_bytes() for p in Run("run").folder.iterdir() if p.is_file()} == before


def test_verify_counts_the_weights_that_differ_and_names_the_first(trained):
    run = Run("run")
    plan = run.plan()
    weights = run.weights(plan).copy()
    weights[[9, 12]] += 1
    run.write_weights(plan, weights)
    code, out, err = trained("verify")
    assert code == 1 and out == "" and err.count("\n") == 1
    assert f"2 of {plan.parameters} weights differ" in err
    assert "number 9, W1[2, 1]" in err and f"{weights[9]:.9g} there" in err
    assert "of 60 held-out rows" in err


@pytest.mark.parametrize(("number", "name"), [(0, "W1[0, 0]"), (33, "b1[1]"), (40, "W2[0, 0]")])
def test_the_first_weight_that_differs_has_the_name_that_weights_npz_gives(trained, number, name):
    run = Run("run")
    weights = run.weights(run.plan()).copy()
    weights[number] += 1
    run.write_weights(run.plan(), weights)
    assert f"number {number}, {name}:" in trained("verify")[2]


def test_verify_without_a_training_says_what_to_do(planned):
    assert "run `tinydream train` first" in planned("verify")[2]
    assert planned("verify", "--port", "sim")[0] == 0  # with the plan's own knobs
    assert "run `tinydream build` first" in planned("verify", "--port", "native")[2]


def test_verify_refuses_what_was_trained_from_another_plan(trained):
    trained("plan", "--board", "native", "--hidden", "5")
    code, out, err = trained("verify")
    assert code == 2 and "stale" in err and "run `tinydream train` again" in err


def test_a_train_json_that_was_touched_is_damaged(trained):
    run = Run("run")
    run.write_json("train.json", run.read_json("train.json") | {"knobs": {"epoch": 1}})
    code, out, err = trained("verify")
    assert code == 2 and "damaged" in err and "knobs" in err


# ---- predict ----


@pytest.fixture
def rows():
    """Held-out rows, and what the simulator says of them."""
    run = Run("run")
    simulator = Simulator(run.plan())
    simulator.push(run.weights(run.plan()))
    X = run.heldout().X
    return X, [run.plan().classes[k] for k in simulator.predict(X)], simulator


def written(name, header, rows):
    with open(name, "w") as file:
        csv.writer(file).writerows([header, *rows])


def test_predict_takes_columns_by_name_and_notes_what_it_ignores(trained, request):
    X, names, _ = request.getfixturevalue("rows")
    written("new.csv", ["d", "id", "b", "a", "c"], [(x[3], 7, x[1], x[0], x[2]) for x in X])
    code, out, err = trained("predict", "new.csv")
    assert code == 0 and out.splitlines() == ["kind", *names]
    assert err == "note: columns of new.csv that are no features are ignored: id\n"


def test_predict_takes_arrays_and_tells_probabilities(trained, request):
    X, names, simulator = request.getfixturevalue("rows")
    np.savez("new.npz", x=X)
    np.save("new.npy", X)
    for file in ("new.npz", "new.npy"):
        code, out, err = trained("predict", file, "--probabilities")
        table = list(csv.reader(io.StringIO(out)))
        assert (code, err) == (0, "") and table[0] == ["kind", "p(a)", "p(b)", "p(c)"]
        assert [row[0] for row in table[1:]] == names
        shares = np.array([row[1:] for row in table[1:]], float)
        assert np.allclose(shares, simulator.predict_proba(X), atol=1e-6)


def test_predict_writes_to_a_file_and_takes_other_weights(trained, request):
    X, names, _ = request.getfixturevalue("rows")
    np.save("new.npy", X)
    Run("run").path("weights.npz").rename("kept.npz")
    code, out, err = trained("predict", "new.npy", "--to", "out.csv", "--weights", "kept.npz")
    assert (code, err) == (0, "") and "60 predictions" in out
    with open("out.csv") as file:
        assert file.read().splitlines() == ["kind", *names]


BAD_ROWS = {
    "x.csv": ("a,b,c\n1,2,3\n", "x.csv lacks the feature 'd'"),
    "near.csv": ("a,b,c,dd\n1,2,3,4\n", "rename 'dd' to 'd'?"),
    "two.csv": ("a,b\n1,2\n", "'c' and 1 more"),
    "none.csv": ("a,b,c,d\n", "has no rows"),
    "nothing.csv": ("", "is empty"),
    "text.csv": ("a,b,c,d\n1,2,3,4\n1,x,3,4\n", "line 3: feature 'b' holds 'x'"),
    "gap.csv": ("a,b,c,d\n1,2,3,4\n1,2,,4\n", "line 3: feature 'c' is empty"),
    "inf.csv": ("a,b,c,d\n1,2,3,inf\n", "feature 'd' holds inf in row 1"),
    "x.txt": ("a\n", "unknown kind"),
    "ragged.csv": ("a,b,c,d\n1,2,3,4,5\n", "not a well-formed CSV"),
    "bad.csv.gz": ("no gzip", "cannot be read"),
    "bad.npz": ("no zip", "cannot be read"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_rows_that_cannot_be_predicted_are_refused_in_one_sentence(trained, name, tmp_path):
    text, says = BAD_ROWS[name]
    (tmp_path / name).write_text(text)
    code, out, err = trained("predict", name)
    assert (code, out) == (2, "") and err.count("\n") == 1 and says in err


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"y": np.ones((2, 4))}, "no array 'x' (it has y)"),
        ({"x": np.ones((2, 3))}, "rows of 3 numbers and the plan 4 features (a, b, c, d)"),
        ({"x": np.array(["a"])}, "rows of numbers are needed"),
        ({"x": np.ones((0, 4))}, "has no rows"),
        ({"x": np.full((2, 4), np.nan)}, "feature 'a' holds nan in row 1"),
    ],
)
def test_arrays_that_cannot_be_predicted_are_refused(trained, arrays, says):
    np.savez("x.npz", **arrays)
    code, out, err = trained("predict", "x.npz")
    assert (code, out) == (2, "") and err.count("\n") == 1 and says in err


def test_predict_needs_rows_and_weights_of_its_plan(trained, tmp_path):
    (tmp_path / "x.csv").write_text("a,b,c,d\n1,2,3,4\n")
    assert "does not exist" in trained("predict", "absent.csv")[2]
    assert "does not exist" in trained("predict", "x.csv", "--weights", "absent.npz")[2]
    np.savez("other.npz", a=1)
    assert "no array 'weights'" in trained("predict", "x.csv", "--weights", "other.npz")[2]
    np.savez("other.npz", weights=np.ones(3, np.float32))
    assert "needs" in trained("predict", "x.csv", "--weights", "other.npz")[2]
    Run("run").path("weights.npz").rename("old.npz")
    assert "run `tinydream train` first" in trained("predict", "x.csv")[2]
    trained("plan", "--board", "native", "--hidden", "5")
    assert "belongs to plan" in trained("predict", "x.csv", "--weights", "old.npz")[2]


# ---- export ----


def test_export_npz_holds_rows_weights_and_scales(planned):
    code, out, err = planned("export")
    assert (code, err) == (0, "") and "run/export.npz" in out
    reps, _ = read_representatives(Run("run"))
    with np.load("run/export.npz") as file:
        got = dict(file)
    assert np.array_equal(got["inputs"], reps.X) and np.array_equal(got["y"], reps.y)
    assert np.array_equal(got["weight"], reps.weight) and got["features"].tolist() == list("abcd")
    again = (got["X"] - got["shift"]) * np.ldexp(1.0, got["gain"].astype(int))
    assert np.allclose(again, reps.X, atol=1e-5) and got["classes"].tolist() == list("abc")


def test_export_csv_is_a_table_that_compress_would_read(planned):
    told = json.loads(planned("export", "reps.csv", "--json")[1])
    planned("export", "reps.npz")
    npz = np.load("reps.npz")
    reps, _ = read_representatives(Run("run"))
    with open("reps.csv") as file:
        header, *rows = csv.reader(file)
    assert header == ["a", "b", "c", "d", "kind", "weight"]
    assert len(rows) == told["representatives"] == reps.rows.count
    assert np.allclose(np.array([r[:4] for r in rows], float), npz["X"], rtol=1e-6)
    assert [row[4] for row in rows] == ["abc"[k] for k in reps.y]
    assert [int(row[5]) for row in rows] == reps.weight.tolist()


READER = """
#include <stdio.h>
#include "reps.h"
int main(void)
{
    float x[REPS_COLUMNS];
    for (uint32_t i = 0; i < REPS_COUNT; i++) {
        uint32_t label = reps_row(i, x);
        for (uint32_t j = 0; j < REPS_COLUMNS; j++)
            printf("%.9g,", (double)x[j]);
        printf("%s,%u\\n", reps_class_names[label], (unsigned)reps_weight(i));
    }
    return 0;
}
"""


@pytest.mark.needs("cc")
def test_export_h_compiles_and_unpacks_the_same_rows(planned, tmp_path):
    assert planned("export", "reps.h")[0] == 0 and planned("export", "reps.csv")[0] == 0
    (tmp_path / "reader.c").write_text(READER)
    strict = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
    subprocess.run(["cc", *strict, "reader.c", "-o", "reader"], check=True)
    out = subprocess.run(["./reader"], check=True, capture_output=True, text=True).stdout
    with open("reps.csv") as file:
        expected = list(csv.reader(file))[1:]
    got = list(csv.reader(io.StringIO(out)))
    assert [row[4:] for row in got] == [row[4:] for row in expected]
    numbers = [np.array([row[:4] for row in each], float) for each in (got, expected)]
    assert np.allclose(*numbers, rtol=1e-5, atol=1e-5)


@pytest.mark.needs("cc")
def test_a_header_alone_gives_no_warning(planned, tmp_path):
    planned("export", "reps.h")
    (tmp_path / "only.c").write_text('#include "reps.h"\nint main(void) { return 0; }\n')
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-c", "only.c"], check=True)


def test_export_takes_its_format_from_the_name_or_the_option(planned):
    assert json.loads(planned("export", "--format", "csv", "--json")[1])["path"] == "run/export.csv"
    assert json.loads(planned("export", "x.txt", "--format", "h", "--json")[1])["format"] == "h"
    code, out, err = planned("export", "x.txt")
    assert code == 2 and "npz, csv, h" in err and "x.txt" in err
    assert "cannot be written" in planned("export", "absent/x.npz")[2]


def test_a_special_file_is_written_to_and_not_replaced():
    looks.save("/dev/null", b"x")
    assert Path("/dev/null").is_char_device()


# ---- regression ----


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
    facts = dict.fromkeys(FACTS, 100) | {"raw_dtype": "f32", "columns": [], "missing": []}
    run.write_json("compress.json", facts)
    run.write("plan.bin", plan.to_bytes())
    run.write_json("plan.json", {"digest": plan.digest.hex(), "knobs": {}})
    simulator = Simulator(plan)
    run.write_weights(plan, simulator.weights)
    return plan, simulator


def test_inspect_of_a_regression_has_one_group_and_targets_with_a_spread(regression, verb):
    plan, _ = regression
    assert verb("inspect")[0] == 0
    told = json.loads(verb("inspect", "--json")[1])
    (group,) = told["classes"]
    assert group["name"] == ", ".join(plan.targets) and group["rows"] == plan.rows.rows
    assert [s["name"] for s in told["deviation"]][-2:] == list(plan.targets)[-2:]
    assert told["tables"] == {name: len(data) for name, data in plan.constants.items()}


def test_predict_of_a_regression_tells_numbers_in_raw_units(regression, verb):
    plan, simulator = regression
    X = np.random.default_rng(0).normal(size=(5, len(plan.features))).astype(np.float32)
    np.save("new.npy", X)
    code, out, err = verb("predict", "new.npy")
    header, *rows = csv.reader(io.StringIO(out))
    assert code == 0 and tuple(header) == plan.targets
    assert np.array_equal(np.array(rows, np.float32), simulator.predict(X))
    code, out, err = verb("predict", "new.npy", "--probabilities")
    assert code == 2 and "classes" in err and err.count("\n") == 1


@pytest.mark.needs("cc")
def test_export_of_a_regression_has_targets_in_raw_units(regression, verb, tmp_path):
    plan, _ = regression
    for name in ("reps.npz", "reps.csv", "reps.h"):
        assert verb("export", name)[0] == 0
    with open("reps.csv") as file:
        header, *rows = csv.reader(file)
    values = np.array(rows, float)
    file = np.load("reps.npz")
    inputs = plan.inputs.columns
    assert tuple(header[inputs:]) == (*plan.targets, "weight")
    assert np.allclose(values[:, :inputs], file["X"], rtol=1e-6)
    assert np.allclose(values[:, inputs:-1], file["y"], rtol=1e-6)
    reader = READER.replace("%s,%u", "%u").replace("reps_class_names[label], ", "")
    (tmp_path / "reader.c").write_text(reader.replace("uint32_t label = ", ""))
    subprocess.run(["cc", "-std=c99", "-Wall", "-Werror", "reader.c", "-o", "reader"], check=True)
    out = subprocess.run(["./reader"], check=True, capture_output=True, text=True).stdout
    got = np.array(list(csv.reader(io.StringIO(out))), float)
    assert np.allclose(got, values, rtol=1e-4, atol=1e-4 * np.abs(values).max())
