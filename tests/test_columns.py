"""Features of every kind: categories, booleans, missing values, constants; every kind of file."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinydream.codec import EntroGeDe
from tinydream.data import Column, left_out, load_data
from tinydream.errors import DataError

COLORS = ("blue", "green", "red")


def write(folder, lines, name="table.csv"):
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / name


def save(folder, **arrays):
    np.savez(folder / "table.npz", **arrays)
    return folder / "table.npz"


def pooled(data):
    order = np.argsort(np.concatenate([data.row, data.row_test]))
    return np.concatenate([data.X, data.X_test])[order]


def colored(folder, rows=60, gap=""):
    lines = ["size,color,sold,label"]
    for i in range(rows):
        color = gap if i % 20 == 7 else ("red", "green", "blue")[i % 3]
        lines.append(f"{i},{color},{str(i % 2 == 0).lower()},{'xy'[i % 2]}")
    return write(folder, lines)


# ---- categories ----


def test_text_becomes_codes_in_order_of_names_and_booleans_0_and_1(tmp_path):
    data = load_data(colored(tmp_path, gap="red"))
    assert data.columns == (
        Column("size"),
        Column("color", "category", COLORS, "one-hot"),
        Column("sold", "boolean"),
    )
    X = pooled(data)
    assert X[:8, 1].tolist() == [2, 1, 0, 2, 1, 0, 2, 2] and X[:2, 2].tolist() == [1, 0]
    assert X.dtype == np.uint8 and data.one_hot == (1,)
    assert "'color' becomes one-hot, an input for each category" in data.notes


def test_the_coding_can_be_chosen_and_is_stated(tmp_path):
    data = load_data(colored(tmp_path), categories="codes")
    assert data.columns[1].coding == "codes" and data.one_hot == () and data.categories == "codes"
    assert any("'color' becomes codes, a number for each" in note for note in data.notes)
    with pytest.raises(DataError, match="categories is 'hash'; it is one of auto, codes, one-hot"):
        load_data(tmp_path / "table.csv", categories="hash")


@pytest.mark.parametrize(
    ("count", "coding"), [(2, "codes"), (3, "one-hot"), (5, "one-hot"), (6, "codes")]
)
def test_3_to_5_categories_are_one_hot(tmp_path, count, coding):
    lines = ["kind,label"] + [f"k{i % count:02},{i % 2}" for i in range(40 * count)]
    assert load_data(write(tmp_path, lines)).columns[0].coding == coding


def test_one_hot_has_its_limit(tmp_path):
    lines = ["kind,label"] + [f"k{i % 300:03},{i % 2}" for i in range(3000)]
    path = write(tmp_path, lines)
    assert load_data(path).columns[0].coding == "codes"
    with pytest.raises(DataError, match="'kind' has 300 categories; one-hot takes at most 255"):
        load_data(path, categories="one-hot")


def test_a_category_of_held_out_rows_alone_is_missing(tmp_path):
    held = set(np.random.default_rng(0).permutation(50)[:10].tolist())
    rare = min(held)
    lines = ["kind,y"] + [f"{'m' if i == rare else 'az'[i % 2]},{i / 7}" for i in range(50)]
    data = load_data(write(tmp_path, lines))
    assert data.columns[0].categories == ("a", "z") and rare in data.row_test
    assert set(data.X[:, 0]) == {0, 1}
    assert np.isnan(data.X_test[data.row_test == rare, 0]).all()
    assert np.isnan(data.X_test[:, 0]).sum() == 1 and set(data.X_test[:, 0]) > {0.0, 1.0}
    assert data.notes[-1].startswith("1 held-out rows hold categories of 'kind' that no training")


def test_an_npz_may_say_which_columns_are_categories(tmp_path):
    x = np.column_stack([np.arange(60) % 3, np.arange(60) % 5, np.arange(60)]).astype(np.int32)
    told = {
        "feature_names": ["color", "shape", "size"],
        "is_categorical": [True, True, False],
        "categories_json": json.dumps({"color": COLORS}),
    }
    data = load_data(save(tmp_path, x=x, y=np.arange(60) % 2, **told))
    assert data.columns[0] == Column("color", "category", COLORS, "one-hot")
    assert data.columns[1].categories == ("0", "1", "2", "3", "4")
    assert data.columns[2] == Column("size") and pooled(data).tolist() == x.tolist()
    unseen = x.copy()
    unseen[:3, 0] = 3
    told["categories_json"] = json.dumps({"color": [*COLORS, "white"]})
    arrays = {"x_train": x, "x_test": unseen} | dict.fromkeys(("y_train", "y_test"), x[:, 2] % 2)
    data = load_data(save(tmp_path, **arrays, **told))
    assert np.isnan(data.X_test[:3, 0]).all() and not np.isnan(data.X_test[3:]).any()
    assert data.X.dtype == np.int32 and len(data.columns[0].categories) == 4


def test_codes_that_are_no_categories_are_refused(tmp_path):
    x, y = np.arange(40).reshape(20, 2) % 4, np.arange(20) % 2
    told = {"feature_names": ["a", "b"], "categories_json": json.dumps({"b": ["p", "q"]})}
    with pytest.raises(DataError, match=r"column 'b' holds 3, and its categories are .* 0..1"):
        load_data(save(tmp_path, x=x, y=y, **told))
    with pytest.raises(DataError, match="'categories_json' is not JSON of lists by column name"):
        load_data(save(tmp_path, x=x, y=y, categories_json="[1"))


@given(st.lists(st.sampled_from(["red", "green", "", " blue "]), min_size=8, max_size=40))
def test_categories_come_back_by_their_codes(tmp_path_factory, texts):
    texts = [*texts, "red", "green", "red", "green"]
    lines = ["kind,y"] + [f"{text},{i}.5" for i, text in enumerate(texts)]
    folder = tmp_path_factory.mktemp("codes")
    data = load_data(write(folder, lines), test=0.3)
    for codes, rows in ((data.X[:, 0], data.row), (data.X_test[:, 0], data.row_test)):
        for code, row in zip(codes, rows, strict=True):
            name = "" if np.isnan(code) else data.columns[0].categories[int(code)]
            seen = {texts[r].strip() for r in data.row}
            assert name == (texts[row].strip() if texts[row].strip() in seen else "")


# ---- text that is no category ----


def test_text_between_numbers_is_refused_and_numbers_between_text_are_categories(tmp_path):
    lines = ["a,b,label"] + [f"{i},{i},{i % 2}" for i in range(30)]
    lines[17] = "16,1O,0"
    with pytest.raises(DataError, match="line 18: column 'b' holds '1O' between numbers; mend it"):
        load_data(write(tmp_path, lines))
    lines = ["a,b,label"] + [f"{i},{'7' if i % 5 == 0 else 'none'},{i % 2}" for i in range(30)]
    assert load_data(write(tmp_path, lines)).columns[1].categories == ("7", "none")


def test_a_number_that_turns_to_text_far_down_is_found(tmp_path):
    lines = ["a,label"] + [f"{i},{i % 2}" for i in range(20_000)]
    lines[15_000] = "oops,1"
    with pytest.raises(DataError, match="line 15001: column 'a' holds 'oops' between numbers"):
        load_data(write(tmp_path, lines))
    lines[15_000] = "0.5,1"
    assert load_data(write(tmp_path, lines)).X.dtype == np.float64


def test_free_text_is_refused(tmp_path):
    lines = ["id,label"] + [f"row {i},{i % 2}" for i in range(1001)]
    with pytest.raises(DataError, match="'id' of table.csv holds 1001 different texts, such as 'r"):
        load_data(write(tmp_path, lines))


def test_two_columns_of_one_name_are_refused(tmp_path):
    path = write(tmp_path, ["a,b,a,label", "1,2,3,x", "4,5,6,y"])
    with pytest.raises(DataError, match="table.csv has two columns 'a'; rename or remove one"):
        load_data(path)


# ---- missing values and constants ----


def test_gaps_stay_gaps_and_a_note_counts_them(tmp_path):
    lines = ["a,b,c,label"] + [f"{i % 7},{i / 8},{i},{i % 2}" for i in range(40)]
    lines[3], lines[9] = ",0.125,2,1", "NA,?,8,0"
    data = load_data(write(tmp_path, lines), test=0.05)
    X = pooled(data)
    assert np.argwhere(np.isnan(X)).tolist() == [[2, 0], [8, 0], [8, 1]]
    assert data.notes[-1] == (
        "3 values are missing, in 'a' (2), 'b' (1): the mean of the column stands in for them"
    )


def test_whole_numbers_with_gaps_take_the_narrowest_float(tmp_path):
    lines = ["a,label"] + [f"{i * 1000},{i % 2}" for i in range(40)]
    lines[5] = ",0"
    assert load_data(write(tmp_path, lines)).X.dtype == np.float32
    lines[6] = f"{2**24 + 1},0"
    data = load_data(write(tmp_path, lines))
    assert data.X.dtype == np.float64 and 2**24 + 1 in pooled(data)


def test_constant_columns_are_named_in_a_note(tmp_path):
    lines = ["a,b,c,d,label"] + [f"4,{i},{'' if i % 2 else 9},,{i % 2}" for i in range(20)]
    data = load_data(write(tmp_path, lines))
    kept = EntroGeDe().fit(data.X, data.y).representatives_.inputs.kept
    assert kept.tolist() == [False, True, False, False]
    (note,) = left_out(data.features, kept)
    assert note == "3 columns ('a', 'c', 'd') are constant and are left out"
    kept = EntroGeDe(shape=(2, 2)).fit(data.X, data.y).representatives_.inputs.kept
    assert left_out(data.features, kept) == ()


# ---- other files ----


def test_parquet_is_read_like_csv(tmp_path):
    frame = pl.DataFrame(
        {
            "size": [float(i) for i in range(40)],
            "color": pl.Series([COLORS[i % 3] for i in range(40)], dtype=pl.Categorical),
            "sold": [i % 2 == 0 for i in range(40)],
            "price": pl.Series([None, *range(1, 40)], dtype=pl.Decimal(8, 2)),
            "label": ["xy"[i % 2] for i in range(40)],
        }
    )
    frame.write_parquet(tmp_path / "t.parquet")
    data = load_data(tmp_path / "t.parquet")
    assert [c.kind for c in data.columns] == ["number", "category", "boolean", "number"]
    assert data.classes == ("x", "y") and np.isnan(pooled(data)[0, 3])
    frame.with_columns(day=pl.date(2020, 1, 1)).write_parquet(tmp_path / "d.parquet")
    with pytest.raises(DataError, match="column 'day' of d.parquet holds Date; numbers, bool"):
        load_data(tmp_path / "d.parquet", target="label")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match="t.parquet cannot be read as Parquet .*; write it again"):
        load_data(tmp_path / "t.parquet")


def test_a_row_of_parquet_is_told_by_its_number(tmp_path):
    label = ["x", "y"] * 10
    label[6] = None
    pl.DataFrame({"a": range(20), "label": label}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="target 'label' .* is empty in 1 rows, first in row 7"):
        load_data(tmp_path / "t.parquet")


def test_a_folder_of_npy_is_a_table(tmp_path):
    x = np.arange(120.0).reshape(20, 3, 2)
    for end in ("train", "test"):
        np.save(tmp_path / f"x_{end}.npy", x)
        np.save(tmp_path / f"y_{end}.npy", np.arange(20) % 2)
    data = load_data(tmp_path)
    assert data.X.shape == (20, 6) and data.share == 0.5 and data.path == tmp_path
    (tmp_path / "y_test.npy").unlink()
    with pytest.raises(DataError, match="has no array 'y_test'; x and y, or x_train"):
        load_data(tmp_path)
    (tmp_path / "y_test.npy").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"y_test.npy cannot be read .*; save it with np.save"):
        load_data(tmp_path)


@pytest.mark.slow
def test_ten_thousand_columns_take_seconds(tmp_path):
    rows = np.random.default_rng(0).integers(0, 99, (200, 10_000))
    lines = [",".join(f"c{j}" for j in range(10_000)) + ",label"]
    lines += [",".join(map(str, row)) + f",{i % 2}" for i, row in enumerate(rows.tolist())]
    data = load_data(write(tmp_path, lines))
    assert data.X.shape == (160, 10_000) and data.X.dtype == np.uint8
    reps = EntroGeDe(budget_bytes=100_000).fit(data.X, data.y).representatives_
    assert reps.nbytes <= 100_000
