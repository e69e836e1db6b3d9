"""EntroGeDe: few weighted representatives, and a model of what they leave out."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinydream import _core
from tinydream.codec.layout import Budget, Layout, Space, choose_layout, fit_tables
from tinydream.codec.quantise import dequantise, f8_encode, fit_levels, pack_rows, unpack_rows
from tinydream.codec.tree import Tree, lloyd
from tinydream.data import check_rows, check_table
from tinydream.errors import BudgetError, DataError, InputError
from tinydream.rows import Inputs, Outputs, Rows, f8_decode

__all__ = ["EntroGeDe", "Representatives"]

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]

# Deviations are drawn with this share of the spread within leaves. On validation rows carved
# out of training rows, 0.7, 1 and 1.3 gave digits .967 .974 .975, letter .883 .883 .873,
# optdigits .970 .974 .978 and geotec_har_watch .934 .931 .953 (8 KiB; digits without: .953).
# Neither side wins everywhere: the measured spread it is.
NOISE = 1.0


@dataclass(frozen=True, eq=False)
class Representatives:
    """Rows that stand for many, as a device holds them.

    classes: (k,) the labels as they were given; y counts in them. Everything else is read from
    `inputs` and `rows`, which go into the plan as they are.
    """

    inputs: Inputs
    rows: Rows
    classes: NDArray[Any]
    outputs: Outputs = Outputs()

    @cached_property
    def _unpacked(self) -> tuple[NDArray[np.uint16], I32]:
        return unpack_rows(self.rows)

    @cached_property
    def X(self) -> F32:
        """(m, r) float32, in network inputs: what the device computes, without deviations."""
        rows = self.rows
        return dequantise(self._unpacked[0], rows.low, rows.step, rows.width)

    @property
    def y(self) -> I32:
        """(m,) int32, indices into `classes`."""
        return self._unpacked[1]

    @cached_property
    def weight(self) -> NDArray[np.int64]:
        """(m,) how many rows each stands for."""
        weight, count = np.array(self.rows.levels, np.int64).T
        return np.repeat(weight, count)

    @cached_property
    def sigma(self) -> F32:
        """(r,) spread of the deviations, in network inputs; zeros when none are drawn."""
        sigma = f8_decode(self.rows.sigma)
        return sigma if len(sigma) else np.zeros(self.rows.columns, np.float32)

    @property
    def projection(self) -> None:
        """Rows are not projected by this version."""
        return None

    @property
    def nbytes(self) -> int:
        """Bytes on the device: rows, labels, weights, grids, deviations, inputs' scales."""
        kept = 0 if self.inputs.kept.all() else (self.inputs.raw_columns + 7) // 8
        return kept + 5 * len(self.inputs.shift) + self.rows.nbytes

    def sample(self, n: int, seed: int = 0) -> tuple[F32, I32]:
        """The first n rows (n, r) and classes (n,) of the stream that a device would draw."""
        if n < 1:
            raise InputError(f"n is {n}; one row or more can be drawn")
        _check_whole("seed", seed, 0, 2**32 - 1)
        x, y = _core.rows_draw(self.rows.to_bytes(), seed, 0, n)
        return np.frombuffer(x, np.float32).reshape(n, -1), np.frombuffer(y, np.int32)


@dataclass(kw_only=True, eq=False)
class EntroGeDe:
    """Condenses a labelled table into representatives that fit a byte budget.

    budget_bytes: of everything the device holds for the data. representatives: their number,
    instead of a budget. bits: a column, 1..16, or "auto". lloyd: passes that move rows to the
    nearest mean of their class after the tree. deviation: whether a spread is stored, so that
    training rows are dreamt around their representative.

    A scikit-learn estimator and transformer. After fit: representatives_ (Representatives),
    classes_ (k,), n_features_in_, feature_names_in_ (for data frames with text as names).

    Base bits: EntroGeDe, arXiv 2506.22190; leaves that choose their own bit, budgets and
    deviations are ours (DESIGN.md).
    """

    budget_bytes: int = 4096
    representatives: int | None = None
    bits: int | str = "auto"
    lloyd: int = 3
    deviation: bool = True

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> "EntroGeDe":
        """Learn from rows X (n, d), numbers without NaN, and labels y (n,) of any kind.

        Raises DataError for a table that cannot be learned from, BudgetError when not even one
        row a class fits, InputError for a parameter out of range.
        """
        self._check_parameters()
        _remember_names(self, X)
        rows, self.classes_, labels = check_table(X, y)
        self.n_features_in_ = rows.shape[1]
        self.representatives_ = _condense(rows, labels, self.classes_, self)
        return self

    def transform(self, X: ArrayLike) -> F32:
        """Rows (n, d) as network inputs (n, r) float32; columns constant in training are gone."""
        if not hasattr(self, "representatives_"):
            raise DataError("this EntroGeDe is not fitted yet; call fit(X, y) first")
        rows = check_rows(X)
        if rows.shape[1] != self.n_features_in_:
            raise DataError(
                f"X has {rows.shape[1]} features, but EntroGeDe is expecting"
                f" {self.n_features_in_} features as input"
            )
        return self.representatives_.inputs.apply(rows)

    def fit_transform(self, X: ArrayLike, y: ArrayLike | None = None) -> F32:
        """fit, then transform of the same rows."""
        return self.fit(X, y).transform(X)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def set_params(self, **params: Any) -> "EntroGeDe":
        """Set parameters by name; raises InputError for an unknown one."""
        for name, value in params.items():
            if name not in self.get_params():
                known = ", ".join(self.get_params())
                raise InputError(f"EntroGeDe has no parameter {name!r}; it has {known}")
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=True),
            transformer_tags=TransformerTags(preserves_dtype=[]),
        )

    def _check_parameters(self) -> None:
        _check_whole("budget_bytes", self.budget_bytes, 1, 2**31)
        _check_whole("lloyd", self.lloyd, 0, 1000)
        if self.representatives is not None:
            _check_whole("representatives", self.representatives, 1, 2**31)
        if self.bits != "auto":
            _check_whole("bits", self.bits, 1, 16, " or 'auto'")


def _check_whole(name: str, value: Any, low: int, high: int, other: str = "") -> None:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not low <= value <= high:
        raise InputError(f"{name} is {value!r}; it must be a whole number in {low}..{high}{other}")


def _remember_names(codec: Any, X: Any) -> None:
    names = list(getattr(X, "columns", ()))
    if names and all(isinstance(name, str) for name in names):
        codec.feature_names_in_ = np.array(names, object)
    elif hasattr(codec, "feature_names_in_"):
        del codec.feature_names_in_


def _condense(X: NDArray[Any], y: I32, classes: NDArray[Any], codec: EntroGeDe) -> Representatives:
    fixed, total = codec.representatives, codec.budget_bytes
    if fixed is not None and fixed < len(classes):
        raise BudgetError(
            f"{fixed} representatives cannot stand for {len(classes)} classes; ask for"
            f" {len(classes)} or more"
        )
    space = Space.of(X, y, len(classes), total if fixed is None else None)
    budget = Budget(space.inputs, space.label_bits, codec.deviation, total, fixed)
    layout, tree = choose_layout(space, X, budget, codec.bits)
    made = _represent(space, tree, layout, codec, classes)
    while fixed is None:  # levels of weight that were not needed leave bytes for rows
        spare = 8 * (total - made.nbytes) // made.rows.row_bits
        layout = replace(layout, rows=min(layout.rows + spare, tree.leaves))
        if layout.rows == made.rows.count:
            break
        fuller = _represent(space, tree, layout, codec, classes)
        if fuller.nbytes > total:
            break
        made = fuller
    return made


def _represent(
    space: Space, tree: Tree, layout: Layout, codec: EntroGeDe, classes: NDArray[Any]
) -> Representatives:
    leaf = lloyd(space.Z, space.y, tree.cut(layout.rows), layout.rows, codec.lloyd)
    mean, count, within = space.spread(leaf, layout.rows)
    label = np.zeros(layout.rows, np.int32)
    label[leaf] = space.y
    weight, level = fit_levels(count, layout.levels)
    order = np.argsort(level, kind="stable")
    grid = fit_tables(mean, count, layout.width)
    q = grid.store(mean)[order]
    sigma = f8_encode(NOISE * np.sqrt(within)) if codec.deviation else np.empty(0, np.uint8)
    levels = tuple(zip(weight.tolist(), np.bincount(level).tolist(), strict=True))
    rows = Rows(
        columns=space.inputs.columns,
        label_bits=space.label_bits,
        width=grid.width,
        low=grid.low,
        step=grid.step,
        sigma=sigma,
        levels=levels,
        bits=pack_rows(q, label[order], grid.width, space.label_bits),
    )
    return Representatives(space.inputs, rows, classes)
