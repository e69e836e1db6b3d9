"""A table and its target, checked once at the door."""

import gzip

import numpy as np
import pytest

from tinydream.data import check_table, load_data, raw_dtype, split
from tinydream.errors import DataError, InputError
from tinydream.source import carve

CSV = "a,b,label\n" + "".join(f"{i % 7},{i * 3},{'xyz'[i % 3]}\n" for i in range(30))


def write(folder, text, name="table.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def save(folder, **arrays):
    np.savez(folder / "table.npz", **arrays)
    return folder / "table.npz"


def pooled(data):
    """All rows in file order, whichever are held out."""
    order = np.argsort(np.concatenate([data.row, data.row_test]))
    X, y = np.concatenate([data.X, data.X_test]), np.concatenate([data.y, data.y_test])
    return X[order], y[order]


# ---- what is read ----


def test_the_last_column_is_the_target_when_none_is_named_and_a_note_says_so(tmp_path):
    data = load_data(write(tmp_path, CSV))
    assert (data.target, data.features, data.classes) == ("label", ("a", "b"), ("x", "y", "z"))
    assert data.notes == ("the target is the last column, 'label', as none was named",)
    X, y = pooled(data)
    assert X.tolist() == [[i % 7, i * 3] for i in range(30)]
    assert y.tolist() == [i % 3 for i in range(30)] and y.dtype == np.int32


def test_a_named_target_may_stand_anywhere(tmp_path):
    text = "a,label,b\n" + "".join(f"{i},{i % 2},{i * 2}\n" for i in range(8))
    data = load_data(write(tmp_path, text), target="label")
    assert (data.target, data.features, data.notes) == ("label", ("a", "b"), ())


@pytest.fixture
def mixed(tmp_path):
    lines = "".join(f"{i},{i / 4},{i % 2 == 0},{10 - i % 4}\n" for i in range(40))
    return write(tmp_path, "whole,half,flag,grade\n" + lines)


def test_numeric_labels_are_sorted_as_numbers(mixed):
    assert load_data(mixed).classes == ("7", "8", "9", "10")


def test_whole_floats_are_labels_printed_without_a_point(tmp_path):
    text = "a,label\n" + "".join(f"{i},{float(i % 2 + 9)}\n" for i in range(10))
    assert load_data(write(tmp_path, text)).classes == ("9", "10")


def test_true_and_false_are_labels_and_numbers_when_features(mixed):
    assert load_data(mixed, target="flag").classes == ("false", "true")
    X, _ = pooled(load_data(mixed))
    assert X[:3, 2].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        ((0, 255), np.uint8),
        ((0, 256), np.uint16),
        ((-1, 100), np.int8),
        ((-1, 200), np.int16),
        ((0.5, 1), np.float64),
    ],
)
def test_columns_share_the_narrowest_exact_dtype(tmp_path, cells, dtype):
    text = "a,b,label\n" + "".join(f"{cells[i % 2]},1,{i % 3}\n" for i in range(12))
    data = load_data(write(tmp_path, text))
    assert data.X.dtype == data.X_test.dtype == dtype


def test_a_compressed_table_is_the_same_table(tmp_path):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(CSV.encode()))
    plain, packed = load_data(write(tmp_path, CSV)), load_data(path)
    assert np.array_equal(plain.X, packed.X) and np.array_equal(plain.y_test, packed.y_test)


def test_an_npz_with_test_rows_keeps_them(tmp_path):
    x, y = np.arange(48, dtype=np.float32).reshape(6, 2, 4), np.array([2, 5, 2, 5, 2, 5])
    path = save(tmp_path, x_train=x, y_train=y, x_test=x[:2], y_test=y[:2], other=np.ones(3))
    data = load_data(path)
    assert np.array_equal(data.X, x.reshape(6, 8)) and data.X.dtype == np.float32
    assert data.y.tolist() == [0, 1, 0, 1, 0, 1] and data.y_test.tolist() == [0, 1]
    assert (data.target, data.features[0], data.classes) == ("y", "x0", ("2", "5"))
    assert data.share == 0.25


def test_an_npz_without_test_rows_is_split_and_may_name_its_features(tmp_path):
    x, y = np.arange(40).reshape(20, 2), np.array(list("ab") * 10)
    data = load_data(save(tmp_path, x=x, y=y, feature_names=["left", "right"]), test=0.3)
    assert data.features == ("left", "right") and data.classes == ("a", "b")
    assert np.bincount(data.y_test).tolist() == [3, 3]


# ---- what is held out ----


def test_each_class_gives_its_share_and_every_row_is_used_once(tmp_path):
    data = load_data(write(tmp_path, CSV))
    assert np.bincount(data.y_test).tolist() == [2, 2, 2]
    assert sorted([*data.row, *data.row_test]) == list(range(30))


def test_the_split_depends_on_the_seed_alone(tmp_path):
    path = write(tmp_path, CSV)
    zero, three = load_data(path), load_data(path, seed=3)
    assert not np.array_equal(zero.row_test, three.row_test)
    again = split(split(zero, 17), 3)
    assert np.array_equal(again.row_test, three.row_test)
    assert np.array_equal(again.X, three.X) and np.array_equal(again.y_test, three.y_test)


def test_the_split_is_the_one_that_the_docstring_states(tmp_path):
    data = load_data(write(tmp_path, CSV), seed=5)
    generator = np.random.default_rng(5)
    held = [generator.permutation(np.arange(k, 30, 3))[:2] for k in range(3)]
    assert sorted(np.concatenate(held)) == data.row_test.tolist()


def test_a_class_of_two_rows_has_one_on_each_side(tmp_path):
    text = "a,label\n" + "".join(f"{i},{'rare' if i in (3, 7) else 'often'}\n" for i in range(40))
    data = load_data(write(tmp_path, text), test=0.01)
    assert np.bincount(data.y_test).tolist() == [1, 1] and np.bincount(data.y)[1] == 1


# ---- what is refused ----


def rows(*lines):
    return "a,b,label\n" + "".join(line + "\n" for line in lines)


GOOD = ("1,2,x", "3,4,y", "5,6,x", "7,8,y")

REFUSED = {
    "empty": ("", "table.csv is empty; it needs a line of names, and rows"),
    "no rows": ("a,b,label\n", "has column names but no rows"),
    "only the target": ("label\nx\ny\nx\ny\n", "has only the column 'label'"),
    "one class": (rows("1,2,x", "3,4,x"), "'label' has only one class, 'x'"),
    "a single row": (rows(*GOOD, "1,1,z"), "class 'z' of 'label' has only 1 row"),
    "an id": (rows("1,2,p", "3,4,q", "5,6,r"), "every one of the 3 values .* looks like an id"),
    "no label": (
        rows(*GOOD, "1,2,", "1,2, "),
        "the target 'label' of table.csv is empty in 2 rows, first in line 6; fill them in",
    ),
    "inf": (rows(*GOOD, "NaN,2,x", "inf,2,y"), "column 'a' holds inf in 1 rows, first in row 5"),
    "text": (rows(*GOOD, "1,abc,x"), "line 6: column 'b' holds 'abc' between numbers; mend it"),
    "ragged": (rows(*GOOD, "1,2,x,9,9"), "is not a well-formed CSV table"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_csv_that_cannot_be_learned_from_is_refused(tmp_path, case):
    text, message = REFUSED[case]
    with pytest.raises(DataError, match=message) as caught:
        load_data(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_path_that_is_no_table_is_refused(tmp_path):
    with pytest.raises(DataError, match="is a directory without .npy files; name a file in it"):
        load_data(tmp_path)
    with pytest.raises(DataError, match="nowhere.csv does not exist; check the spelling"):
        load_data(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match=r"table.xls is of an unknown kind; .csv, .csv.gz, .par"):
        load_data(write(tmp_path, CSV, "table.xls"))


def test_a_wrong_target_is_answered_with_near_names(tmp_path):
    path = write(tmp_path, CSV)
    with pytest.raises(DataError, match="no column 'lable'; did you mean 'label'?"):
        load_data(path, target="lable")
    with pytest.raises(DataError, match="no column 'q'; it has a, b, label"):
        load_data(path, target="q")


@pytest.mark.parametrize("share", [0, 1, -0.5, 2])
def test_a_share_of_nothing_or_all_is_refused(tmp_path, share):
    with pytest.raises(DataError, match="the share of held-out rows lies between 0 and 1"):
        load_data(write(tmp_path, CSV), test=share)


def test_a_seed_below_0_is_refused(tmp_path):
    path, told = write(tmp_path, CSV), "seed is -1; it must be a whole number from 0"
    data = load_data(path)
    with pytest.raises(DataError, match=told):
        load_data(path, seed=-1)
    with pytest.raises(DataError, match=told):
        split(data, -1)
    with pytest.raises(InputError, match=told):
        carve(data, 0.2, -1)


@pytest.mark.parametrize("cut", [5, 40, -9])
def test_a_damaged_gz_is_refused(tmp_path, cut):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(CSV.encode())[:cut])
    with pytest.raises(DataError, match="t.csv.gz cannot be read .*; copy the file again"):
        load_data(tmp_path / "t.csv.gz")


def test_text_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes(rows(*GOOD).encode() + b"1,2,\xff\xfe\n")
    with pytest.raises(DataError, match="is not a well-formed CSV table"):
        load_data(tmp_path / "t.csv")


X4, Y4 = np.arange(8.0).reshape(4, 2), np.array([0, 1, 0, 1])
NPZ_REFUSED = {
    "no arrays": ({"other": X4}, "has no array 'x_train'; x and y, or"),
    "no y": ({"x": X4}, "has no array 'y'"),
    "lengths": ({"x": X4, "y": Y4[:3]}, "'x' has 4 rows and 'y' has 3; one label a row"),
    "widths": (
        {"x_train": X4, "y_train": Y4, "x_test": X4[:, :1], "y_test": Y4},
        "test rows have 1 columns and training rows 2",
    ),
    "an unseen label": (
        {"x_train": X4, "y_train": Y4, "x_test": X4, "y_test": Y4 + 1},
        "label '2' of 'y' occurs in test rows and not in training rows",
    ),
    "no rows": ({"x": X4[:0], "y": Y4[:0]}, "has no rows in 'x'"),
    "inf": ({"x": X4 + np.inf, "y": Y4}, "column 'x0' holds inf in 4 rows, first in row 0"),
    "objects": ({"x": X4.astype(object), "y": Y4}, "cannot be read"),
    "text": ({"x": X4.astype(str), "y": Y4}, "numbers are needed"),
}


@pytest.mark.parametrize("case", NPZ_REFUSED)
def test_an_npz_that_cannot_be_learned_from_is_refused(tmp_path, case):
    arrays, message = NPZ_REFUSED[case]
    with pytest.raises(DataError, match=message):
        load_data(save(tmp_path, **arrays))


def test_a_damaged_npz_is_refused_wherever_it_is_cut(tmp_path):
    whole = save(tmp_path, x=X4, y=Y4).read_bytes()
    for cut in range(0, len(whole), 37):
        (tmp_path / "cut.npz").write_bytes(whole[:cut])
        with pytest.raises(DataError, match="cut.npz cannot be read"):
            load_data(tmp_path / "cut.npz")


def test_too_many_classes_are_refused():
    y = np.repeat(np.arange(65536), 5)
    with pytest.raises(DataError, match="'y' has 65536 classes; at most 65535"):
        check_table(np.zeros((len(y), 1)), y)


def test_tables_in_memory_are_checked_by_the_same_rules():
    with pytest.raises(DataError, match=r"X has shape \(4,\).*Reshape your data"):
        check_table(Y4, Y4)
    with pytest.raises(DataError, match="X has 4 rows and y 3 labels"):
        check_table(X4, Y4[:3])
    with pytest.raises(DataError, match=r"y has shape \(4, 2\)"):
        check_table(X4, X4.astype(int))
    with pytest.raises(DataError, match="'y' mixes kinds of labels"):
        check_table(X4, np.array([1, "a", None, 2], object))
    with pytest.raises(DataError, match="the target y is None"):
        check_table(X4, None)
    X, classes, index = check_table([[1, 2], [3, 4], [5, 6]], ["b", "a", "b"])
    assert classes.tolist() == ["a", "b"] and index.tolist() == [1, 0, 1] and X.shape == (3, 2)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 255], ("u8", 1)),
        ([0.0, 255.0], ("u8", 1)),
        ([0, 256], ("u16", 2)),
        ([-1, 3], ("i32", 4)),
        ([0, 2**31 - 1], ("i32", 4)),
        ([0, 2**31], ("f32", 4)),
        ([0.5, 1], ("f32", 4)),
    ],
)
def test_raw_bytes_are_counted_in_the_narrowest_type_that_is_exact(values, expected):
    assert raw_dtype(np.array([values])) == expected
