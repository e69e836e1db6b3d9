"""New rows, in raw units, as classes or targets: a table in, a table out."""

import csv
import difflib
import gzip
import io
import zlib
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.errors import DataError, InputError
from tinydream.keras.features import Extractor, extractor_of, raw_columns
from tinydream.looks.columns import categories
from tinydream.plan import Plan
from tinydream.ports import PASSING, Port, open_port
from tinydream.run import Run

__all__ = ["Predicted", "load_arrays", "new_rows", "predict", "read_rows", "read_weights"]

SUFFIXES = (".csv", ".csv.gz", ".npz", ".npy")
SHOWN = 8  # names in a message


@dataclass(frozen=True)
class Predicted:
    """Predictions as a table: column names, and one row for each row that was given.

    notes: what was decided for the user, a sentence each.
    """

    columns: tuple[str, ...]
    rows: list[list[Any]]
    notes: tuple[str, ...] = ()

    def to_csv(self) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return text.getvalue()


def predict(
    run: Run,
    file: str | Path,
    *,
    weights: str | Path | None = None,
    probabilities: bool = False,
    port: str = "sim",
) -> Predicted:
    """Predict the rows of `file`, in raw units, with the run's plan and weights.

    weights: an .npz of the same plan instead of the run's weights.npz. probabilities: one column
    more for each class. port: where the device's own code computes; a board on a serial port does
    with the weights that it holds, others are given theirs.
    Raises DataError when the file lacks a feature or holds what is not a finite number, RunError
    when the run has no weights for its plan, InputError for weights of another plan,
    or for a board that would have to be given them, LinkError when it is gone.
    """
    made = run.plan()
    given = None
    if port in PASSING:
        given = run.weights(made) if weights is None else read_weights(weights, made)
    elif weights is not None:
        raise InputError(
            "a board predicts with the weights that it holds; give it others with `tinydream push`"
        )
    X, notes = new_rows(run, made, file)
    with open_port(run, made, port) as device:
        if given is not None:
            device.push(given)
        columns, rows = _answers(made, device, X, probabilities)
    return Predicted(columns, rows, notes)


def _answers(
    made: Plan, device: Port, X: NDArray[Any], probabilities: bool
) -> tuple[tuple[str, ...], list[list[Any]]]:
    """The one place that knows what a network's answer means."""
    found = device.predict(X)
    if not made.classes:
        if probabilities:
            raise InputError("probabilities are of classes, and this run's plan is for regression")
        return made.targets, [[f"{value:.9g}" for value in row] for row in found]
    names = [made.classes[k] for k in found]
    if not probabilities:
        return made.targets, [[name] for name in names]
    shares = [[f"{p:.6f}" for p in row] for row in device.predict_proba(X).tolist()]
    rows: list[list[Any]] = [[name, *row] for name, row in zip(names, shares, strict=True)]
    return (*made.targets, *(f"p({name})" for name in made.classes)), rows


# ---- weights ----


def read_weights(path: str | Path, made: Plan) -> NDArray[np.float32]:
    """The weights (parameters,) in an .npz that `train` or `pull` wrote for this plan.

    Raises InputError when it is not such a file, or belongs to another plan.
    """
    path = Path(path)
    arrays = load_arrays(path, "a weights file that `tinydream train` wrote")
    if not isinstance(arrays, dict) or "weights" not in arrays:
        raise InputError(f"{path} has no array 'weights'; name a file that `tinydream train` wrote")
    weights, digest = arrays["weights"], str(arrays.get("digest", made.digest.hex()))
    if digest != made.digest.hex():
        raise InputError(
            f"{path} belongs to plan {digest} and this run's plan is {made.digest.hex()};"
            " name the run they came from with -o, or train again"
        )
    if weights.dtype != np.float32 or weights.shape != (made.parameters,):
        raise InputError(
            f"{path} holds {weights.dtype} {weights.shape}; this plan needs {made.parameters}"
            " float32 weights: train again"
        )
    return np.asarray(weights)


def load_arrays(path: Path, wanted: str) -> Any:
    """An array, or arrays by name; raises DataError for what cannot be read."""
    try:
        with path.open("rb") as source:
            loaded = np.load(source, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            with loaded:
                return {name: loaded[name] for name in loaded.files}
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; check the spelling and the folder") from None
    except Exception as error:  # whatever damage makes zipfile, zlib and NumPy raise
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} cannot be read ({why}); name {wanted}") from None


# ---- rows ----


def run_columns(run: Run) -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    """Categories by feature, in order of their codes; and features that training saw missing."""
    if not run.has("compress.json"):
        return {}, frozenset()
    missing = run.read_json("compress.json", "missing")["missing"]
    if not isinstance(missing, list):
        raise run.damaged("compress.json", "its missing features are no list")
    return categories(run), frozenset(map(str, missing))


def new_rows(run: Run, made: Plan, file: str | Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Rows (n, features) of a file as the run's plan takes them, and notes for the user.

    Where `compress` was given an extractor, the file has what that takes, and it makes features of
    them. Raises DataError as `read_rows` does, RunError when the extractor is gone or has changed.
    """
    facts = run.read_json("compress.json") if run.has("compress.json") else {}
    told = extractor_of(facts.get("source"))
    if told is None:
        return read_rows(file, made.features, *run_columns(run))
    rows, notes = read_rows(file, *raw_columns(told))
    return Extractor.of(told).features(rows), notes


def read_rows(
    path: str | Path,
    features: Sequence[str],
    categories: Mapping[str, Sequence[str]] | None = None,
    gaps: Container[str] = (),
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Rows (n, features) in raw units, in this order, and notes for the user.

    CSV: feature columns by name, in any order; further ones are ignored; the text in a column of
    `categories` becomes its code, and is missing when training never saw it. NPZ: an array x; .npy:
    one array; of more than two dimensions is flattened to (n, features).
    What is missing is NaN; it is allowed in `gaps` and in categories.
    Raises DataError, one sentence that names the file, the column and the next step.
    """
    path = Path(path)
    notes: tuple[str, ...] = ()
    if not path.name.lower().endswith(SUFFIXES):
        raise DataError(f"{path.name} is of an unknown kind; {', '.join(SUFFIXES)} can be read")
    if path.suffix.lower() in (".npz", ".npy"):
        rows = _array_rows(path, features)
    else:
        rows, notes = _csv_rows(path, features, categories or {}, gaps)
    if not len(rows):
        raise DataError(f"{path.name} has no rows; add rows")
    may = np.array([name in gaps or name in (categories or {}) for name in features])
    bad = np.isinf(rows) | (np.isnan(rows) & ~may)
    if bad.any():
        i, j = np.argwhere(bad)[0]
        raise DataError(
            f"{path.name}: feature {features[j]!r} holds {rows[i, j]} in row {i + 1};"
            " fill it in or remove the row"
        )
    return rows, notes


def _array_rows(path: Path, features: Sequence[str]) -> NDArray[Any]:
    loaded = load_arrays(path, "an .npz with an array x, or an .npy")
    if isinstance(loaded, dict):
        if "x" not in loaded:
            there = ", ".join(list(loaded)[:SHOWN]) or "none"
            raise DataError(f"{path.name} has no array 'x' (it has {there}); save rows as x")
        loaded = loaded["x"]
    if loaded.dtype.kind not in "biuf" or loaded.ndim == 0:
        raise DataError(
            f"{path.name} holds {loaded.dtype} {loaded.shape}; rows of numbers are needed"
        )
    rows = loaded.reshape(len(loaded), -1) if loaded.size else loaded.reshape(0, 1)
    if len(rows) and rows.shape[1] != len(features):
        raise DataError(
            f"{path.name} has rows of {rows.shape[1]} numbers and the plan {len(features)}"
            f" features ({_some(features)}); bring the columns in this order"
        )
    return np.asarray(rows, np.float64)


def _csv_rows(
    path: Path,
    features: Sequence[str],
    categories: Mapping[str, Sequence[str]],
    gaps: Container[str],
) -> tuple[NDArray[Any], tuple[str, ...]]:
    frame = _frame(path)
    if missing := [name for name in features if name not in frame.columns]:
        near = difflib.get_close_matches(missing[0], frame.columns, 1, 0.6)
        guess = f"rename {near[0]!r} to {missing[0]!r}?" if near else "add it"
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        raise DataError(f"{path.name} lacks the feature {missing[0]!r}{more}; {guess}")
    extra = [name for name in frame.columns if name not in set(features)]
    notes = [f"columns of {path.name} that are no features are ignored: {_some(extra)}"] * (
        len(extra) > 0
    )
    columns = []
    for name in features:
        if name in categories:
            column, unseen = _codes(frame[name], categories[name])
            if unseen:
                what = f"feature {name!r}: training never saw {_some(unseen)}"
                notes.append(f"{what}, which counts as missing")
        else:
            column = _numbers(frame[name], path.name, name in gaps)
        columns.append(column)
    return np.column_stack(columns), tuple(notes)


def _codes(column: Any, categories: Sequence[str]) -> tuple[NDArray[np.float64], list[str]]:
    """The codes of a column of text, NaN where there is none, and what has no code."""
    code = {text: float(k) for k, text in enumerate(categories)}
    texts = [None if v is None else str(v).strip() for v in column.to_list()]
    unseen = sorted({text for text in texts if text and text not in code})
    return np.array([code.get(text or "", np.nan) for text in texts]), unseen


def _frame(path: Path) -> Any:
    import polars as pl  # here: it takes 0.1 s that other verbs need not wait

    try:
        source = path.read_bytes()
        if path.suffix.lower() == ".gz":
            source = gzip.decompress(source)
        return pl.read_csv(io.BytesIO(source), infer_schema_length=None)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; check the spelling and the folder") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} cannot be read ({error}); copy the file again") from None
    except pl.exceptions.NoDataError:
        raise DataError(f"{path.name} is empty; it needs a line of names, and rows") from None
    except pl.exceptions.PolarsError as error:
        why = str(error).splitlines()[0]
        raise DataError(f"{path.name} is not a well-formed CSV table ({why}); mend it") from None


def _numbers(column: Any, file: str, gaps: bool) -> NDArray[np.float64]:
    import polars as pl

    if column.dtype == pl.String:
        column = column.str.strip_chars()
        column = column.set(column == "", None)
    values = column.cast(pl.Float64, strict=False)
    bad = (values.is_null() & column.is_not_null()).arg_true()
    if len(bad):
        raise DataError(
            f"{file}, line {bad[0] + 2}: feature {column.name!r} holds {column[bad[0]]!r}, which is"
            " not a number; mend that line"
        )
    if values.null_count() and not gaps:
        line = values.is_null().arg_true()[0] + 2
        raise DataError(
            f"{file}, line {line}: feature {column.name!r} is empty; fill it in or remove the row"
        )
    return np.asarray(values.to_numpy(), np.float64)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
