"""Projections: directions, their codes, what is tried, what is chosen, and what it is worth."""

import csv
import io
import subprocess
from pathlib import Path

import numpy as np
import oracle_inputs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import table

import tinydream
from tinydream import Adam, Network, Simulator, load_board, load_data, make_plan
from tinydream.codec import KINDS, EntroGeDe, all_rows, random_rows
from tinydream.codec.choose import candidates
from tinydream.codec.project import Directions, quantise_projection
from tinydream.codec.quantise import f8_encode
from tinydream.data import split
from tinydream.errors import BudgetError, DataError, InputError
from tinydream.inputs import f8_decode
from tinydream.run import Run
from tinydream.stages import read_representatives

DIGITS = Path(tinydream.__file__).parent / "demo" / "digits.csv.gz"


# ---- directions ----


def test_principal_directions_are_those_of_the_covariance():
    X = (np.random.default_rng(1).normal(size=(800, 6)) * [9, 7, 5, 3, 2, 1]).astype(np.float32)
    turn, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))
    X = (X @ turn).astype(np.float32) + 3
    A = Directions(X, np.zeros(len(X), np.int32), 1).projection("pca", 3, 8).matrix
    expected = np.linalg.eigh(np.cov(X.T))[1][:, ::-1][:, :3]
    assert np.allclose(np.abs((A / np.linalg.norm(A, axis=0)).T @ expected), np.eye(3), atol=0.02)


def test_discriminants_are_those_of_scikit_learn_that_shrinks_as_much():
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    X, y = table(d=8)
    A = Directions(X, y, 4)._directions(3, "lda")
    expected = LinearDiscriminantAnalysis(solver="eigen").fit(X, y).scalings_[:, :3]
    assert np.linalg.matrix_rank(A) == 3
    between = [np.linalg.qr(each)[0] for each in (A, expected)]
    angles = np.linalg.svd(between[0].T @ between[1])[1]
    assert angles.min() > 0.99, "they span the same space, shrinkage of 5 % aside"


def test_more_directions_than_classes_are_principal_ones_of_what_is_left():
    X, y = table(d=8)
    A = Directions(X, y, 4)._directions(6, "lda")
    assert A.shape == (8, 6) and np.allclose(A[:, :3].T @ A[:, 3:], 0, atol=1e-9)


def test_a_trained_projection_is_the_same_every_time():
    X, y = table(n=300, d=10)
    made = [Directions(X, y, 4).projection("trained", 3, 4, 50) for _ in range(2)]
    assert made[0].to_bytes() == made[1].to_bytes() and made[0].codes.shape == (10, 3)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 99), st.integers(1, 30), st.integers(1, 6), st.integers(2, 8))
def test_codes_lie_within_their_bits_on_the_best_of_12_grids(seed, d, r, bits):
    A = np.random.default_rng(seed).normal(size=(d, r)) ** 3
    made = quantise_projection(A, bits)
    top = 2 ** (bits - 1) - 1
    assert -top - 1 <= made.codes.min() and made.codes.max() <= top
    own = ((made.matrix - A) ** 2).sum(axis=0)
    for share in np.linspace(0.45, 1, 12):
        step = f8_decode(f8_encode(share * np.abs(A).max(axis=0) / top)).astype(float)
        step = np.maximum(step, 1e-30)
        other = ((np.rint(A / step).clip(-top - 1, top) * step - A) ** 2).sum(axis=0)
        assert (own <= other * (1 + 1e-5) + 1e-12).all()


# ---- candidates and the choice ----


@pytest.mark.parametrize("budget", [512, 2048, 8192, 32768])
@pytest.mark.parametrize("columns", [3, 4, 16, 24, 61, 300, 784])
def test_candidates_take_at_most_three_fifths_of_the_budget(columns, budget):
    tried = candidates(columns, budget, KINDS)
    assert tried[0].kind == "none" and tried[0].rank == columns
    for each in tried[1:]:
        assert columns * each.rank * each.bits <= 8 * 0.6 * budget
        assert 1 <= each.rank <= min(columns, 24) and each.bits in (3, 4)
    assert columns >= 4 or len(tried) == 1
    only = candidates(columns, budget, ("pca",), 2)
    assert [each.rank for each in only[1:]] in ([2], [])


def test_three_columns_are_never_projected():
    X, y = table(d=3)
    codec = EntroGeDe().fit(X, y)
    assert {trial.candidate.kind for trial in codec.trials_} == {"none"}
    assert codec.representatives_.projection is None


@pytest.mark.parametrize("kind", KINDS)
def test_an_explicit_kind_that_does_not_fit_is_refused_with_what_to_do(kind):
    X, y = table()
    with pytest.raises(BudgetError, match=f"no {kind} projection of 40 inputs fits in 60 bytes"):
        EntroGeDe(budget_bytes=60, projection=kind, components=8).fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"projection": "umap"}, "projection is 'umap'; it is 'auto', 'none', 'pca'"),
        ({"components": 0}, "components is 0; it must be a whole number in 1..65535"),
        ({"components": 41, "projection": "pca"}, "components is 41, but there are only 40"),
        ({"noise": -1}, "noise is -1; it is above 0, at most 100, or 'auto'"),
        ({"spread": "all"}, "spread is 'all'; it is 'auto', 'none', 'class' or 'row'"),
        ({"rank": 33}, r"rank is 33; it must be a whole number in 0..32"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, message):
    with pytest.raises(InputError, match=message):
        EntroGeDe(**parameters).fit(*table(n=200))


@settings(deadline=None, max_examples=12)
@given(
    st.sampled_from(KINDS), st.integers(1, 9), st.integers(300, 4000), st.integers(4, 30),
    st.booleans(),
)  # fmt: skip
def test_all_bytes_are_counted(kind, components, budget, d, regression):
    X, y = table(n=200, d=d)
    target = X[:, :2] @ np.ones((2, 1)) if regression else y
    components = min(components, d)
    try:
        codec = EntroGeDe(
            budget_bytes=budget, projection=kind, components=components, noise=1.0
        ).fit(X, target)
    except BudgetError:
        assert d * components * 3 > 8 * 0.6 * budget or budget < 400
        return
    reps = codec.representatives_
    projection = reps.inputs.projection
    assert projection is not None and projection.outputs == components == reps.X.shape[1]
    tables = reps.inputs.tables()
    assert len(tables["codes"]) == -(-d * components * projection.bits // 8)
    units = {**tables, **reps.outputs.tables()}
    assert reps.nbytes == sum(map(len, units.values())) + reps.rows.nbytes <= budget


# ---- from end to end ----


@pytest.fixture(scope="module")
def projected():
    X, y = table(n=1500)
    codec = EntroGeDe(budget_bytes=1500, projection="lda", components=5).fit(X[:1200], y[:1200])
    return codec, X, y


def test_network_inputs_are_those_of_the_oracle(projected):
    codec, X, _ = projected
    reps = codec.representatives_
    assert codec.transform(X).tobytes() == oracle_inputs.apply_inputs(reps.inputs, X).tobytes()


def test_a_network_learns_through_a_projection(projected):
    codec, X, y = projected
    net = Network.mlp([16], 4, Adam())
    simulator = Simulator(make_plan(codec, net, board=load_board("native")))
    assert simulator.plan.layers[0].inputs == 5
    simulator.train(epochs=30)
    assert simulator.score(X[1200:], y[1200:]) > 0.9


def test_back_is_the_least_squares_way(projected):
    inputs = projected[0].representatives_.inputs
    z = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
    x = inputs.back(z)
    expected = np.linalg.lstsq(inputs.projection.matrix.T.astype(float), z.T.astype(float))[0].T
    assert np.allclose(x, expected, atol=1e-4)
    assert np.allclose(x @ inputs.projection.matrix, z, atol=1e-4)


def test_rows_to_compare_with_are_not_projected(projected):
    codec, X, y = projected
    reps = codec.representatives_
    every, some = all_rows(reps, X, y), random_rows(reps, X, y, 0, bits=4)
    assert every.X.shape == (1500, 40) and some.inputs.projection is None
    assert some.nbytes <= reps.nbytes < some.nbytes + some.rows.row_bits / 8 + 1
    with pytest.raises(InputError, match="bits is None"):
        random_rows(reps, X, y, 0)


# ---- on the command line ----


@pytest.fixture
def walkers(tmp_path):
    """Rows of ten people, who are no feature."""
    X, y = table(n=600, d=12)
    who = np.random.default_rng(3).integers(0, 10, len(X))
    lines = [",".join([*(f"{v:.3f}" for v in row), f"p{w}", "abcd"[k]])
             for row, w, k in zip(X, who, y, strict=True)]  # fmt: skip
    path = tmp_path / "walk.csv"
    path.write_text("\n".join([",".join([*(f"f{j}" for j in range(12)), "who", "kind"]), *lines]))
    return path


def test_whole_groups_are_held_out_in_every_split(walkers):
    data = load_data(walkers, target="kind", groups="who")
    assert "who" not in data.features and data.X.shape[1] == 12
    for each in (data, split(data, 1), split(split(data, 7), 1)):
        assert not set(each.groups) & set(each.groups_test)
        assert abs(len(each.X_test) / 600 - 0.2) < 0.07
    assert split(data, 1).row_test.tolist() == split(split(data, 7), 1).row_test.tolist()


def test_groups_of_arrays_are_an_array(tmp_path):
    X, y = table(n=200, d=5)
    np.savez(tmp_path / "a.npz", x=X, y=y, day=np.arange(200) // 20)
    data = load_data(tmp_path / "a.npz", groups="day")
    assert not set(data.groups) & set(data.groups_test)
    with pytest.raises(DataError, match="no array 'dya' of groups; did you mean 'day'"):
        load_data(tmp_path / "a.npz", groups="dya")


@pytest.mark.parametrize(
    ("group", "message"),
    [("whom", "no column 'whom' of groups; did you mean 'who'"), ("kind", "is the target")],
)
def test_a_column_that_cannot_tell_groups_is_refused(walkers, group, message):
    with pytest.raises(DataError, match=message):
        load_data(walkers, target="kind", groups=group)


def test_groups_that_cannot_be_held_out_are_refused(tmp_path):
    (tmp_path / "one.csv").write_text("a,g,y\n" + "\n".join(f"{i},x,{i % 2}" for i in range(9)))
    with pytest.raises(DataError, match="'g' tells 1 groups, and none can be held out"):
        load_data(tmp_path / "one.csv", target="y", groups="g")


@pytest.fixture
def walked(verb, walkers):
    words = ["--groups", "who", "--projection", "pca", "--components", 5, "--budget-bytes", 900]
    code, out, err = verb("compress", walkers, "--target", "kind", *words)
    assert (code, err) == (0, "") and "projection: pca, 5 of 12 inputs, 4 bits: 0." in out
    return verb


def test_the_run_remembers_what_was_tried_and_can_be_repeated(walked):
    facts = Run("run").read_json("compress.json")
    assert facts["source"]["groups"] == "who" and facts["inputs"] == 5
    assert facts["trials"][facts["chosen"]]["candidate"] == {"kind": "pca", "rank": 5, "bits": 4}
    out = walked("inspect")[1]
    assert "projection: pca" in out and "codes" in out and "chosen" in out and "z5" in out
    assert walked("plan", "--board", "native", "--hidden", 8, "--epochs", 5)[0] == 0
    assert walked("train", "--port", "sim")[0] == 0 and walked("report")[0] == 0
    page = Run("run").path("report.html").read_text()
    assert "as a linear fit to the held-out rows tells" in page.replace("\n", " ")
    assert "These are not projected" in page
    assert "--projection pca --components 5 --groups who" in page


READER = """
#include <stdio.h>
#include "reps.h"
int main(void)
{
    static const float raw[REPS_FEATURES] = {%s};
    float x[REPS_COLUMNS];
    for (uint32_t i = 0; i < REPS_COUNT; i++) {
        uint32_t label = reps_row(i, x);
        for (uint32_t j = 0; j < REPS_COLUMNS; j++)
            printf("%%.9g,", (double)x[j]);
        printf("%%s\\n", reps_class_names[label]);
    }
    reps_project(raw, x);
    for (uint32_t j = 0; j < REPS_INPUTS; j++)
        printf("%%.9g,", (double)x[j]);
    return 0;
}
"""


@pytest.mark.needs("cc")
def test_exports_say_what_they_hold(walked, tmp_path, walkers):
    for name in ("reps.npz", "reps.csv", "reps.h"):
        code, out, _ = walked("export", name)
        assert code == 0 and ("back-projection" in " ".join(out.split()) or name == "reps.h")
    reps, _ = read_representatives(Run("run"))
    file = np.load("reps.npz")
    assert np.array_equal(file["inputs"], reps.X) and file["X"].shape == (reps.rows.count, 12)
    scaled = (file["X"] - file["shift"]) * np.ldexp(1.0, file["gain"].astype(int))
    assert np.allclose(scaled @ file["projection"], reps.X, atol=1e-3)
    with open("reps.csv") as text:
        header, *rows = csv.reader(text)
    assert header == [*(f"f{j}" for j in range(12)), "kind", "weight"]
    assert np.allclose(np.array([row[:12] for row in rows], float), file["X"], rtol=1e-5)
    raw = load_data(walkers, target="kind", groups="who").X[0]
    (tmp_path / "reader.c").write_text(READER % ", ".join(f"{float(v):.9g}f" for v in raw + 0.0))
    strict = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-ffp-contract=off"]
    subprocess.run(["cc", *strict, "reader.c", "-o", "reader"], check=True)
    out = subprocess.run(["./reader"], check=True, capture_output=True, text=True).stdout
    *got, last = csv.reader(io.StringIO(out))
    assert np.allclose(np.array([row[:5] for row in got], float), reps.X, atol=1e-5)
    assert [row[5] for row in got] == ["abcd"[k] for k in reps.y]
    assert np.allclose(np.array(last[:5], float), reps.inputs.apply(raw[None])[0], atol=1e-5)


def test_a_very_wide_table_is_neither_projected_nor_judged():
    X = np.random.default_rng(0).standard_normal((200, 2100)).astype(np.float32)
    codec = EntroGeDe(budget_bytes=30_000).fit(X, np.arange(200) % 2)
    assert codec.trials_ == () and codec.representatives_.projection is None
    with pytest.raises(InputError, match="2100 inputs are too many for a projection or factors"):
        EntroGeDe(budget_bytes=30_000, projection="pca").fit(X, np.arange(200) % 2)
