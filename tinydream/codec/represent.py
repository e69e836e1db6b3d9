"""EntroGeDe: few weighted representatives, and a model of what they leave out."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinydream.codec.condense import condense
from tinydream.codec.deviation import SPREADS
from tinydream.codec.dream import dream
from tinydream.codec.project import KINDS
from tinydream.codec.quantise import dequantise, unpack_rows
from tinydream.codec.scale import apply_inputs
from tinydream.codec.weights import repeats
from tinydream.data import TASKS, check_rows, check_table
from tinydream.errors import DataError, InputError
from tinydream.inputs import Inputs, Outputs, f8_decode
from tinydream.rows import Rows
from tinydream.store import Store, make_store

__all__ = ["EntroGeDe", "Representatives"]

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Representatives:
    """Rows that stand for many, as a device holds them.

    classes: (k,) the labels as they were given; y counts in them. Empty for regression, where
    `outputs` tells how y becomes raw units. Everything else is read from `inputs` and `rows`,
    which go into the plan as they are.
    """

    inputs: Inputs
    rows: Rows
    classes: NDArray[Any]
    outputs: Outputs = Outputs()

    @cached_property
    def _unpacked(self) -> tuple[F32, I32]:
        q, labels = unpack_rows(self.rows)
        rows = self.rows
        return dequantise(q, rows.low, rows.step, rows.width), labels

    @property
    def _inputs(self) -> int:
        return self.rows.columns - self.rows.targets

    @property
    def X(self) -> F32:
        """(m, r) float32, in network inputs: what the device computes, without deviations."""
        return self._unpacked[0][:, : self._inputs]

    @property
    def y(self) -> I32 | F32:
        """(m,) int32, indices into `classes`; for regression (m, t) float32, as outputs."""
        values, labels = self._unpacked
        return values[:, self._inputs :] if self.rows.targets else labels

    @cached_property
    def weight(self) -> NDArray[np.int64]:
        """(m,) how many rows each stands for."""
        weight, count = np.array(self.rows.levels, np.int64).T
        return np.repeat(weight, count)

    @property
    def sigma(self) -> F32:
        """(r,) spread of the deviations, in network inputs; zeros when none are drawn."""
        return self._sigma[: self._inputs]

    @property
    def target_sigma(self) -> F32:
        """(t,) spread of the targets' deviations, as outputs; empty for classification."""
        return self._sigma[self._inputs :]

    @cached_property
    def _sigma(self) -> F32:
        sigma = f8_decode(self.rows.sigma)
        return sigma if len(sigma) else np.zeros(self.rows.columns, np.float32)

    @property
    def projection(self) -> F32 | None:
        """(d, r) float32 that takes scaled inputs to those of the network, if any does."""
        given = self.inputs.projection
        return None if given is None else given.matrix

    @property
    def nbytes(self) -> int:
        """Bytes on the device: rows, labels, weights, grids, deviations, scales."""
        units = {**self.inputs.tables(), **self.outputs.tables()}
        return sum(map(len, units.values())) + self.rows.nbytes

    def sample(self, n: int, seed: int = 0, *, first_pass: int = 0) -> tuple[F32, I32 | F32]:
        """The first n rows of the stream that a device would draw: (n, r), and as y.

        first_pass: from this pass on. Raises InputError unless n is above 0 and seed and first_pass
        fit 32 bits.
        """
        if n < 1:
            raise InputError(f"n is {n}; one row or more can be drawn")
        _check_whole("seed", seed, 0, 2**32 - 1)
        _check_whole("first_pass", first_pass, 0, 2**32 - 1)
        return dream(self.rows, n, seed, first_pass)[:2]


CHOICES = {
    "projection": ("auto", "none", *KINDS),
    "spread": ("auto", *SPREADS),
    "domain": ("auto", "inputs", "haar"),
    "tree": ("adaptive", "global"),
    "task": ("auto", *TASKS),
}


@dataclass(kw_only=True, eq=False)
class EntroGeDe:
    """Condenses a table and its target into representatives that fit a byte budget.

    budget_bytes: of everything the device holds for the data. representatives: their number,
    instead of a budget. bits: a column, 1..16, or "auto". lloyd: passes that move rows to the
    nearest mean of their class after the tree. deviation: whether a spread is stored, so that
    training rows are dreamt around their representative. task: "classification", "regression",
    or "auto": regression for numbers with fractions and for two-dimensional floats. one_hot:
    columns of X whose codes 0..k-1 become k inputs each.

    projection: of the inputs to few columns: "none", "pca", "lda", "trained" with a small network
    behind it, or "auto": whichever serves rows held out from the training rows best, none unless
    one does. components: columns of the projection; by default chosen likewise. noise: share of
    the measured spread that is drawn; "auto" tries 0.6, 1 and 1.5. spread: deviations of all rows
    alike ("none"), with a factor a "class" or a "row", or "auto". rank: factors that correlate the
    deviations of columns, or "auto": 4 or none, without a projection. shape: of the inputs, for
    signals (times, channels) and images (height, width[, colours]): all columns are kept, and
    deviations may be drawn as coefficients of a Haar transform. domain: of deviations, "inputs",
    "haar" (then nothing is projected), or "auto", which tries both where there is a shape. tree:
    "adaptive", or "global", one mask of bits for all rows, as in the paper (a reconstruction).
    soft: bits of each class's share in a row's target, as a teacher trained on all rows tells it;
    0 for labels. random_state: of what is drawn: the rows held out, the first weights of networks
    that judge or project, the part of a large table. `trials_` tells what was tried, and how it
    scored.

    A scikit-learn estimator and transformer. After fit: representatives_ (Representatives),
    classes_ (k,; empty for regression), trials_ (what was tried on held-out rows), chosen_ (the
    place in trials_ of what was followed, or None), n_features_in_, feature_names_in_ (for data
    frames with text as names).

    Of more than 131,072 rows (or 32 for each representative that fits at 4 bits a column, if that
    is more) a random part is condensed, of each class its share; it stands for all.

    Base bits: EntroGeDe, arXiv 2506.22190; leaves that choose their own bit, budgets and
    deviations are ours (DESIGN.md).
    """

    budget_bytes: int = 4096
    representatives: int | None = None
    bits: int | str = "auto"
    lloyd: int = 3
    deviation: bool = True
    task: str = "auto"
    one_hot: Sequence[int] = ()
    projection: str = "auto"
    components: int | None = None
    noise: float | str = "auto"
    spread: str = "auto"
    rank: int | str = "auto"
    shape: tuple[int, ...] | None = None
    domain: str = "auto"
    tree: str = "adaptive"
    soft: int = 0
    random_state: int = 0

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> "EntroGeDe":
        """Learn from rows X (n, d), numbers or NaN, and y: labels (n,) of any kind, numbers (n,)
        or (n, t) for regression, or None: rows without a target.

        groups: (n,) persons, days or machines, of which whole ones are held out wherever
        something is chosen on held-out rows. sample_weight: (n,), how many rows each one is;
        whole numbers are taken exactly, others to a part in four rows.

        Raises DataError for a table that cannot be learned from, BudgetError when not even one
        row a class fits, InputError for a parameter out of range.
        """
        self._check_parameters()
        _remember_names(self, X)
        if y is None:
            rows = check_rows(X)
            self.classes_ = np.empty(0, np.int64)
            target: NDArray[Any] = np.zeros(len(rows), np.int32)
        else:
            rows, self.classes_, target = check_table(X, y, task=self.task)
        self.n_features_in_ = rows.shape[1]
        classes = 1 if y is None else len(self.classes_)
        names = _groups(groups, len(rows))
        if sample_weight is not None:
            times = repeats(sample_weight, len(rows))
            rows, target = rows[times], target[times]
            names = None if names is None else names[times]
        made = condense(rows, target, classes, self, names)
        self.representatives_ = Representatives(made.inputs, made.rows, self.classes_, made.outputs)
        self.trials_, self.chosen_ = made.trials, made.chosen
        return self

    def transform(self, X: ArrayLike) -> F32:
        """Rows (n, d) as network inputs (n, r) float32; columns constant in training are gone.

        Raises DataError before fit, and for rows of another shape.
        """
        if not hasattr(self, "representatives_"):
            raise DataError("this EntroGeDe is not fitted yet; call fit(X, y) first")
        rows = check_rows(X)
        if rows.shape[1] != self.n_features_in_:
            raise DataError(
                f"X has {rows.shape[1]} features, but EntroGeDe is expecting"
                f" {self.n_features_in_} features as input"
            )
        return apply_inputs(self.representatives_.inputs, rows)

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

    @staticmethod
    def encode(X: ArrayLike, y: ArrayLike) -> Store:
        """The lossless store of rows (n, ...) and targets (n, ...): any row by its index.

        It needs no fit. Raises DataError when these are not as long as each other, or are neither
        numbers nor text.
        """
        return make_store({"X": X, "y": y})

    @staticmethod
    def decode(store: Store) -> tuple[NDArray[Any], ...]:
        """X and y as they were given to `encode`, byte for byte; raises DataError for damage."""
        return store.arrays()

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            input_tags=InputTags(allow_nan=True),
            transformer_tags=TransformerTags(preserves_dtype=[]),
        )

    def _check_parameters(self) -> None:
        _check_whole("budget_bytes", self.budget_bytes, 1, 2**31)
        _check_whole("lloyd", self.lloyd, 0, 1000)
        if self.representatives is not None:
            _check_whole("representatives", self.representatives, 1, 2**31)
        if self.bits != "auto":
            _check_whole("bits", self.bits, 1, 16, " or 'auto'")
        for name, known in CHOICES.items():
            _check_word(name, getattr(self, name), known)
        if self.components is not None:
            _check_whole("components", self.components, 1, 65535)
        if self.rank != "auto":
            _check_whole("rank", self.rank, 0, 32, " or 'auto'")
        _check_whole("soft", self.soft, 0, 8)
        _check_whole("random_state", self.random_state, 0, 2**31 - 1)
        number = isinstance(self.noise, int | float) and not isinstance(self.noise, bool)
        if self.noise != "auto" and not (number and 0 < float(self.noise) <= 100):
            raise InputError(f"noise is {self.noise!r}; it is above 0, at most 100, or 'auto'")
        if self.shape is not None:
            if not 1 <= len(tuple(self.shape)) <= 3:
                raise InputError(f"shape is {self.shape!r}; it has one, two or three lengths")
            for length in self.shape:
                _check_whole("a length of shape", length, 1, 65535)


def _check_word(name: str, value: Any, words: Sequence[str]) -> None:
    if value not in words:
        *some, last = map(repr, words)
        raise InputError(f"{name} is {value!r}; it is {', '.join(some)} or {last}")


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


def _groups(groups: ArrayLike | None, n: int) -> NDArray[Any] | None:
    if groups is None:
        return None
    names = np.asarray(groups)
    if names.shape != (n,):
        raise InputError(f"groups has shape {names.shape}; one name a row is needed, shape ({n},)")
    return names
