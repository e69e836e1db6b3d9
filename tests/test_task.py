"""Classification or regression: how a target is told apart, and what its values must be."""

import numpy as np
import pytest

from tinydream.codec import EntroGeDe
from tinydream.data import check_table, load_data, split
from tinydream.data.target import choose_task
from tinydream.errors import DataError, InputError


def save(folder, **arrays):
    np.savez(folder / "table.npz", **arrays)
    return folder / "table.npz"


def write(folder, text):
    (folder / "table.csv").write_text(text, encoding="utf-8")
    return folder / "table.csv"


def whole(distinct, rows):
    return np.arange(rows) % distinct


X = np.random.default_rng(0).normal(size=(600, 3)).astype(np.float32)

RULE = {
    "text": (np.array(list("abc") * 200), "classification", ()),
    "booleans": (np.arange(600) % 2 == 0, "classification", ()),
    "few whole numbers": (whole(10, 600), "classification", ()),
    "whole floats": (whole(10, 600).astype(float), "classification", ()),
    "fractions": (whole(3, 600) + 0.5, "regression", ("'y' holds numbers with fractions",)),
    "50 whole numbers": (
        whole(50, 600),
        "classification",
        ("'y' holds 50 different whole numbers in 600 rows, at most 50 with two rows each",),
    ),
    "51 whole numbers": (
        whole(51, 600),
        "regression",
        ("'y' holds 51 different whole numbers in 600 rows, more than 50: the task is reg",),
    ),
    "hardly a number twice": (
        whole(20, 30),
        "regression",
        ("'y' holds 20 different whole numbers in 30 rows, fewer than two rows each: the t",),
    ),
}


@pytest.mark.parametrize("case", RULE)
def test_the_values_of_a_target_tell_the_task_and_a_note_says_why(tmp_path, case):
    y, task, notes = RULE[case]
    data = load_data(save(tmp_path, x=X[: len(y)], y=y))
    assert data.task == task and len(data.notes) == len(notes)
    for note, begins in zip(data.notes, notes, strict=True):
        assert note.startswith(begins) and note.endswith(f"the task is {task}")
    assert (data.y.dtype, data.y.ndim) == ((np.float64, 2) if task == "regression" else ("i4", 1))
    assert bool(data.classes) == (task == "classification")


def test_the_user_has_the_last_word(tmp_path):
    few = save(tmp_path, x=X, y=whole(3, 600))
    data = load_data(few, task="regression")
    assert data.task == "regression" and data.notes == () and data.classes == ()
    assert sorted(set(data.y[:, 0])) == [0, 1, 2] and data.y.shape == (480, 1)
    many = save(tmp_path, x=X, y=whole(60, 600) / 2)
    data = load_data(many, task="classification")
    assert data.task == "classification" and data.classes[:3] == ("0.0", "0.5", "1.0")


def test_several_targets_are_regression(tmp_path):
    text = "a,b,u,v\n" + "".join(f"{i},{i * i},{i % 3},{i / 4}\n" for i in range(40))
    data = load_data(write(tmp_path, text), target="u, v")
    assert data.targets == ("u", "v") and data.target == "u,v" and data.features == ("a", "b")
    rows = np.concatenate([data.row, data.row_test])
    y = np.concatenate([data.y, data.y_test])
    assert np.array_equal(y, np.column_stack([rows % 3, rows / 4]))
    with pytest.raises(DataError, match=r"classification has one target, not 2 \(u, v\)"):
        load_data(tmp_path / "table.csv", target="u,v", task="classification")


def test_a_column_with_a_comma_in_its_name_is_one_target(tmp_path):
    text = '"a,b",c\n' + "".join(f"{i % 2},{i}\n" for i in range(20))
    assert load_data(write(tmp_path, text), target="a,b").targets == ("a,b",)


def test_an_npz_names_its_targets_and_one_of_two_dimensions_has_numbers(tmp_path):
    parts = {f"x_{end}": X[:60] for end in ("train", "test")}
    for name in ("y", "y2"):
        parts |= {f"{name}_{end}": whole(9, 60) / 8 + len(name) for end in ("train", "test")}
    data = load_data(save(tmp_path, **parts), target="y,y2")
    assert data.targets == ("y", "y2") and np.array_equal(data.y[:, 1], data.y[:, 0] + 1)
    assert len(data.y_test) == 60 and data.share == 0.5
    assert load_data(tmp_path / "table.npz", target="y2").targets == ("y2",)
    with pytest.raises(DataError, match="no array 'z_train'; did you mean"):
        load_data(tmp_path / "table.npz", target="z")
    y = np.column_stack([whole(9, 60), whole(7, 60)])
    assert load_data(save(tmp_path, x=X[:60], y=y)).targets == ("y0", "y1")


def test_names_of_classes_are_taken_from_the_file(tmp_path):
    names = np.array(["ant", "bee", "cat"])
    data = load_data(save(tmp_path, x=X, y=whole(3, 600), class_names=names))
    assert data.classes == ("ant", "bee", "cat")
    data = load_data(save(tmp_path, x=X, y=whole(3, 600) * 2, class_names=names))
    assert data.classes == ("0", "2", "4"), "names that do not reach to all numbers are none"


def test_numbers_are_held_out_by_the_seed_alone(tmp_path):
    path = save(tmp_path, x=X, y=X[:, 0])
    zero, three = load_data(path), load_data(path, seed=3)
    assert len(zero.y_test) == 120 and sorted([*zero.row, *zero.row_test]) == list(range(600))
    held = np.random.default_rng(3).permutation(600)[:120]
    assert np.array_equal(three.row_test, np.sort(held))
    again = split(zero, 3)
    assert np.array_equal(again.X, three.X) and np.array_equal(again.y_test, three.y_test)
    assert np.array_equal(three.X[:, 0], three.y[:, 0].astype(np.float32))


REFUSED = {
    "a task that is none": ({"task": "rank"}, whole(3, 600), "task is 'rank'; it is 'class"),
    "text": ({"task": "regression"}, np.array(list("ab") * 300), "needs numbers, and 'y' holds"),
    "no spread": ({"task": "regression"}, whole(1, 600) + 7, "'y' is 7 in every row; nothing"),
    "NaN": ({}, np.where(whole(9, 600) == 3, np.nan, 0.5), "'y' holds NaN or inf in 67 rows"),
    "NaN among labels": ({}, np.where(whole(9, 600) == 3, np.nan, 1), "NaN or inf in 67 rows"),
    "one row": ({}, np.array([0.5]), "table.npz has only 1 row; two or more are needed, one"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_target_that_cannot_be_learned_is_refused(tmp_path, case):
    options, y, message = REFUSED[case]
    with pytest.raises(DataError, match=message) as caught:
        load_data(save(tmp_path, x=X[: len(y)], y=y), **options)
    assert "\n" not in str(caught.value)


def test_a_single_row_of_a_csv_is_refused(tmp_path):
    with pytest.raises(DataError, match="table.csv has only 1 row|only one class"):
        load_data(write(tmp_path, "a,b\n1,2\n"))


def test_unknown_tasks_do_not_pass_the_rule_either():
    with pytest.raises(DataError, match="task is 'both'"):
        choose_task([whole(3, 9)], ["y"], "both")


# ---- tables in memory: scikit-learn's rule ----


def test_fractions_and_two_dimensional_floats_are_regression_for_the_codec():
    for y in (X[:, 0], X[:, :2], whole(3, 600).astype(float)[:, None]):
        rows, classes, made = check_table(X, y)
        assert len(classes) == 0 and made.dtype == np.float64
        assert np.array_equal(made, y.reshape(600, -1)) and rows is X
    assert len(check_table(X, whole(3, 600).astype(float))[1]) == 3
    assert len(check_table(X, whole(3, 600)[:, None])[1]) == 3


def test_the_codec_is_told_what_many_whole_numbers_are():
    y = whole(150, 600)
    with pytest.raises(DataError, match="150 different numbers in 600 rows: .* say task='regr"):
        EntroGeDe().fit(X, y)
    assert EntroGeDe(task="regression").fit(X, y).representatives_.rows.targets == 1
    codec = EntroGeDe(task="classification", budget_bytes=20_000).fit(X, y)
    assert len(codec.classes_) == 150
    with pytest.raises(InputError, match="task is 'rank'; it is 'auto', 'classification' or"):
        EntroGeDe(task="rank").fit(X, y)


def test_targets_of_another_length_or_shape_are_refused():
    with pytest.raises(DataError, match="X has 600 rows and y 599 labels"):
        check_table(X, X[1:, 0])
    with pytest.raises(DataError, match=r"y has shape \(600, 3\).*one label a row"):
        check_table(X, X.astype(int))
    with pytest.raises(DataError, match=r"y has shape \(600, 3, 1\)"):
        check_table(X, X[:, :, None])
    with pytest.raises(DataError, match="'y1' is 3 in every row"):
        check_table(X, X[:, :2] * [1, 0] + 3)
