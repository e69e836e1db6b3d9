"""Columns to unsigned integers and back, exactly."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinydream.errors import DataError

__all__ = ["Column", "Grid"]

WIDTHS = (8, 16, 32, 64)
MOST_DECIMALS = 12
SAMPLE = 256  # rows that rule out most decimal scales before all rows are tried

U64 = NDArray[np.uint64]


@dataclass(frozen=True)
class Column:
    """How one column becomes unsigned integers.

    kind: "integer" value - low; "decimal" value * 10**decimals - low; "float" the bits of the
    number, in an order that follows its value, - low. bits: the highest integer needs.
    """

    kind: Literal["integer", "decimal", "float"]
    low: int
    bits: int
    decimals: int = 0

    @property
    def width(self) -> int:
        """Bits of the narrowest array that holds it: 8, 16, 32 or 64."""
        return next(width for width in WIDTHS if self.bits <= width)


@dataclass(frozen=True, eq=False)
class Grid:
    """The columns of a table as integers whose most significant bits mean most.

    Everything comes back bit for bit: -0.0, NaN with its payload, subnormals, the dtype.
    (Decimal scaling less the minimum: GreedyGD, arXiv 2304.07240.)
    """

    dtype: np.dtype[Any]
    columns: tuple[Column, ...]

    @classmethod
    def fit(cls, X: NDArray[Any]) -> "Grid":
        """Choose for each column of X (n, d) what takes fewest bits.

        Raises DataError for a dtype other than booleans, integers and floats of 16..64 bits.
        """
        if X.ndim != 2 or X.size == 0:
            raise DataError(
                f"X has shape {X.shape}; rows and columns are needed, at least one each"
            )
        if X.dtype.kind not in "biuf" or X.dtype.itemsize > 8:
            raise DataError(f"X has dtype {X.dtype}; booleans, integers and floats can be stored")
        X = X.astype(X.dtype.newbyteorder("="), copy=False)
        fit = _fit_float if X.dtype.kind == "f" else _fit_integer
        return cls(X.dtype, tuple(fit(np.ascontiguousarray(X[:, j])) for j in range(X.shape[1])))

    @property
    def groups(self) -> dict[int, NDArray[np.intp]]:
        """The columns held at each width, ascending."""
        width = np.array([column.width for column in self.columns])
        return {w: np.flatnonzero(width == w) for w in WIDTHS if (width == w).any()}

    def encode(self, X: NDArray[Any]) -> dict[int, NDArray[np.unsignedinteger[Any]]]:
        """Rows (n, d) as one array of unsigned integers a width, (n, columns of that width).

        Raises DataError for rows that this grid cannot give back exactly.
        """
        if X.dtype != self.dtype or X.ndim != 2 or X.shape[1] != len(self.columns):
            raise DataError(
                f"rows are {X.dtype} {X.shape}; this grid was fitted to {len(self.columns)} columns"
                f" of {self.dtype}: fit another"
            )
        made = {}
        for width, members in self.groups.items():
            made[width] = np.empty((len(X), len(members)), f"u{width // 8}")
            for place, j in enumerate(members):
                made[width][:, place] = self._encode_column(X[:, j], int(j))
        return made

    def decode(self, groups: dict[int, NDArray[np.unsignedinteger[Any]]]) -> NDArray[Any]:
        """The rows (n, d) again, equal bit for bit to what was encoded."""
        n = len(next(iter(groups.values())))
        X = np.empty((n, len(self.columns)), self.dtype)
        for width, members in self.groups.items():
            for place, j in enumerate(members):
                values = groups[width][:, place].astype(np.uint64)
                X[:, j] = _to_values(values, self.columns[j], self.dtype)
        return X

    def _encode_column(self, values: NDArray[Any], j: int) -> U64:
        column, values = self.columns[j], np.ascontiguousarray(values)
        integers = _to_integers(values, column)
        good = int(integers.max()).bit_length() <= column.width
        if not good or not _same(_to_values(integers, column, self.dtype), values):
            raise DataError(f"column {j} has values outside of what this grid was fitted to")
        return integers


def _fit_integer(values: NDArray[Any]) -> Column:
    low, high = int(values.min()), int(values.max())
    return Column("integer", low, (high - low).bit_length())


def _fit_float(values: NDArray[Any]) -> Column:
    ordered = _ordered(values)
    low, high = int(ordered.min()), int(ordered.max())
    best = Column("float", low, (high - low).bit_length())
    if not np.isfinite(values).all():
        return best
    for decimals in range(MOST_DECIMALS + 1):
        if not _is_decimal(values[:SAMPLE], decimals) or not _is_decimal(values, decimals):
            continue
        scaled = _scaled(values, decimals)
        low, high = int(scaled.min()), int(scaled.max())
        column = Column("decimal", low, (high - low).bit_length(), decimals)
        return min(best, column, key=lambda c: c.bits)
    return best


def _scaled(values: NDArray[Any], decimals: int) -> NDArray[np.float64]:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.rint(values.astype(np.float64) * 10.0**decimals))


def _is_decimal(values: NDArray[Any], decimals: int) -> bool:
    scaled = _scaled(values, decimals)
    if not (np.abs(scaled) < 2.0**53).all():
        return False
    integers = scaled.astype(np.int64).astype(np.float64)  # so that -0.0 does not pass
    return _same((integers / 10.0**decimals).astype(values.dtype), values)


def _same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return np.array_equal(a.view(f"u{a.dtype.itemsize}"), b.view(f"u{b.dtype.itemsize}"))


def _ordered(values: NDArray[Any]) -> NDArray[Any]:
    """IEEE bits as unsigned integers in the order of the numbers (NaN at both ends)."""
    bits = values.view(f"u{values.dtype.itemsize}")
    top = bits.dtype.type(1 << (8 * bits.itemsize - 1))
    return np.where(bits & top, ~bits, bits | top)


def _to_integers(values: NDArray[Any], column: Column) -> U64:
    if column.kind == "float":
        wide = _ordered(values).astype(np.uint64)
    elif column.kind == "decimal":
        wide = _scaled(values, column.decimals).astype(np.int64).view(np.uint64)
    elif values.dtype.kind == "u" or values.dtype.kind == "b":
        wide = values.astype(np.uint64)
    else:
        wide = values.astype(np.int64).view(np.uint64)
    return wide - np.uint64(column.low % 2**64)  # modulo 2**64, as the minimum may be negative


def _to_values(integers: U64, column: Column, dtype: np.dtype[Any]) -> NDArray[Any]:
    wide = integers + np.uint64(column.low % 2**64)
    if column.kind == "float":
        bits = wide.astype(f"u{dtype.itemsize}")
        top = bits.dtype.type(1 << (8 * dtype.itemsize - 1))
        return np.where(bits & top, bits ^ top, ~bits).view(dtype)
    if column.kind == "decimal":
        number = wide.view(np.int64).astype(np.float64) / 10.0**column.decimals
        with np.errstate(over="ignore"):
            return number.astype(dtype)
    return wide.view(np.int64).astype(dtype) if dtype.kind == "i" else wide.astype(dtype)
