"""The comparison's own arithmetic: intervals, cells, bytes of peers, verdicts."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import tinydream as td
from bench.codec import main
from bench.codec.cells import Cells
from bench.codec.cnn import fit_cnn, pixels
from bench.codec.figures import Figures
from bench.codec.methods import build
from bench.codec.pack import Rows8, Space, every_row, pack
from bench.codec.peers import CHOOSERS, allocate, clusters
from bench.codec.pictures import draw
from bench.codec.report import figures, markdown
from bench.codec.rival import round_weights
from bench.codec.runner import missing
from bench.codec.sets import SETS, Facts, Fold, noisy
from bench.codec.statistics import paired, spread
from bench.codec.suite import BUDGETS, CNN_SET, cnn_units, jobs
from bench.codec.units import METHODS, Unit
from bench.codec.unseen import scene, with_rows
from tinydream.plan import Layer

rng = np.random.default_rng(0)


def fold(task="classification", n=400, d=5):
    X = rng.normal(size=(n, d)).astype(np.float32)
    y = X[:, 0] + X[:, 1] if task == "regression" else X[:, :3].argmax(axis=1).astype(np.int32)
    return Fold("made", Facts(task, "table", 50), X, y, X[:50], y[:50], None, 0.0)


# ---- statistics ----


def test_the_interval_is_students():
    values = [1.0, 2.0, 3.0, 4.0, 5.0]  # by hand: s = 1.5811, t(4) = 2.776
    assert spread(values) == pytest.approx(2.776 * 1.5811388 / 5**0.5)
    apart = paired([v + 3 for v in values], [3.0] * 5)
    assert (apart.mean, apart.high - apart.mean) == pytest.approx((3.0, spread(values)))
    assert apart.above and not apart.below


def test_equal_scores_are_neither_above_nor_below():
    apart = paired([0.5] * 5, [0.5] * 5)
    assert not apart.above and not apart.below


def test_the_interval_covers_the_truth_as_often_as_it_says():
    draws = np.random.default_rng(1).normal(size=(2000, 10))
    hits = [abs(np.mean(row)) <= spread(row.tolist()) for row in draws]
    assert 0.93 < np.mean(hits) < 0.97
    with pytest.raises(ValueError, match="two seeds"):
        spread([1.0])


# ---- cells ----


def test_a_cell_is_found_again_unless_anything_that_decides_it_changes(tmp_path, monkeypatch):
    path, unit = tmp_path / "x" / "cells.jsonl", Unit("ccpp", "ours", 2048)
    Cells(path).add(unit, [{"seed": 0, "score": 0.5}, {"seed": 1, "score": 0.75}])
    again = Cells(path)
    assert again.scores(unit, range(2)) == [0.5, 0.75]
    assert again.scores(unit, range(3)) is None
    assert again.get(Unit("ccpp", "ours", 8192), 0) is None
    assert Cells(path, fresh=True).get(unit, 0) is None
    again.add(unit, [{"seed": 0, "score": 0.5}])
    monkeypatch.setattr("bench.codec.cells.stamp", lambda ours: "other")
    assert Cells(path).get(unit, 0) is None


def test_a_line_that_was_cut_off_costs_one_cell(tmp_path):
    path, unit = tmp_path / "cells.jsonl", Unit("ccpp", "all")
    Cells(path).add(unit, [{"seed": 0, "score": 0.5}, {"seed": 1, "score": 0.75}])
    path.write_text(path.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    assert Cells(path).scores(unit, range(1)) == [0.5]
    assert Cells(path).get(unit, 1) is None


def test_only_what_lacks_is_measured(tmp_path):
    cells, unit = Cells(tmp_path / "cells.jsonl"), Unit("ccpp", "all")
    cells.add(unit, [{"seed": -1, "bits": 0, "rate": 0.01, "score": 1}, {"seed": 1, "score": 1}])
    tasks = missing([[(unit, 3)]], cells)
    assert [(u, seeds, choice["rate"]) for u, seeds, choice in tasks[0]] == [(unit, [0, 2], 0.01)]
    assert missing([[(unit, 0)]], cells) == []


@pytest.mark.parametrize("there", [True, False])
def test_no_unit_is_asked_for_twice_and_each_method_is_known(there, monkeypatch):
    monkeypatch.setattr("bench.codec.suite.there_is_keras", lambda: there)
    units = [unit for job in jobs(list(SETS), quick=False) for unit, _ in job]
    assert len(units) == len(set(units))
    assert {unit.method for unit in units} == set(METHODS)
    of_images = [unit for unit in units if unit.learner.startswith("cnn")]
    assert len(of_images) == there * sum(len(cnn_units(b)) for b in (0, *BUDGETS))
    assert all(unit.learner == "mlp" for job in jobs(list(SETS), quick=True) for unit, _ in job)


# ---- peers ----


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 100, 399, 1000])
def test_rows_are_shared_among_classes(rows):
    counts = np.array([5, 300, 95])
    got = allocate(rows, counts)
    assert got.sum() == min(rows, 400) and (got <= counts).all()
    assert (got >= 1).all() or rows < 3 and got[1] == 1


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("method", sorted(METHODS.keys() - {"all", "rival"}))
def test_no_method_holds_more_bytes_than_it_may(method, task):
    made = fold(task)
    for budget in (300, 1500):
        for bits in METHODS[method].bits:
            built = build(Unit("made", method, budget), made, bits, seed=1)
            assert built is None or built.reps.nbytes <= budget
            assert budget < 1500 or built is not None


@pytest.mark.parametrize("chooser", sorted(CHOOSERS))
def test_as_many_rows_as_asked_for_each_of_its_own_class(chooser):
    space = Space.of(fold())
    rows = CHOOSERS[chooser](space, 60, 3)
    assert len(rows.values) == len(rows.label) == len(rows.count) <= 60
    assert len(rows.values) == 60 or chooser == "one mask"
    if chooser not in ("k-means", "one mask"):  # real rows: each with its own label
        known = {(*row, label) for row, label in zip(space.Z.tolist(), space.label, strict=True)}
        chosen = zip(rows.values.tolist(), rows.label, strict=True)
        assert {(*row, label) for row, label in chosen} <= known


def test_clusters_keep_the_mean_and_the_spread_within():
    space = Space.of(fold())
    rows, within = clusters(space, 30, 0)
    mean = (rows.values * rows.count[:, None]).sum(axis=0) / rows.count.sum()
    np.testing.assert_allclose(mean, space.Z.mean(axis=0), atol=1e-5)
    between = rows.count @ (rows.values - mean) ** 2 / 400
    np.testing.assert_allclose(between + within**2 * 370 / 400, space.Z.var(axis=0), rtol=1e-4)


def test_all_rows_are_all_rows():
    made = fold()
    reps = every_row(made)
    assert reps.rows.count == 400 and (reps.y == made.y).all()
    np.testing.assert_allclose(reps.X, Space.of(made).Z, atol=1e-3)


def test_wrong_labels_are_as_many_as_asked_for_and_wrong():
    made = fold(n=20_000)
    other = noisy(made, 0.3, seed=1)
    assert np.mean(other.y != made.y) == pytest.approx(0.3, abs=0.02)
    assert (other.y_score == made.y_score).all() and noisy(made, 0.0, 1) is made


def test_weights_are_rounded_unit_by_unit():
    layers = (Layer("dense", 3, 2), Layer("relu", 2, 2), Layer("dense", 2, 1))
    weights = rng.normal(size=11).astype(np.float32)
    assert (round_weights(weights, layers, 32) == weights).all()
    rounded = round_weights(weights, layers, 8)
    assert rounded.shape == weights.shape
    assert np.abs(rounded - weights).max() < np.abs(weights).max() / 127
    first = np.append(rounded[:3], rounded[6])  # a unit's weights and bias: one step
    step = np.abs(first).max() / 127
    np.testing.assert_allclose(first / step, np.rint(first / step), atol=0.5)


def test_a_class_that_the_codec_has_not_seen_is_appended():
    made = fold()
    known, scored, X, y = scene(made, seed=1)
    assert set(known.y) == {0, 2} and set(y) == {1} and len(X) == 100 and scored is made
    codec = td.EntroGeDe(budget_bytes=1000).fit(known.X, known.y)
    reps = with_rows(codec.representatives_, X, y, made)
    assert (np.sort(reps.classes) == [0, 1, 2]).all()
    assert reps.rows.count == codec.representatives_.rows.count + 100
    assert reps.weight[reps.y == 1].sum() == pytest.approx(reps.weight.sum() / 3, rel=0.5)
    first = reps.X[reps.y == 1]
    assert np.abs(np.sort(first[:, 0]) - np.sort(codec.transform(X)[:, 0])).mean() < 0.5


def test_each_seed_has_a_construction_of_its_own():
    unit, made = Unit("a", "ours", 1000), fold()
    first, again, other = (build(unit, made, 0, seed) for seed in (0, 0, 1))
    assert first is again and first.reps.rows.count
    apart = [each.reps.inputs.to_bytes() + each.reps.rows.to_bytes() for each in (first, other)]
    assert apart[0] != apart[1]
    codec = td.EntroGeDe(budget_bytes=1000, task="classification", random_state=1)
    own = codec.fit(made.X, made.y, groups=made.groups).representatives_
    assert own.inputs.to_bytes() + own.rows.to_bytes() == apart[1]


def test_rows_of_several_weights_are_packed_in_their_order():
    space = Space.of(fold())
    rows = Rows8(space.Z[:6].astype(float), space.label[:6], np.array([9, 1, 4, 1, 9, 4]))
    reps = pack(space, rows, np.array([16], np.uint8))
    order = [1, 3, 2, 5, 0, 4]
    assert reps.weight.tolist() == [1, 1, 4, 4, 9, 9]
    np.testing.assert_allclose(reps.X, space.Z[order], atol=1e-2)
    assert (reps.y == space.label[order]).all()


# ---- a convolutional network ----


def bars(n):
    """8x8 images of a bar in one of four rows (class 0) or columns (1), its frame never lit."""
    label, place = rng.integers(0, 2, n).astype(np.int32), rng.integers(2, 6, n)
    X = np.zeros((n, 8, 8), np.uint8)
    X[:, 1:7, 1:7] = rng.integers(0, 60, (n, 6, 6))
    for image, kind, at in zip(X, label, place, strict=True):
        (image if kind == 0 else image.T)[at, 1:7] = 200
    return X.reshape(n, 64), label


def test_pixels_are_where_they_were_also_behind_a_projection():
    X, y = bars(300)
    plain = td.EntroGeDe(budget_bytes=4096, projection="none").fit(X, y)
    images = pixels((8, 8), plain.representatives_, plain.transform(X))
    assert images.shape == (300, 8, 8, 1) and not images[:, 0].any()
    kept = plain.representatives_.inputs.kept
    np.testing.assert_array_equal(images.reshape(300, 64)[:, kept], plain.transform(X))
    short = td.EntroGeDe(budget_bytes=4096, projection="pca", components=12).fit(X, y)
    reps, z = short.representatives_, short.transform(X)
    back = pixels((8, 8), reps, z).reshape(300, 64)[:, kept]
    np.testing.assert_allclose(back @ reps.projection, z, atol=1e-3)


@pytest.mark.slow
@pytest.mark.needs("keras")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("projection", ["none", "trained"])
def test_a_convolutional_network_learns_from_representatives(projection):
    (X, y), (Xt, yt) = bars(600), bars(200)
    made = Fold("bars", Facts("classification", "image", 300), X, y, Xt, yt, None, 0.0)
    codec = td.EntroGeDe(budget_bytes=4096, projection=projection).fit(X, y)
    scores = [fit_cnn("optdigits", codec.representatives_, made, 3e-3, s) for s in (1, 1, 2)]
    assert min(scores) > 0.9 and scores[0] == scores[1]


def test_without_keras_one_line_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYDREAM_DATA", str(tmp_path))
    for module in ("bench.codec", "bench.codec.suite"):
        monkeypatch.setattr(f"{module}.there_is_keras", lambda: False)
    monkeypatch.setattr("bench.codec.run", lambda *_: None)
    monkeypatch.setattr("bench.codec.fit_time.measure_fits", lambda *_: None)
    arguments = ["--sets", CNN_SET, "--cells", str(tmp_path / "cells")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    assert result.stderr.count("\n") == 1 and "tinydream[keras]" in result.stderr
    assert "was not measured: it needs the extra `keras`" in result.stdout


def test_the_page_has_what_the_convolutional_network_scored(tmp_path):
    cells = Cells(tmp_path / "cells.jsonl")
    told = {"bits": 4, "rate": 0.01, "nbytes": 2000, "rows": 9}
    for unit in cnn_units(8192).values():
        cells.add(unit, [{"seed": s, "score": 0.75, **told} for s in range(5)])
    page = figures([CNN_SET], False, cells)
    assert page["cnn"]["8192"] == dict.fromkeys(cnn_units(8192), 75.0) and not page["cnn"]["0"]
    assert "| 8 KiB | 75.0 | 75.0 |" in markdown(page)
    assert figures(["letter"], False, cells)["cnn"] == {}


# ---- the page ----


def test_the_page_says_what_the_cells_say(tmp_path):
    cells = Cells(tmp_path / "cells.jsonl")
    told = {"bits": 4, "rate": 0.01, "nbytes": 2000, "rows": 9}
    told |= {"read": 0.1, "compress": 0.2, "train": 0.3}
    for budget in BUDGETS:
        for method, score in (("ours", 0.9), ("random 8", 0.8), ("k-means", 0.95), ("rival", 0.97)):
            found = [{"seed": s, "score": score + s / 1000, **told} for s in range(5)]
            cells.add(Unit("letter", method, budget), found)
    made = Figures(["letter"], 5, cells)
    assert made.difference("letter", 2048, "random 8").mean == pytest.approx(10)
    page = figures(["letter"], True, cells)
    assert json.loads(json.dumps(page)) == page
    assert page["against random"]["sure above"] == 3
    rows = {row["row"][:6]: row for row in page["verdicts"]}
    assert rows["random"]["must"] and not rows["weight"]["must"]
    text = markdown(page)
    assert "| letter | 8 KiB | 90.2±0.2 |" in text and "| letter | 2 KiB | k-means | -5.0 |" in text
    assert set(draw(page["table"])) == {"letter", "pareto"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--sets", "nothing"], "no set is called nothing"),
        ([], "the data sets are not in"),
    ],
)
def test_what_cannot_be_measured_gets_one_sentence(arguments, sentence, tmp_path, monkeypatch):
    if not arguments:
        monkeypatch.setenv("TINYDREAM_DATA", str(tmp_path / "absent"))
    else:
        monkeypatch.setenv("TINYDREAM_DATA", str(tmp_path))
    result = CliRunner().invoke(main, [*arguments, "--cells", str(tmp_path / "cells")])
    assert result.exit_code == 1 and sentence in result.output
    assert len(result.output.splitlines()) == 1
