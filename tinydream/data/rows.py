"""Every row of a file as its file has them: no target, no split, nothing made of missing values."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.data.frame import open_frame
from tinydream.data.pictures import is_idx, is_pictures, rows_of_pictures
from tinydream.errors import DataError

__all__ = ["read_arrays"]

Arrays = dict[str, NDArray[Any]]


def read_arrays(path: Path) -> tuple[Arrays, Arrays, dict[str, int]]:
    """Arrays by name, as long as each other; where some have gaps; and how many rows of an array
    were called NAME_train, before those of NAME_test.

    CSV and Parquet: an array a column; a gap holds 0, False or no text. NPZ and folders of .npy:
    the arrays that have as many rows as x, or x_train and x_test. Pictures: x (n, height, width
    and colours, if any) and y. Raises DataError.
    """
    if path.exists() and (is_idx(path) or is_pictures(path)):
        train, test = rows_of_pictures(path)
        if test is None:
            return train, {}, {}
        both = {name: np.concatenate([train[name], test[name]]) for name in train}
        return both, {}, {name: len(train["x"]) for name in train}
    suffixes = "".join(path.suffixes[-2:]).lower()
    if path.is_dir() or suffixes.endswith(".npz"):
        arrays, parts = _of_arrays(path)
        return arrays, {}, parts
    frame = open_frame(path)
    columns, gaps = {}, {}
    for series in frame.get_columns():
        values, missing = _column(series)
        columns[series.name] = values
        if missing.any():
            gaps[series.name] = missing
    return columns, gaps, {}


def _column(series: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    import polars as pl

    missing = series.is_null().to_numpy()
    if series.dtype.is_integer() or series.dtype in (pl.Float32, pl.Float64):
        return np.ascontiguousarray(series.fill_null(0).to_numpy()), missing
    if series.dtype == pl.Boolean:
        return np.ascontiguousarray(series.fill_null(False).to_numpy()), missing
    return np.array(series.cast(pl.String).to_list(), object), np.zeros(len(series), bool)


def _of_arrays(path: Path) -> tuple[Arrays, dict[str, int]]:
    loaded: Arrays = {}
    try:
        if path.is_dir():
            loaded = {f.stem: np.load(f, allow_pickle=False) for f in sorted(path.glob("*.npy"))}
        else:
            with np.load(path, allow_pickle=False) as file:
                loaded = {name: file[name] for name in file.files}
    except Exception as error:  # whatever damage makes zipfile, zlib and NumPy raise
        raise DataError(f"{path.name} cannot be read ({error}); save it with NumPy") from None
    loaded = {name: np.asarray(array) for name, array in loaded.items()}
    if "x" in loaded:
        rows = len(loaded["x"])
        return {n: a for n, a in loaded.items() if a.ndim and len(a) == rows}, {}
    found: Arrays = {}
    parts: dict[str, int] = {}
    for name in [n.removesuffix("_train") for n in loaded if n.endswith("_train")]:
        train, test = loaded[f"{name}_train"], loaded.get(f"{name}_test")
        if train.ndim and test is not None and test.shape[1:] == train.shape[1:]:
            if (len(train), len(test)) == tuple(len(loaded[f"x_{e}"]) for e in ("train", "test")):
                found[name], parts[name] = np.concatenate([train, test]), len(train)
    if "x" not in found:
        raise DataError(f"{path.name} has no array 'x', and no 'x_train' and 'x_test'; name one so")
    return found, parts
