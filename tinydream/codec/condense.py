"""From a table to representatives: scales, projection, layout, rows."""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinydream.codec.choose import FEW, MOST_COLUMNS, Candidate, Choice, Trial, candidates, choose
from tinydream.codec.deviation import NONE, Model, fit_deviations, haar_axes
from tinydream.codec.layout import Budget, Layout, Space, choose_layout, fit_tables
from tinydream.codec.project import KINDS, Directions
from tinydream.codec.quantise import fit_levels, pack_rows
from tinydream.codec.scale import apply_inputs, exact_units, fit_inputs, fit_outputs
from tinydream.codec.soft import soften
from tinydream.codec.threads import one_blas_thread
from tinydream.codec.tree import Tree
from tinydream.errors import BudgetError, InputError
from tinydream.inputs import Inputs, Outputs, Projection
from tinydream.rows import Rows

__all__ = ["Condensed", "Options", "condense"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

# Of a larger table a random part is condensed: so many rows or numbers, but at least so many rows
# for each representative that fits at the usual bits a column.
MOST_ROWS, MOST_NUMBERS, ROWS_EACH, USUAL_BITS = 1 << 17, 1 << 23, 32, 4

NOISES = (0.6, 1.5)  # tried beside the measured spread
# On held-out rows a spread by row helped classes (letter, wisdm_features) and not numbers
# (california_housing): it is tried for classes. Four factors helped without a projection; with
# one, axes are principal already. (`scripts/bench options` measures both.)
RANK = 4


class Options(Protocol):
    """What EntroGeDe says; the meaning stands there."""

    budget_bytes: int
    representatives: int | None
    bits: int | str
    lloyd: int
    deviation: bool
    one_hot: Any
    projection: str
    components: int | None
    noise: float | str
    spread: str
    rank: int | str
    shape: tuple[int, ...] | None
    domain: str
    tree: str
    soft: int
    random_state: int


@dataclass(frozen=True, eq=False)
class Condensed:
    """What a table has become.

    trials: of the projections and models that were tried, none if none were. chosen: the place
    in them of what was followed, or None.
    """

    inputs: Inputs
    outputs: Outputs
    rows: Rows
    trials: tuple[Trial, ...]
    chosen: int | None


def condense(
    X: NDArray[Any],
    y: NDArray[Any],
    classes: int,
    options: Options,
    groups: NDArray[Any] | None = None,
) -> Condensed:
    """Representatives of rows X (n, d) and y: labels (n,), or targets (n, t) if classes is 0.

    groups: (n,), of which whole ones are held out to choose a projection. Raises BudgetError
    when not even one row a class fits, InputError for options that do not suit the table.
    """
    _check(options, X.shape[1], classes)
    some = _some(len(X), X.shape[1], y, classes, options)
    all_X, all_y = X, y
    X, y = X[some], y[some]
    groups = None if groups is None else groups[some]
    total = options.budget_bytes if options.representatives is None else None
    outputs = Outputs() if classes else fit_outputs(all_y)
    inputs = fit_inputs(X, total, options.one_hot, options.shape is not None)
    _check_wide(options, inputs.columns)
    job = _Job(options, classes, outputs, sum(map(len, _tables(inputs, outputs).values())))
    U = apply_inputs(inputs, X)  # not projected yet
    with one_blas_thread():
        choice = job.choose(U, job.truth(y), groups)
        if choice.projection is None:
            space = job.space(U, job.truth(y), exact_units(X, inputs))
        else:  # of fewer columns, more rows may be looked at
            inputs = replace(inputs, projection=choice.projection)
            some = _some(len(all_X), inputs.outputs, all_y, classes, options)
            space = job.space(apply_inputs(inputs, all_X[some]), job.truth(all_y[some]))
        rows = job.rows(space, choice.projection, choice.model)
    return Condensed(inputs, outputs, rows, choice.trials, choice.place)


def _some(
    n: int, columns: int, y: NDArray[Any], classes: int, options: Options
) -> NDArray[np.int64] | slice:
    """Which of n rows of so many columns are condensed, all or a sorted random part."""
    fixed = options.representatives
    fit = 8 * options.budget_bytes // (USUAL_BITS * columns) if fixed is None else fixed
    most = max(min(MOST_ROWS, MOST_NUMBERS // columns), ROWS_EACH * fit)
    if n <= most:
        return slice(None)
    return _share(y if classes else np.zeros(n, np.int32), most, options.random_state)


def _check(options: Options, columns: int, classes: int) -> None:
    """Options that do not suit rows of so many columns and classes (0: numbers, 1: no target)."""
    fixed, shape = options.representatives, options.shape
    if fixed is not None and fixed < classes:
        raise BudgetError(
            f"{fixed} representatives cannot stand for {classes} classes; ask for {classes} or more"
        )
    if shape is not None and (size := int(np.prod(shape))) != columns:
        raise InputError(f"shape {tuple(shape)} is of {size} numbers and a row has {columns}")
    if shape is not None and len(options.one_hot):
        raise InputError("shape is of columns as they are; leave out one_hot, or shape")
    if options.domain == "haar" and (shape is None or options.projection in KINDS):
        lack = "a shape" if shape is None else "inputs that no projection has mixed"
        raise InputError(f"domain is 'haar', which needs {lack}")
    if classes < 2 and (options.spread == "class" or options.soft):
        name, value = ("spread", "'class'") if options.spread == "class" else ("soft", options.soft)
        raise InputError(f"{name} is {value}, but there are no classes; leave it out")
    if classes == 1 and options.projection in ("lda", "trained"):
        raise InputError(
            f"projection is {options.projection!r}, which needs a target; take 'pca' or 'none'"
        )


def _check_wide(options: Options, columns: int) -> None:
    """Options that do not suit so many scaled inputs."""
    if options.components is not None and options.components > columns:
        raise InputError(f"components is {options.components}, but there are only {columns} inputs")
    if columns > MOST_COLUMNS and (options.projection in KINDS or options.rank not in ("auto", 0)):
        raise InputError(
            f"{columns} inputs are too many for a projection or factors; at most"
            f" {MOST_COLUMNS} can have them: remove some, or set projection='none' and rank=0"
        )


def _tables(inputs: Inputs, outputs: Outputs) -> dict[str, bytes]:
    return {**inputs.tables(), **outputs.tables()}


def _share(labels: I32, most: int, seed: int) -> NDArray[np.int64]:
    """About `most` rows, sorted: of each class its share at random, but at least one."""
    generator, n, chosen = np.random.default_rng(seed), len(labels), []
    for k, count in enumerate(np.bincount(labels).tolist()):
        take = max(1, count * most // n)
        picked = np.sort(generator.choice(count, take, replace=False))
        chosen.append(np.flatnonzero(labels == k)[picked])
    return np.sort(np.concatenate(chosen))


@dataclass(frozen=True, eq=False)
class _Job:
    """One condensation. head: bytes of input and output tables, a projection aside."""

    options: Options
    classes: int
    outputs: Outputs
    head: int

    def truth(self, y: NDArray[Any]) -> NDArray[Any]:
        """Labels as they are; targets as the network learns them."""
        if self.classes:
            return y
        return np.asarray((y - self.outputs.shift) / self.outputs.scale, np.float32)

    def choose(self, U: F32, y: NDArray[Any], groups: NDArray[Any] | None) -> Choice:
        """The projection of scaled inputs U (n, d), if any, the model, and what was tried."""
        kind, rank, columns = self.options.projection, self.options.components, U.shape[1]
        if self.options.domain == "haar":  # of the inputs as they lie
            kind = "none"
        kinds = () if kind == "none" else KINDS if kind == "auto" else (kind,)
        if kind in KINDS and columns < FEW:  # nobody tries them unasked
            rank = rank or columns
        tried = candidates(columns, self._budget(columns), kinds, rank)[kind in KINDS :]
        models = self._models(columns)
        if self.classes == 1:  # nothing is told apart: nothing can be judged
            return self._unjudged(U, y, tried, models[0])
        if kind == "none" and len(models) == 1 or columns > MOST_COLUMNS:  # too long to judge
            return Choice(None, models[0], None, ())
        seed = self.options.random_state
        made = choose(U, y, self.classes, groups, tried, models, self.space, self.rows, seed)
        if made.candidate is None and kind in KINDS:
            raise BudgetError(
                f"no {kind} projection of {columns} inputs fits in {self.options.budget_bytes}"
                " bytes beside a row a class; raise budget_bytes, or set projection='none'"
            )
        return made

    def _unjudged(self, U: F32, y: NDArray[Any], tried: list[Candidate], model: Model) -> Choice:
        """Without a target: principal directions if they are asked for, else none."""
        if self.options.projection != "pca" or not tried:
            return Choice(None, model, None, ())
        chosen = tried[0]
        projection = Directions(U, y, 1, self.options.random_state).projection(
            "pca", chosen.rank, chosen.bits
        )
        return Choice(chosen, model, projection, ())

    def _models(self, columns: int) -> list[Model]:
        """The models of deviations to try, the usual one first."""
        options = self.options
        if not options.deviation:
            return [NONE]
        many = 2 * RANK <= columns <= MOST_COLUMNS // 4
        axes = () if options.shape is None else haar_axes(options.shape)
        usual = Model(
            1.0 if options.noise == "auto" else float(options.noise),
            "none" if options.spread == "auto" else options.spread,
            RANK * (many and not self.classes) if options.rank == "auto" else int(options.rank),
            axes if options.domain == "haar" else (),
        )
        models = [usual]
        if options.noise == "auto":
            models += [replace(usual, noise=each) for each in NOISES]
        if options.spread == "auto" and self.classes:
            models.append(replace(usual, spread="row"))
        if options.rank == "auto" and many:
            models.append(replace(usual, rank=RANK - usual.rank))
        if axes and options.domain == "auto":
            models.append(replace(usual, axes=axes))
        return models

    def _budget(self, columns: int) -> int:
        """Bytes, also where a number of rows is asked for: those of rows of 4 bits a column."""
        fixed = self.options.representatives
        return self.options.budget_bytes if fixed is None else fixed * columns // 2 + 5 * columns

    def space(self, Z: F32, y: NDArray[Any], exact: F64 | None = None) -> Space:
        """Inputs Z (n, r) and labels or scaled targets, for any number of models."""
        return Space.of(Z, y, self.classes, exact, self.options.tree)

    def rows(self, space: Space, projection: Projection | None, model: Model) -> Rows:
        """Representatives of the rows of a space, that fit beside all tables."""
        options, fixed = self.options, self.options.representatives
        inputs, columns = space.Z.shape[1] - space.targets, space.Z.shape[1]
        head = self.head + (sum(map(len, projection.tables().values())) if projection else 0)
        total, size = options.budget_bytes, model.nbytes(inputs, space.targets, self.classes)
        tail = sum(self._tail(space)) + model.row_bits
        budget = Budget(columns, head, tail, size, total, fixed)
        layout, tree = choose_layout(space, budget, options.bits)
        made = self._pack(space, tree, layout, model)
        while fixed is None:  # levels of weight that were not needed leave bytes for rows
            spare = 8 * (total - head - made.nbytes) // made.row_bits
            layout = replace(layout, rows=min(layout.rows + spare, tree.leaves))
            if layout.rows == made.count:
                break
            fuller = self._pack(space, tree, layout, model)
            if head + fuller.nbytes > total:
                break
            made = fuller
        return made

    def _tail(self, space: Space) -> tuple[int, ...]:
        """Bits of a row's label, or of its share of each class."""
        soft = self.options.soft if self.classes > 1 else 0
        return (soft,) * self.classes if soft else (space.label_bits,)

    def _pack(self, space: Space, tree: Tree, layout: Layout, model: Model) -> Rows:
        leaf = space.leaves(tree, layout.rows, self.options.lloyd)
        mean, count, within = space.spread(leaf, layout.rows)
        fields, codes = fit_deviations(space, leaf, mean, count, within, model, self.classes)
        bits = self._tail(space)
        if len(bits) > 1:
            answer = soften(space.Z, space.label, self.classes, leaf, bits[0])
            fields |= {"soft_bits": bits[0], "classes": self.classes}
        else:
            answer = np.zeros((layout.rows, 1), np.int32)
            answer[leaf, 0] = space.label
            fields |= {"label_bits": bits[0]}
        weight, level = fit_levels(count, layout.levels)
        order = np.argsort(level, kind="stable")
        grid = fit_tables(mean, count, layout.width)
        tail = np.column_stack([answer, codes])[order]
        return Rows(
            columns=space.Z.shape[1],
            targets=space.targets,
            width=grid.width,
            low=grid.low,
            step=grid.step,
            levels=tuple(zip(weight.tolist(), np.bincount(level).tolist(), strict=True)),
            bits=pack_rows(grid.store(mean)[order], tail, grid.width, *bits, model.row_bits),
            **({"label_bits": 0} | fields),
        )
