"""CSV and Parquet: named columns of numbers, booleans and text."""

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.data.columns import Column
from tinydream.data.source import Source, near, number_groups, target_names
from tinydream.errors import DataError

__all__ = ["open_frame", "read_frame"]

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "?")  # of a number
FIRST_ROWS = 10_000  # of a CSV, that usually tell what its columns hold
MOST_TEXTS = 1000  # categories of a column


def read_frame(path: Path, target: str | None, group: str | None = None) -> Source:
    """Read a CSV or Parquet table; raises DataError. group: a column that is no feature."""
    frame = open_frame(path)
    notes: tuple[str, ...] = ()
    if target is None:
        target = frame.columns[-1]
        notes = (f"the target is the last column, {target!r}, as none was named",)
    names = target_names(target, frame.columns)
    for name in names:
        if name not in frame.columns:
            raise DataError(f"{path.name} has no column {name!r}; {near(name, frame.columns)}")
    groups = None
    if group is not None:
        frame, groups = _without_groups(path.name, frame, names, group)
    if frame.width == len(names):
        raise DataError(f"{path.name} has only {_the(names)}; nothing to predict it from")
    where = _Where(path.name, 1 if path.suffix.lower() == ".parquet" else 2)
    targets, texts = zip(*(where.target(frame[name]) for name in names), strict=True)
    features = frame.drop(names).get_columns()
    del frame  # its columns are let go of one after the other
    X, columns = _features(features, where)
    return Source((X,), columns, targets, names, notes, texts, recode=True, groups=groups)


def open_frame(path: Path) -> Any:
    """The polars table of a CSV or Parquet file that has rows; raises DataError."""
    frame = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    if frame.height == 0:
        raise DataError(f"{path.name} has column names but no rows; add rows")
    return frame


def _without_groups(
    file: str, frame: Any, targets: Sequence[str], group: str
) -> tuple[Any, NDArray[np.int32]]:
    if group not in frame.columns:
        raise DataError(f"{file} has no column {group!r} of groups; {near(group, frame.columns)}")
    if group in targets:
        raise DataError(f"{group!r} is the target and cannot tell groups; name another column")
    return frame.drop(group), number_groups(frame[group].cast(str).to_numpy())


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
        try:
            return pl.read_csv(source, infer_schema_length=FIRST_ROWS)
        except pl.exceptions.ComputeError:  # a column is not what its first rows say
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


def _features(series: list[Any], where: "_Where") -> tuple[NDArray[Any], tuple[Column, ...]]:
    """The matrix (n, d) of these columns, which the list is relieved of, and what they are."""
    columns = []
    for j, values in enumerate(series):
        series[j], column = where.feature(values)
        columns.append(column)
    del values
    X = np.empty((len(series[0]), len(series)), _common_dtype(series))
    for j in range(len(columns)):
        at = 0
        for chunk in series[j].get_chunks():  # as they are: joining them would take a copy
            X[at : at + len(chunk), j] = chunk.to_numpy()
            at += len(chunk)
        series[j] = chunk = None
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

    def target(self, column: Any) -> tuple[NDArray[Any], tuple[str, ...]]:
        """A target's numbers (n,) and no texts; or the places of its texts, and these, sorted."""
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
        if column.dtype != pl.String:
            return column.shrink_dtype().to_numpy(), ()
        numbers = column.cast(pl.Float64, strict=False)
        return (numbers.to_numpy(), ()) if not numbers.null_count() else _places(column)

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
        count = column.n_unique() - (column.null_count() > 0)
        if count > MOST_TEXTS:
            raise DataError(
                f"column {column.name!r} of {self.file} holds {count} different texts, such as"
                f" {column.drop_nulls()[0]!r}: it looks like free text or an id; remove the"
                " column, or make numbers of it"
            )
        codes, texts = _code(column)
        return codes, Column(column.name, "category", texts)

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


def _code(column: Any) -> tuple[Any, tuple[str, ...]]:
    """A column of text as the places of its texts, null where it is, and the texts, sorted."""
    import polars as pl

    texts = column.drop_nulls().unique().sort()
    codes = column.replace_strict(texts, list(range(len(texts))), return_dtype=pl.Int32)
    return codes, tuple(texts.to_list())


def _places(column: Any) -> tuple[NDArray[Any], tuple[str, ...]]:
    codes, texts = _code(column)
    return codes.to_numpy(), texts
