"""CSV and Parquet: named columns of numbers, booleans and text."""

import gzip
import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.data.columns import Column
from tinydream.data.source import Source, near, target_names
from tinydream.errors import DataError

__all__ = ["read_frame"]

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "?")  # of a number
MOST_TEXTS = 1000  # categories of a column


def read_frame(path: Path, target: str | None) -> Source:
    """Read a CSV or Parquet table; raises DataError."""
    frame = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    if frame.height == 0:
        raise DataError(f"{path.name} has column names but no rows; add rows")
    notes: tuple[str, ...] = ()
    if target is None:
        target = frame.columns[-1]
        notes = (f"the target is the last column, {target!r}, as none was named",)
    names = target_names(target, frame.columns)
    for name in names:
        if name not in frame.columns:
            raise DataError(f"{path.name} has no column {name!r}; {near(name, frame.columns)}")
    if frame.width == len(names):
        raise DataError(f"{path.name} has only {_the(names)}; nothing to predict it from")
    where = _Where(path.name, 1 if path.suffix.lower() == ".parquet" else 2)
    targets = tuple(where.labels(frame[name]) for name in names)
    X, columns = _features(frame.drop(names), where)
    return Source((X,), columns, targets, names, notes, recode=True)


def _the(names: Sequence[str]) -> str:
    return f"the column{'s' * (len(names) > 1)} {', '.join(map(repr, names))}"


def _read_csv(path: Path) -> Any:
    import polars as pl  # here: it takes 0.1 s that other verbs need not wait

    try:
        source: Any = path
        if path.suffix.lower() == ".gz":
            source = gzip.decompress(path.read_bytes())
        elif path.stat().st_size == 0:
            raise pl.exceptions.NoDataError
        first = pl.read_csv(source, has_header=False, n_rows=1, infer_schema=False)
        _refuse_twice(first.row(0), path.name)
        source = io.BytesIO(source) if isinstance(source, bytes) else source
        return pl.read_csv(source, infer_schema_length=None)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} cannot be read ({error}); copy the file again") from None
    except pl.exceptions.NoDataError:
        raise DataError(f"{path.name} is empty; it needs a line of names, and rows") from None
    except pl.exceptions.PolarsError as error:
        why = str(error).splitlines()[0]
        raise DataError(f"{path.name} is not a well-formed CSV table ({why}); mend it") from None


def _read_parquet(path: Path) -> Any:
    import polars as pl

    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        why = str(error).splitlines()[0]
        raise DataError(f"{path.name} cannot be read as Parquet ({why}); write it again") from None


def _refuse_twice(names: Sequence[str | None], file: str) -> None:
    seen: set[str | None] = set()
    for name in names:
        if name in seen:
            raise DataError(f"{file} has two columns {name or ''!r}; rename or remove one of them")
        seen.add(name)


def _features(frame: Any, where: "_Where") -> tuple[NDArray[Any], tuple[Column, ...]]:
    """The matrix (n, d) and its columns; the frame's are let go of one after the other."""
    series, columns = [], []
    for values in frame.get_columns():
        values, column = where.feature(values)
        series.append(values)
        columns.append(column)
    del frame, values
    X = np.empty((len(series[0]), len(series)), _common_dtype(series))
    for j in range(len(columns)):
        X[:, j], series[j] = series[j].to_numpy(), None
    return X, tuple(columns)


def _common_dtype(series: Sequence[Any]) -> np.dtype[Any]:
    """The narrowest dtype that holds all columns exactly, and NaN where values are missing."""
    if any(s.dtype.is_float() for s in series):
        return np.dtype(np.float64)
    low = min((v for s in series if (v := s.min()) is not None), default=0)
    high = max((v for s in series if (v := s.max()) is not None), default=0)
    if any(s.null_count() for s in series):
        return np.dtype(np.float32 if max(-low, high) <= 2**24 else np.float64)
    dtypes = [np.dtype(f"{'i' if low < 0 else 'u'}{size}") for size in (1, 2, 4, 8)]
    held = (t for t in dtypes if np.iinfo(t).min <= low and high <= np.iinfo(t).max)
    return next(held, np.dtype(np.float64))


class _Where:
    """Checks columns of a file; messages name the column, and its line or row."""

    def __init__(self, file: str, first: int) -> None:
        self.file, self.first, self.unit = file, first, "line" if first > 1 else "row"

    def labels(self, column: Any) -> NDArray[Any]:
        """A target (n,): numbers, or text."""
        import polars as pl

        column = self._plain(column)
        if column.dtype == pl.Boolean:
            column = column.cast(pl.String)
        if column.dtype == pl.String:
            column = _blank_to_null(column)
        if count := column.null_count():
            raise DataError(
                f"the target {column.name!r} of {self.file} is empty in {count} rows, first in"
                f" {self.at(column.is_null().arg_true()[0])}; fill them in or remove these rows"
            )
        return np.asarray(column.to_list() if column.dtype == pl.String else column.to_numpy())

    def at(self, row: int) -> str:
        return f"{self.unit} {row + self.first}"

    def feature(self, column: Any) -> tuple[Any, Column]:
        """A column of numbers, null where missing; text becomes codes of categories."""
        import polars as pl

        column = self._plain(column)
        if column.dtype == pl.Boolean:
            return column.cast(pl.UInt8), Column(column.name, "boolean")
        if column.dtype != pl.String:
            return column, Column(column.name)
        column = _blank_to_null(column)
        filled = column.set(column.is_in(list(MISSING)), None)
        numbers = filled.cast(pl.Float64, strict=False)
        stray = (numbers.is_null() & filled.is_not_null()).arg_true()
        if len(stray) == 0:
            return numbers, Column(column.name)
        if 2 * len(stray) <= len(filled) - filled.null_count():
            raise DataError(
                f"{self.file}, {self.at(stray[0])}: column {column.name!r} holds"
                f" {filled[stray[0]]!r} between numbers; mend it, leave it empty, or remove the"
                " column"
            )
        return self._categories(column)

    def _categories(self, column: Any) -> tuple[Any, Column]:
        import polars as pl

        texts = column.drop_nulls().unique().sort()
        if len(texts) > MOST_TEXTS:
            raise DataError(
                f"column {column.name!r} of {self.file} holds {len(texts)} different texts, such"
                f" as {texts[0]!r}: it looks like free text or an id; remove the column, or make"
                " numbers of it"
            )
        codes = column.replace_strict(texts, list(range(len(texts))), return_dtype=pl.UInt16)
        return codes, Column(column.name, "category", tuple(texts.to_list()))

    def _plain(self, column: Any) -> Any:
        """A column of booleans, numbers or text, whatever the file's kind for it."""
        import polars as pl

        if isinstance(column.dtype, pl.Decimal):
            return column.cast(pl.Float64)
        if isinstance(column.dtype, pl.Categorical | pl.Enum):
            return column.cast(pl.String)
        if column.dtype in (pl.Boolean, pl.String) or column.dtype.is_numeric():
            return column
        if column.dtype == pl.Null:
            return column.cast(pl.Float64)
        raise DataError(
            f"column {column.name!r} of {self.file} holds {column.dtype}; numbers, booleans and"
            " text can be read: convert or remove it"
        )


def _blank_to_null(column: Any) -> Any:
    column = column.str.strip_chars()
    return column.set(column == "", None)
