"""compress keeps the table, decompress gives it back, inspect tells what it takes; pictures."""

import gzip
import json
import sys

import numpy as np
import polars as pl
import pytest
from verbs import refused

from tinydream import EntroGeDe
from tinydream.archive import keep_table, open_store, restore
from tinydream.data import load_data, read_arrays
from tinydream.errors import DataError
from tinydream.store import load_store


@pytest.fixture
def mixed(tmp_path):
    """A table of each kind of column, with gaps."""
    n = 60
    frame = pl.DataFrame(
        {
            "whole": [None if i % 7 == 0 else i * 3 for i in range(n)],
            "part": [None if i % 5 == 0 else i / 4 for i in range(n)],
            "name": [None if i % 11 == 0 else "ab"[i % 2] for i in range(n)],
            "yes": [i % 3 == 0 for i in range(n)],
            "y": [i % 2 for i in range(n)],
        }
    )
    frame.write_parquet(tmp_path / "mixed.parquet")
    frame.write_csv(tmp_path / "mixed.csv")
    return frame


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_comes_back_with_its_columns_and_gaps(mixed, tmp_path, ending):
    store = keep_table(tmp_path / f"mixed.{ending}", tmp_path / "run")
    assert len(store) == 60 and store.names[:3] == ("whole", "part", "name")
    for back in ("csv", "parquet"):
        (tmp_path / f"again.{back}").write_bytes(
            restore(open_store(tmp_path / "run"), tmp_path / f"again.{back}")
        )
    assert pl.read_parquet(tmp_path / "again.parquet").equals(mixed, null_equal=True)
    assert pl.read_csv(tmp_path / "again.csv").equals(mixed, null_equal=True)


def test_an_npz_comes_back_in_its_parts(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.normal(size=(40, 2, 3)).astype(np.float32),
        "x_test": rng.normal(size=(9, 2, 3)).astype(np.float32),
        "y_train": rng.integers(0, 2, 40),
        "y_test": rng.integers(0, 2, 9),
        "note": np.array("not rows"),
    }
    np.savez(tmp_path / "a.npz", **arrays)
    keep_table(tmp_path / "a.npz", tmp_path / "run")
    (tmp_path / "b.npz").write_bytes(restore(open_store(tmp_path / "run"), "b.npz"))
    with np.load(tmp_path / "b.npz") as back:
        assert sorted(back.files) == sorted(set(arrays) - {"note"})
        for name in back.files:
            assert back[name].dtype == arrays[name].dtype
            assert back[name].tobytes() == arrays[name].tobytes()


def test_the_verbs_keep_tell_and_give_back(verb, table, tmp_path):
    code, out, err = verb("compress", table, "--budget-bytes", "256", "--projection", "none")
    assert code == 0 and "all 300 rows are in run/store.tds, lossless" in out, err
    assert verb("decompress", "run", "-o", "again.csv")[0] == 0
    assert (tmp_path / "again.csv").read_text() == pl.read_csv(table).write_csv()
    assert verb("decompress", "run/store.tds", "-o", "again.npz")[0] == 0
    code, out, err = verb("inspect")
    assert code == 0 and "store of all rows" in out and "decimals, 3" in out
    told = json.loads(verb("inspect", "--json")[1])["store"]
    assert [column["name"] for column in told] == ["a", "b", "c", "d", "kind"]
    assert all(0 < column["coded"] < column["raw"] for column in told)


def test_a_store_may_be_left_out_and_its_absence_is_told(verb, table):
    assert verb("compress", table, "--budget-bytes", "256", "--no-store")[0] == 0
    refused(verb("decompress", "run", "-o", "t.csv"), 2, "store.tds", "compress")
    assert json.loads(verb("inspect", "--json")[1])["store"] == []


def test_what_decompress_cannot_read_or_write_is_refused(verb, table, tmp_path):
    assert verb("compress", table, "--budget-bytes", "256")[0] == 0
    refused(verb("decompress", "run", "-o", "t.txt"), 2, ".csv")
    refused(verb("decompress", table, "-o", "t.csv"), 2, "is no store")
    refused(verb("decompress", "absent.tds", "-o", "t.csv"), 2, "absent.tds")
    data = bytearray((tmp_path / "run/store.tds").read_bytes())
    data[40] ^= 1
    (tmp_path / "run/store.tds").write_bytes(data)
    refused(verb("decompress", "run", "-o", "t.csv"), 2, "store.tds is damaged")
    refused(verb("inspect"), 2, "store.tds is damaged")


def test_entrogede_encodes_and_decodes():
    rng = np.random.default_rng(0)
    X, y = np.round(rng.normal(size=(500, 3)), 2), rng.integers(0, 3, 500).astype(np.int8)
    store = EntroGeDe.encode(X, y)
    back, labels = EntroGeDe.decode(store)
    assert back.tobytes() == X.tobytes() and labels.tobytes() == y.tobytes()
    assert store[17][0].tolist() == X[17].tolist() and store.nbytes < X.nbytes


# ---- pictures ----


def idx(array, kind):
    lengths = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, kind, array.ndim]) + lengths + array.tobytes()


@pytest.fixture
def digits(tmp_path):
    """A folder as MNIST's, and its arrays."""
    rng = np.random.default_rng(0)
    folder, arrays = tmp_path / "digits", {}
    folder.mkdir()
    for name, n in (("train", 30), ("t10k", 8)):
        x = rng.integers(0, 256, (n, 5, 4), dtype=np.uint8)
        y = (np.arange(n) % 3).astype(np.uint8)
        arrays[name] = x, y
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(x, 8)))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(y, 8))
        (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(y, 8)))
    return folder, arrays


def test_idx_files_are_a_table(digits, tmp_path):
    folder, arrays = digits
    data = load_data(folder)
    assert data.X.tobytes() == arrays["train"][0].tobytes() and data.X.shape == (30, 20)
    assert data.X_test.shape == (8, 20) and data.classes == ("0", "1", "2")
    assert load_data(folder / "train-images-idx3-ubyte.gz").X.shape[1] == 20
    keep_table(folder, tmp_path / "run")
    store = load_store(tmp_path / "run" / "store.tds")
    assert store[0][0].shape == (5, 4) and len(store) == 38


def test_an_idx_file_that_is_cut_or_alone_is_refused(digits):
    folder, _ = digits
    labels = folder / "train-labels-idx1-ubyte.gz"
    whole = (folder / "train-labels-idx1-ubyte").read_bytes()
    for broken in (whole[:-1], whole[:3], b"", b"\1" + whole[1:], gzip.compress(whole)[:20]):
        labels.write_bytes(broken)
        with pytest.raises(DataError, match="labels"):
            load_data(folder)
    labels.unlink()
    with pytest.raises(DataError, match="labels beside it"):
        load_data(folder)


def test_folders_of_pictures_are_a_table(tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    for k in range(12):
        place = tmp_path / "pets" / ("cat", "dog")[k % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (4, 6) if k else (4, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{k}.png")
    data = load_data(tmp_path / "pets")
    assert data.classes == ("cat", "dog") and data.X.shape[1] == 4 * 6 * 3
    arrays, _, _ = read_arrays(tmp_path / "pets")
    assert arrays["x"].shape == (12, 4, 6, 3)
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(tmp_path / "pets/cat/odd.png")
    with pytest.raises(DataError, match="one size"):
        load_data(tmp_path / "pets")
    (tmp_path / "pets/cat/odd.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="no picture"):
        load_data(tmp_path / "pets")


def test_without_pillow_the_command_that_helps_is_told(tmp_path, monkeypatch):
    (tmp_path / "pets/cat").mkdir(parents=True)
    (tmp_path / "pets/cat/1.png").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DataError, match=r"tinydream\[images\]"):
        load_data(tmp_path / "pets")
