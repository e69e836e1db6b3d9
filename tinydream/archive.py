"""The table itself, lossless: a store of what a file holds, and a file of what a store holds."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.data import read_arrays
from tinydream.errors import DataError, InputError
from tinydream.store import Store, load_store, make_store

__all__ = ["FORMATS", "STORE", "keep_table", "open_store", "restore"]

STORE = "store.tds"
FORMATS = ("csv", "npz", "parquet")
GAPS = "?"  # ends the name of an array that tells where another one has nothing


def keep_table(path: str | Path, folder: Path) -> Store:
    """Write FOLDER/store.tds of a table's rows, as its file has them; returns the store.

    Raises DataError when the table cannot be read or kept.
    """
    arrays, gaps, parts = read_arrays(Path(path))
    given = {**arrays, **{name + GAPS: gap for name, gap in gaps.items()}}
    store = make_store(given)
    store.notes = {"parts": parts}
    folder.mkdir(parents=True, exist_ok=True)
    store.save(folder / STORE)
    return store


def open_store(place: str | Path) -> Store:
    """The store of a run folder, or that of a file; raises DataError."""
    place = Path(place)
    if place.is_dir() and not (place / STORE).is_file():
        raise DataError(f"{place} has no {STORE}; run `tinydream compress` without --no-store")
    return load_store(place / STORE if place.is_dir() else place)


def restore(store: Store, path: str | Path) -> bytes:
    """What a .csv, .npz or .parquet file of the store's rows holds.

    Raises InputError for another ending.
    """
    ending = Path(path).suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise InputError(f"{path} ends with none of .{', .'.join(FORMATS)}; name such a file")
    values = dict(zip(store.names, store.arrays(), strict=True))
    gaps = {n[: -len(GAPS)]: v for n, v in values.items() if n.endswith(GAPS)}
    arrays = {n: v for n, v in values.items() if not n.endswith(GAPS)}
    memory = io.BytesIO()
    if ending == "npz":
        np.savez_compressed(memory, allow_pickle=False, **_as_parts(arrays, gaps, store.notes))
        return memory.getvalue()
    frame = _frame(arrays, gaps)
    if ending == "csv":
        frame.write_csv(memory)
    else:
        frame.write_parquet(memory, compression="zstd")
    return memory.getvalue()


def _as_parts(
    arrays: Mapping[str, NDArray[Any]], gaps: Mapping[str, NDArray[Any]], notes: Mapping[str, Any]
) -> dict[str, NDArray[Any]]:
    """Arrays as an NPZ has them: text without objects, parts (x_train, x_test) apart again."""
    made: dict[str, NDArray[Any]] = {}
    for name, array in arrays.items():
        if array.dtype.kind == "O":
            array = np.array(["" if each is None else each for each in array.tolist()])
        if name in gaps:
            made[f"{name}_missing"] = gaps[name]
        cut = notes.get("parts", {}).get(name)
        whole = {name: array} if cut is None else {}
        made |= whole or {f"{name}_train": array[:cut], f"{name}_test": array[cut:]}
    return made


def _frame(arrays: Mapping[str, NDArray[Any]], gaps: Mapping[str, NDArray[Any]]) -> Any:
    """A polars table; an array of several columns becomes NAME0, NAME1, ..."""
    import polars as pl

    columns = {}
    for name, array in arrays.items():
        flat = array.reshape(len(array), -1)
        for j in range(flat.shape[1]):
            values = flat[:, j]
            plain = values.tolist() if values.dtype.kind in "OUS" else np.ascontiguousarray(values)
            column = pl.Series(name if array.ndim == 1 else f"{name}{j}", plain)
            if name in gaps:
                column = column.set(pl.Series(gaps[name]), None)
            columns[column.name] = column
    return pl.DataFrame(list(columns.values()))
