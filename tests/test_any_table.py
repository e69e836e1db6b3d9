"""Numbers to predict, categories, and values that are missing, from table to trained device."""

import json

import numpy as np
import pytest

from tinydream.run import Run


@pytest.fixture
def houses(tmp_path):
    """A table with a number to predict: text, a gap here and there, a constant, an outlier."""
    rng = np.random.default_rng(0)
    size, town = rng.uniform(20, 200, 400), rng.integers(0, 4, 400)
    age = rng.uniform(0, 90, 400)
    price = 3 * size + 100 * town - age + rng.normal(0, 5, 400)
    lines = ["size,town,age,roof,garden,price"]
    for i, row in enumerate(zip(size, town, age, price, strict=True)):
        s, t, a, p = row
        gap = "" if i % 17 == 3 else f"{a:.1f}"
        lines.append(f"{s:.1f},{'Aix Bonn Cork Delft'.split()[t]},{gap},1,{i % 2 == 0},{p:.2f}")
    lines[5] = "1e7," + lines[5].split(",", 1)[1]
    path = tmp_path / "houses.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def sold(verb, houses):
    code, out, err = verb("compress", houses, "--target", "price", "--budget-bytes", 900)
    assert (code, err) == (0, "") and "regression" in out
    code, out, err = verb("plan", "--board", "native", "--hidden", "16", "--epochs", 120)
    assert (code, err) == (0, "")
    return verb


def test_a_plan_says_what_became_of_every_column(sold):
    plan = Run("run").plan()
    assert plan.task == "regression" and plan.classes == () and plan.targets == ("price",)
    assert plan.features == ("size", "town", "age", "roof", "garden")
    assert plan.inputs.kept.tolist() == [True, True, True, False, True]
    assert plan.inputs.expand.tolist() == [0, 4, 0, 0] and plan.inputs.columns == 7
    assert plan.rows.targets == 1 and Run("run").read_json("compress.json")["missing"] == ["age"]


def test_the_device_predicts_prices_as_the_simulator_does(sold):
    for arguments in (["generate"], ["build"], ["train", "--port", "native"]):
        assert sold(*arguments)[0] == 0
    code, out, err = sold("report", "--json")
    told = json.loads(out)
    assert (told["task"], told["metric"], told["weights_equal"]) == ("regression", "r2", True)
    assert told["accuracy"]["device"][0] > 0.85
    assert told["representative_bytes"] <= 900


def test_prices_of_new_houses_come_out_in_raw_units(sold, tmp_path):
    assert sold("train", "--port", "sim")[0] == 0
    new = tmp_path / "new.csv"
    new.write_text("town,size,age,roof,garden\nAix,100,10,1,true\nDelft,100,,1,false\n")
    code, out, err = sold("predict", new)
    assert code == 0, err
    head, near, far = out.splitlines()
    assert head == "price" and abs(float(near) - 290) < 80 and float(far) > float(near) + 100


def test_a_category_that_training_never_saw_counts_as_missing(sold, tmp_path):
    assert sold("train", "--port", "sim")[0] == 0
    new = tmp_path / "new.csv"
    new.write_text("town,size,age,roof,garden\nOslo,100,10,1,true\n")
    code, out, err = sold("predict", new)
    assert code == 0 and "Oslo" in err and np.isfinite(float(out.splitlines()[1]))
