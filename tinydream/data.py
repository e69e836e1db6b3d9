"""A table and its target, checked once at the door."""

import difflib
import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinydream.errors import DataError

__all__ = ["Data", "check_rows", "check_table", "check_target", "load_data", "raw_dtype", "split"]

MOST_CLASSES = 65535
SUFFIXES = (".csv", ".csv.gz", ".npz")


@dataclass(frozen=True, eq=False)
class Data:
    """A table for classification, with rows held out of it.

    X: (n, d) in the narrowest common dtype that is exact. y: (n,) int32, indices into
    `classes`, which are sorted (numbers as numbers). X_test, y_test: held-out rows. row,
    row_test: where each row lay in the file (training rows first, where it has test rows of
    its own). share: of rows held out. notes: what was decided for the user, a sentence each.
    """

    X: NDArray[Any]
    y: NDArray[np.int32]
    X_test: NDArray[Any]
    y_test: NDArray[np.int32]
    features: tuple[str, ...]
    classes: tuple[str, ...]
    target: str
    path: Path
    row: NDArray[np.int64]
    row_test: NDArray[np.int64]
    share: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Table:
    """What a file holds, before it is checked. test: how many of the last rows are test rows."""

    X: NDArray[Any]
    y: NDArray[Any]
    test: int
    features: tuple[str, ...]
    target: str
    notes: tuple[str, ...]


def load_data(
    path: str | Path, *, target: str | None = None, test: float = 0.2, seed: int = 0
) -> Data:
    """Read a table for classification from .csv, .csv.gz or .npz.

    CSV: `target` names the column to predict, by default the last one. NPZ: arrays x, y, or
    x_train, y_train, x_test, y_test; x of more than two dimensions is flattened to (n, d).
    Without test rows in the file, the share `test` of each class is held out: its rows are
    permuted by np.random.default_rng(seed), class after class, and the first ones held out.

    Raises DataError, one sentence that names the file, the column and the next step.
    """
    path = Path(path)
    if not 0 < test < 1:
        raise DataError(f"test is {test}; the share of held-out rows lies between 0 and 1")
    if path.is_dir():
        raise DataError(f"{path} is a directory; name a file in it ({', '.join(SUFFIXES)})")
    if not path.name.lower().endswith(SUFFIXES):
        raise DataError(f"{path.name} is of an unknown kind; {', '.join(SUFFIXES)} can be read")
    if not path.is_file():
        raise DataError(f"{path} does not exist; check the spelling and the folder")
    reader = _read_npz if path.suffix.lower() == ".npz" else _read_csv
    table = reader(path, target)
    check_rows(table.X, table.features)
    classes, y = check_target(table.y, table.target)
    row = np.arange(len(y))
    n, share = len(y) - table.test, table.test / len(y) or test
    names = tuple(map(str, classes.tolist()))
    _check_seen(path, table, classes, y)
    data = Data(
        table.X[:n], y[:n], table.X[n:], y[n:], table.features, names, table.target, path,
        row[:n], row[n:], share, table.notes,
    )  # fmt: skip
    return data if table.test else split(data, seed)


def split(data: Data, seed: int) -> Data:
    """The same rows, in file order, with other ones held out: `load_data` with another seed.

    Each class gives the rounded share of its rows, but at least one and not all.
    Raises DataError when a class has a single row.
    """
    X, y = np.concatenate([data.X, data.X_test]), np.concatenate([data.y, data.y_test])
    order = np.argsort(np.concatenate([data.row, data.row_test]))
    X, y = X[order], y[order]
    count = np.bincount(y, minlength=len(data.classes))
    if count.min() < 2:
        name = data.classes[int(count.argmin())]
        raise DataError(
            f"class {name!r} of {data.target!r} has only {count.min()} row, and one must be held"
            " out for testing; add rows or remove the class"
        )
    held = np.zeros(len(y), bool)
    generator = np.random.default_rng(seed)
    for k, n in enumerate(count):
        take = min(max(round(data.share * int(n)), 1), int(n) - 1)
        held[generator.permutation(np.flatnonzero(y == k))[:take]] = True
    row = np.arange(len(y))
    return replace(
        data, X=X[~held], y=y[~held], X_test=X[held], y_test=y[held],
        row=row[~held], row_test=row[held],
    )  # fmt: skip


def check_table(
    X: ArrayLike, y: ArrayLike | None, target: str = "y"
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int32]]:
    """Rows (n, d) and labels (n,) as (X, classes (k,) sorted, class indices (n,) int32).

    Raises DataError for shapes that do not match, NaN or inf, fewer than two classes, labels
    that look like measurements or like ids.
    """
    rows = check_rows(X)
    labels = _array(y, "y")
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.ndim != 1:
        raise DataError(f"y has shape {labels.shape}; one label a row is needed, shape (n,)")
    if len(labels) != len(rows):
        raise DataError(f"X has {len(rows)} rows and y {len(labels)} labels; both need as many")
    classes, index = check_target(labels, target)
    return rows, classes, index


def check_rows(X: ArrayLike, names: Sequence[str] = ()) -> NDArray[Any]:
    """Rows as a numeric array (n, d) without NaN or inf; `names` are used in messages.

    Raises DataError. Integers, floats and booleans keep their dtype (booleans become uint8).
    """
    rows = _array(X, "X")
    if rows.ndim != 2:
        raise DataError(
            f"X has shape {rows.shape}; rows and columns, (n, d), are needed. Reshape your data:"
            " X.reshape(1, -1) for one row, X.reshape(-1, 1) for one column"
        )
    for count, what in zip(rows.shape, ("sample", "feature"), strict=True):
        if count == 0:
            raise DataError(f"0 {what}(s) (shape={rows.shape}) while a minimum of 1 is required.")
    if rows.dtype.kind in "bO":
        rows = rows.astype(np.uint8) if rows.dtype.kind == "b" else _numbers(rows)
    if rows.dtype.kind == "c":
        raise DataError("Complex data not supported: X has complex numbers; give real columns")
    if rows.dtype.kind not in "iuf":
        raise DataError(f"X has dtype {rows.dtype}; numbers are needed: encode text as integers")
    if rows.dtype.kind == "f":
        _check_finite(rows, names)
    return rows


def check_target(labels: NDArray[Any], target: str) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Sorted classes (k,) and each label's index (n,) int32; raises DataError."""
    if labels.dtype.kind == "f":
        labels = _whole_numbers(labels, target)
    try:
        classes, index = np.unique(labels, return_inverse=True)
    except TypeError:  # labels of several kinds, as objects
        raise DataError(f"{target!r} mixes kinds of labels; use numbers or text") from None
    if len(classes) < 2:
        raise DataError(
            f"{target!r} has only one class, {str(classes[0])!r}; classification needs two or more"
        )
    if len(classes) == len(labels) and len(labels) > 2:
        raise DataError(
            f"every one of the {len(labels)} values of {target!r} is different: it looks like an"
            " id; name the column to predict"
        )
    if labels.dtype.kind in "iu" and len(classes) > max(50, len(labels) // 5):
        raise DataError(
            f"{target!r} has {len(classes)} different numbers in {len(labels)} rows: it looks like"
            " a measurement, and regression is not supported yet by this version; name a label"
        )
    if len(classes) > MOST_CLASSES:
        raise DataError(f"{target!r} has {len(classes)} classes; at most {MOST_CLASSES} are kept")
    return classes, index.reshape(-1).astype(np.int32)


def raw_dtype(X: NDArray[Any]) -> tuple[str, int]:
    """The narrowest of u8, u16, i32, f32 that holds the rows exactly, and its bytes a value.

    What a device would need to hold the rows as they are. Where nothing holds them exactly
    (float64 that are not float32, wide integers) they are counted as f32.
    """
    if X.size == 0 or (X.dtype.kind == "f" and not np.array_equal(X, np.rint(X))):
        return "f32", 4
    low, high = X.min(), X.max()
    for name, size, dtype in (("u8", 1, np.uint8), ("u16", 2, np.uint16), ("i32", 4, np.int32)):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return name, size
    return "f32", 4


# ---- CSV ----


def _read_csv(path: Path, target: str | None) -> _Table:
    import polars as pl  # here: it takes 0.1 s that other verbs need not wait

    try:
        source = path.read_bytes()
        if path.suffix.lower() == ".gz":
            source = gzip.decompress(source)
        frame = pl.read_csv(io.BytesIO(source), infer_schema_length=None)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} cannot be read ({error}); copy the file again") from None
    except pl.exceptions.NoDataError:
        raise DataError(f"{path.name} is empty; it needs a line of names, and rows") from None
    except pl.exceptions.PolarsError as error:
        why = str(error).splitlines()[0]
        raise DataError(f"{path.name} is not a well-formed CSV table ({why}); mend it") from None
    if frame.height == 0:
        raise DataError(f"{path.name} has column names but no rows; add rows")
    notes: tuple[str, ...] = ()
    if target is None:
        target = frame.columns[-1]
        notes = (f"the target is the last column, {target!r}, as none was named",)
    if target not in frame.columns:
        raise DataError(f"{path.name} has no column {target!r}; {_near(target, frame.columns)}")
    if frame.width == 1:
        raise DataError(f"{path.name} has only the column {target!r}; nothing to predict it from")
    columns = [_column(frame[name], path.name) for name in frame.columns if name != target]
    features = tuple(name for name in frame.columns if name != target)
    return _Table(_narrow(columns), _labels(frame[target], path.name), 0, features, target, notes)


def _near(name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, names, 3, 0.5)
    some = list(names[:8]) + ["..."] * (len(names) > 8)
    return (
        f"did you mean {' or '.join(map(repr, close))}?" if close else "it has " + ", ".join(some)
    )


def _column(column: Any, file: str) -> NDArray[Any]:
    """A feature's values, integer or float64; NaN and inf are refused later, by name."""
    import polars as pl

    if column.dtype == pl.Boolean:
        column = column.cast(pl.UInt8)
    if column.dtype == pl.String:
        column = column.str.strip_chars()
        column = column.set(column == "", None)
        numbers = column.cast(pl.Float64, strict=False)
        bad = (numbers.is_null() & column.is_not_null()).arg_true()
        if len(bad):
            raise DataError(
                f"{file}, line {bad[0] + 2}: column {column.name!r} holds {column[bad[0]]!r}, which"
                " is not a number; encode text as integers, or remove the column"
            )
        column = numbers
    _check_filled(column, file)
    return np.asarray(column.to_numpy())


def _check_filled(column: Any, file: str) -> None:
    if column.null_count():
        raise DataError(
            f"column {column.name!r} of {file} is empty in {column.null_count()} rows, first in"
            f" line {column.is_null().arg_true()[0] + 2}; fill them in or remove these rows"
        )


def _labels(column: Any, file: str) -> NDArray[Any]:
    import polars as pl

    _check_filled(column, file)
    if column.dtype == pl.Boolean:
        column = column.cast(pl.String)
    return np.asarray(column.to_list())


def _narrow(columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
    if any(column.dtype.kind == "f" for column in columns):
        return np.column_stack([column.astype(np.float64) for column in columns])
    low, high = min(c.min() for c in columns), max(c.max() for c in columns)
    dtypes = [np.dtype(f"{'i' if low < 0 else 'u'}{size}") for size in (1, 2, 4, 8)]
    held = (t for t in dtypes if np.iinfo(t).min <= low and high <= np.iinfo(t).max)
    dtype = next(held, np.dtype(np.float64))
    return np.column_stack([column.astype(dtype) for column in columns])


# ---- NPZ ----


def _read_npz(path: Path, target: str | None) -> _Table:
    if target not in (None, "y"):
        raise DataError(f"the target of an NPZ file is 'y', not {target!r}; leave target out")
    try:
        with path.open("rb") as source, np.load(source, allow_pickle=False) as file:
            names = set(file.files)
            parts = ("x", "y") if "x" in names else ("x_train", "y_train", "x_test", "y_test")
            if missing := [name for name in parts if name not in names]:
                raise DataError(
                    f"{path.name} has no array {missing[0]!r}; x and y, or x_train, y_train, x_test"
                    " and y_test, are needed"
                )
            arrays = [file[name] for name in parts]
            given = file["feature_names"] if "feature_names" in names else np.array([])
    except DataError:
        raise
    except Exception as error:  # whatever damage makes zipfile, zlib and NumPy raise
        raise DataError(f"{path.name} cannot be read ({error}); save it with np.savez") from None
    for name, array in zip(parts, arrays, strict=True):
        if array.ndim == 0 or array.size == 0:
            raise DataError(f"{path.name} has no rows in {name!r}; add rows")
    return _pool(path, parts, arrays, given)


def _pool(
    path: Path, parts: Sequence[str], arrays: Sequence[NDArray[Any]], given: NDArray[Any]
) -> _Table:
    rows = [np.asarray(x).reshape(len(x), -1) for x in arrays[0::2]]
    labels = [y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y for y in arrays[1::2]]
    for i, (x, y) in enumerate(zip(rows, labels, strict=True)):
        if y.ndim != 1 or len(x) != len(y):
            raise DataError(
                f"{path.name}: {parts[2 * i]!r} has {len(x)} rows and {parts[2 * i + 1]!r} has"
                f" shape {y.shape}; one label a row is needed"
            )
        if x.shape[1] != rows[0].shape[1]:
            raise DataError(
                f"{path.name}: test rows have {x.shape[1]} columns and training rows"
                f" {rows[0].shape[1]}; both need as many"
            )
    y = np.concatenate(labels)
    y = np.char.decode(y, "utf-8", "replace") if y.dtype.kind == "S" else y
    X = np.concatenate(rows)
    X = X.astype(np.uint8) if X.dtype.kind == "b" else X
    named = given.ndim == 1 and len(given) == X.shape[1]
    features = tuple(map(str, given)) if named else tuple(f"x{j}" for j in range(X.shape[1]))
    test = len(labels[1]) if len(labels) > 1 else 0
    return _Table(X, y, test, features, "y", ())


def _check_seen(path: Path, table: _Table, classes: NDArray[Any], y: NDArray[np.int32]) -> None:
    n = len(y) - table.test
    if len(unseen := np.setdiff1d(y[n:], y[:n])):
        raise DataError(
            f"{path.name}: label {str(classes[unseen[0]])!r} occurs in y_test and not in y_train;"
            " remove these test rows, or add training rows"
        )


# ---- values ----


def _array(values: ArrayLike | None, name: str) -> NDArray[Any]:
    if hasattr(values, "toarray"):
        raise TypeError(f"{name} is a sparse matrix; a dense array is needed: use .toarray()")
    if values is None:
        raise DataError(f"this method requires {name} to be passed, but the target {name} is None")
    return np.asarray(values)


def _numbers(rows: NDArray[Any]) -> NDArray[np.float64]:
    try:
        return rows.astype(np.float64)
    except ValueError as error:
        raise DataError(f"X holds something that is not a number ({error}); encode it") from None


def _check_finite(rows: NDArray[Any], names: Sequence[str]) -> None:
    bad = ~np.isfinite(rows)
    if not bad.any():
        return
    j = int(bad.any(axis=0).argmax())
    name = repr(names[j]) if names else str(j)
    raise DataError(
        f"column {name} holds NaN or inf in {int(bad[:, j].sum())} rows, first in row"
        f" {int(bad[:, j].argmax())}; fill them in or remove these rows"
    )


def _whole_numbers(labels: NDArray[Any], target: str) -> NDArray[np.int64]:
    if bad := int((~np.isfinite(labels)).sum()):
        raise DataError(f"{target!r} holds NaN or inf in {bad} rows; label or remove these rows")
    whole = labels.astype(np.int64)
    if not np.array_equal(whole, labels):
        value = labels[whole != labels][0]
        raise DataError(
            f"Unknown label type: {target!r} holds {value}, and regression is not supported yet by"
            " this version; classification needs whole numbers or text"
        )
    return whole
