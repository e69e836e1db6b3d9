"""inspect, verify, predict, export, as a user types them."""

import csv
import io
import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from tinydream import looks
from tinydream.run import Run
from tinydream.simulator import Simulator


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


def test_inspect_draws_what_the_store_takes(planned, tmp_path):
    assert planned("inspect", "--store-svg", "store.svg")[0] == 0
    columns = json.loads(planned("inspect", "--json")[1])["store"]
    root = ET.parse(tmp_path / "store.svg").getroot()
    titles = [each.text for each in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == 3 * len(columns) > 0
    first = columns[0]
    assert f"{first['name']}, as coded: {first['coded']:,} B" in titles
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any(text.startswith(f"{first['coded']:,} B: {first['how']}") for text in texts)


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


# ---- regression ----


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
