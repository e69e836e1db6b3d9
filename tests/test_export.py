"""export: representatives for other programs, which read them back here."""

import csv
import io
import json
import subprocess
from pathlib import Path

import numpy as np
import oracle_rows
import pytest
from plans import random_rows

from tinydream import looks
from tinydream.codegen import representatives_header
from tinydream.rows import Inputs
from tinydream.run import Run
from tinydream.stages import read_representatives


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


@pytest.mark.needs("cc")
def test_export_of_a_regression_has_targets_in_raw_units(regression, verb, tmp_path):
    plan, _ = regression
    for name in ("reps.npz", "reps.csv", "reps.h"):
        assert verb("export", name)[0] == 0
    with open("reps.csv") as file:
        header, *rows = csv.reader(file)
    values = np.array(rows, float)
    file = np.load("reps.npz")
    inputs = plan.inputs.outputs
    assert tuple(header[inputs:]) == (*plan.targets, "weight")
    assert np.allclose(values[:, :inputs], file["X"], rtol=1e-6)
    assert np.allclose(values[:, inputs:-1], file["y"], rtol=1e-6)
    reader = READER.replace("%s,%u", "%u").replace("reps_class_names[label], ", "")
    (tmp_path / "reader.c").write_text(reader.replace("uint32_t label = ", ""))
    subprocess.run(["cc", "-std=c99", "-Wall", "-Werror", "reader.c", "-o", "reader"], check=True)
    out = subprocess.run(["./reader"], check=True, capture_output=True, text=True).stdout
    got = np.array(list(csv.reader(io.StringIO(out))), float)
    assert np.allclose(got, values, rtol=1e-4, atol=1e-4 * np.abs(values).max())


def test_inputs_of_a_category_are_named_by_its_words(verb, tmp_path):
    lines = [f"{i},{'red green blue'.split()[i % 3]},{'ab'[i % 2]}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["size,colour,kind", *lines]) + "\n")
    assert verb("compress", "t.csv", "--target", "kind", "--budget-bytes", 400)[0] == 0
    assert verb("export", "reps.csv")[0] == 0
    header = Path("reps.csv").read_text().splitlines()[0].split(",")
    words = ["colour=blue", "colour=green", "colour=red"]
    assert header == ["size", *words, "kind", "weight"]
    spreads = json.loads(verb("inspect", "--json")[1])["deviation"]
    assert [spread["name"] for spread in spreads] == ["size", *words]


@pytest.mark.needs("cc")
@pytest.mark.parametrize("seed", range(4))
def test_a_header_of_rows_with_shares_and_spreads_tells_columns_and_classes(seed, tmp_path):
    rng = np.random.default_rng(seed)
    drawn = (random_rows(rng, 7, 5, targets=0, rich=True) for _ in range(1000))
    rows = next(r for r in drawn if r.soft_bits and r.spread_bits)
    classes = [f"class {k}" for k in range(5)]
    inputs, names = Inputs(np.ones(7, bool), [0], [0]), list("abcdefg")
    text = representatives_header(inputs, rows, np.zeros(7), np.ones(7), names, names, classes)
    (tmp_path / "reps.h").write_text(text)
    (tmp_path / "reader.c").write_text(READER)
    command = ["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "reader.c", "-o", "reader"]
    subprocess.run(command, check=True, cwd=tmp_path)
    out = subprocess.run([tmp_path / "reader"], capture_output=True, text=True).stdout
    got = list(csv.reader(io.StringIO(out)))
    points, labels = oracle_rows.decode(rows)
    assert np.allclose(np.array([row[:7] for row in got], float), points, rtol=1e-5, atol=1e-5)
    assert [row[7] for row in got] == [classes[k] for k in labels]


def test_export_of_projected_rows_carries_the_projection(verb):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6)) @ rng.normal(size=(6, 40))
    y = (X[:, 0] > 0).astype(int)
    np.savez("table.npz", x_train=X, y_train=y, x_test=X[:50], y_test=y[:50])
    assert verb("compress", "table.npz", "--budget-bytes", 600, "--projection", "pca")[0] == 0
    reps, _ = read_representatives(Run("run"))
    assert reps.inputs.projection is not None, "a short budget for 40 columns of rank 6"
    assert verb("export", "reps.npz")[0] == verb("inspect")[0] == 0
    file = np.load("reps.npz")
    size = reps.inputs.outputs
    assert np.array_equal(file["inputs"], reps.X) and file["projection"].shape == (40, size)
    assert file["X"].shape == (reps.rows.count, 40) and len(file["features"]) == 40

    def projected(raw):
        scaled = (raw - file["shift"]) * np.ldexp(1.0, file["gain"].astype(int))
        return scaled @ file["projection"]

    assert np.allclose(np.clip(projected(X), -16, 16), reps.inputs.apply(X), atol=1e-3)
    assert np.allclose(projected(file["X"]), file["inputs"], atol=1e-3), "back and forth"
