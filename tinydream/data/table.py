"""A table and its targets, read from a file, with rows held out of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.data.arrays import read_folder, read_npz
from tinydream.data.check import blocks, check_rows
from tinydream.data.columns import Column, choose_codings, drop_unseen, notes_on
from tinydream.data.frame import read_frame
from tinydream.data.pictures import is_idx, is_pictures, read_idx, read_pictures
from tinydream.data.source import Source
from tinydream.data.target import check_classes, check_numbers, choose_task
from tinydream.errors import DataError

__all__ = ["Data", "choose_groups", "load_data", "split"]

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".npz")


@dataclass(frozen=True, eq=False)
class Data:
    """A table for classification or regression, with rows held out of it.

    X: (n, d) in the narrowest common dtype that is exact; NaN is missing. y: (n,) int32,
    indices into `classes`, which are sorted (numbers as numbers); or for regression (n, t)
    float64, a column for each of `targets`, and no classes. columns: what each column of X is.
    X_test, y_test: held-out rows. row, row_test: where each row lay in the file (training rows
    first, where it has test rows of its own). share: of rows held out. categories: how they were
    asked to be coded. notes: what was decided for the user, a sentence each. groups, groups_test:
    whose row each is, as numbers of groups, and `group` the column that told; or None. extractor:
    what made X of the file's columns: path, blake2b, and these columns; or None.
    """

    X: NDArray[Any]
    y: NDArray[Any]
    X_test: NDArray[Any]
    y_test: NDArray[Any]
    columns: tuple[Column, ...]
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    path: Path
    row: NDArray[np.int32]
    row_test: NDArray[np.int32]
    share: float
    categories: str = "auto"
    notes: tuple[str, ...] = ()
    groups: NDArray[np.int32] | None = None
    groups_test: NDArray[np.int32] | None = None
    group: str | None = None
    extractor: Mapping[str, Any] | None = None

    @property
    def task(self) -> str:
        """ "classification" or "regression"."""
        return "classification" if self.classes else "regression"

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the columns of X."""
        return tuple(column.name for column in self.columns)

    @property
    def target(self) -> str:
        """The names of the targets, with commas between them."""
        return ",".join(self.targets)

    @property
    def one_hot(self) -> tuple[int, ...]:
        """Which columns of X become an input for each category."""
        return tuple(j for j, column in enumerate(self.columns) if column.coding == "one-hot")


def load_data(
    path: str | Path,
    *,
    target: str | None = None,
    test: float = 0.2,
    seed: int = 0,
    task: str | None = None,
    categories: str = "auto",
    groups: str | None = None,
) -> Data:
    """Read a table from .csv, .csv.gz, .parquet, .npz or a folder of .npy.

    CSV and Parquet: `target` names the column to predict, by default the last one, or several
    with commas between them. NPZ and folders: arrays x, y, or x_train, y_train, x_test, y_test;
    x of more than two dimensions is flattened to (n, d); `target` names what stands for y.
    Pictures: IDX files (MNIST's, a file of pictures or the folder with it), or a folder with a
    folder of pictures of one size for each class, which Pillow reads (`tinydream[images]`).

    task: "classification" or "regression"; by default text and booleans are classes, numbers
    with fractions and several targets are regression, and whole numbers are classes when there
    are at most 50 different ones and two rows or more for each. categories: text columns become
    "codes", "one-hot", or ("auto") one-hot for 3 to 5 categories and codes otherwise. Empty
    cells and NaN are missing values; NA, N/A, null and ? are too, between numbers.

    Without test rows in the file, the share `test` is held out: of each class its rows are
    permuted by np.random.default_rng(seed), class after class, and the first ones held out; for
    regression all rows are permuted together.

    groups: a column that names groups of rows, such as a person, a day or a machine (of an NPZ
    or a folder, an array (n,)). It is no feature. Whole groups are held out, in an order that
    the seed tells, until they have the share `test` of rows or more would take them further
    from it; a group without which a class would have no training row stays.

    Raises DataError, one sentence that names the file, the column and the next step.
    """
    path = Path(path)
    if not 0 < test < 1:
        raise DataError(f"test is {test}; the share of held-out rows lies between 0 and 1")
    _check_seed(seed)
    source = _reader(path)(path, target, groups)
    columns = choose_codings(source.columns, categories)
    if len(source.targets[0]) < 2:
        raise DataError(f"{path.name} has only 1 row; two or more are needed, one of them to test")
    chosen, why = choose_task(source.values, source.names, task)
    names, y = _targets(source, chosen)
    for part in source.parts:
        check_rows(part, [column.name for column in columns])
    data = _held_out(path, source, columns, names, y, test, seed, groups)
    X_test, columns, unseen = drop_unseen(data.X, data.X_test, columns, source.recode)
    notes = (*source.notes, *why, *notes_on(data.X, columns), *unseen)
    return replace(data, X_test=X_test, columns=columns, categories=categories, notes=notes)


def split(data: Data, seed: int) -> Data:
    """The same rows, in file order, with other ones held out: `load_data` with another seed.

    Each class gives the rounded share of its rows, but at least one and not all; for regression
    all rows together do. Notes, and categories that count as missing, stay as they are.
    Raises DataError when a class has a single row, or seed is below 0.
    """
    _check_seed(seed)
    X, y = np.concatenate([data.X, data.X_test]), np.concatenate([data.y, data.y_test])
    order = np.argsort(np.concatenate([data.row, data.row_test]))
    groups = None
    if data.groups is not None and data.groups_test is not None:
        groups = np.concatenate([data.groups, data.groups_test])[order]
    return _split(replace(data, X=X[order], y=y[order], groups=groups), seed)


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise DataError(f"seed is {seed}; it must be a whole number from 0")


def _split(data: Data, seed: int) -> Data:
    """Hold out rows of data.X and data.y, which are all of them; data.X is used up."""
    held = _choose_held(data, seed)
    X_test = data.X[held]
    row, row_test, groups = _places(~held), _places(held), data.groups
    X = _without(data.X, held)
    apart = replace(
        data, X=X, y=data.y[~held], X_test=X_test, y_test=data.y[held], row=row, row_test=row_test
    )
    return (
        apart if groups is None else replace(apart, groups=groups[~held], groups_test=groups[held])
    )


def _without(X: NDArray[Any], held: NDArray[np.bool_]) -> NDArray[Any]:
    """The rows of X that are not held out, moved to its beginning: no copy of a large table."""
    n = 0
    for start, rows in blocks(X):
        left = rows[~held[start : start + len(rows)]]
        X[n : n + len(left)] = left
        n += len(left)
    return X[:n]


def _places(which: NDArray[np.bool_]) -> NDArray[np.int32]:
    return np.arange(len(which), dtype=np.int32)[which]


def _choose_held(data: Data, seed: int) -> NDArray[np.bool_]:
    generator, held = np.random.default_rng(seed), np.zeros(len(data.y), bool)
    if data.groups is not None:
        return choose_groups(data, generator)
    if data.task == "regression":
        kinds: Iterable[NDArray[np.bool_]] = [np.ones(len(data.y), bool)]
    else:
        count = np.bincount(data.y, minlength=len(data.classes))
        if count.min() < 2:
            name = data.classes[int(count.argmin())]
            raise DataError(
                f"class {name!r} of {data.target!r} has only {count.min()} row, and one must be"
                " held out for testing; add rows or remove the class"
            )
        kinds = (data.y == k for k in range(len(count)))
    for kind in kinds:
        rows = _places(kind)
        take = min(max(round(data.share * len(rows)), 1), len(rows) - 1)
        held[generator.permutation(rows)[:take]] = True
    return held


def choose_groups(data: Data, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Which training rows to hold out, (n,): whole groups, near the share of rows.

    Raises DataError when none can be held out.
    """
    groups = data.groups
    assert groups is not None
    held, want = np.zeros(len(groups), bool), data.share * len(groups)
    sizes = np.bincount(groups)
    for k in generator.permutation(len(sizes)).tolist():
        if abs(held.sum() + sizes[k] - want) >= abs(held.sum() - want) and held.any():
            continue
        taken = held | (groups == k)
        left = data.y[~taken]
        if len(left) and (not data.classes or len(np.unique(left)) == len(data.classes)):
            held = taken
    if not held.any():
        raise DataError(
            f"{data.group!r} tells {len(sizes)} groups, and none can be held out that leaves every"
            " class rows to train on; name another column of groups"
        )
    return held


def _reader(path: Path) -> Any:
    name = path.name.lower()
    if path.exists() and is_idx(path):
        return read_idx
    if path.is_dir():
        if any(path.glob("*.npy")):
            return read_folder
        if is_pictures(path):
            return read_pictures
        raise DataError(f"{path} is a directory without .npy files; name a file in it")
    if not name.endswith(SUFFIXES):
        raise DataError(
            f"{path.name} is of an unknown kind; {', '.join(SUFFIXES)} and folders of .npy can be"
            " read"
        )
    if not path.is_file():
        raise DataError(f"{path} does not exist; check the spelling and the folder")
    return read_npz if name.endswith(".npz") else read_frame


def _targets(source: Source, task: str) -> tuple[tuple[str, ...], NDArray[Any]]:
    """The classes' names (none for regression), and y as in `Data`, of all rows."""
    if task == "regression":
        return (), check_numbers(source.values, source.names)
    classes, y = check_classes(source.targets[0], source.names[0], *source.texts[:1])
    n = len(y) - source.test
    if len(unseen := np.setdiff1d(y[n:], y[:n])):
        raise DataError(
            f"label {str(classes[unseen[0]])!r} of {source.names[0]!r} occurs in test rows and not"
            " in training rows; remove these test rows, or add training rows"
        )
    whole = classes.dtype.kind in "iu" and classes[0] >= 0
    if whole and classes[-1] < len(source.class_names):
        return tuple(source.class_names[int(c)] for c in classes), y
    return tuple(map(str, classes.tolist())), y


def _held_out(
    path: Path,
    source: Source,
    columns: tuple[Column, ...],
    classes: tuple[str, ...],
    y: NDArray[Any],
    test: float,
    seed: int,
    group: str | None,
) -> Data:
    n = len(y) - source.test
    row = np.arange(len(y) if source.test else 0, dtype=np.int32)
    share = source.test / len(y) or test
    given = source.groups
    groups = (None, None) if given is None else (given[:n], given[n:])
    data = Data(
        source.parts[0], y[:n], source.parts[-1], y[n:], columns, classes, source.names,
        path, row[:n], row[n:], share, groups=groups[0], groups_test=groups[1],
        group=group,
    )  # fmt: skip
    return data if source.test else _split(data, seed)
