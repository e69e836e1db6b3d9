"""NPZ, and folders of .npy: arrays by name."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.data.columns import Column
from tinydream.data.source import Source, near, number_groups, target_names
from tinydream.errors import DataError

__all__ = ["read_folder", "read_npz"]

Load = Callable[[str], NDArray[Any]]
TOLD = ("feature_names", "class_names", "is_categorical", "categories_json")


def read_npz(path: Path, target: str | None, group: str | None = None) -> Source:
    """Read arrays of an NPZ file; raises DataError."""
    try:
        with path.open("rb") as source, np.load(source, allow_pickle=False) as file:
            return _read(path.name, file.files, file.__getitem__, target, group)
    except DataError:
        raise
    except Exception as error:  # whatever damage makes zipfile, zlib and NumPy raise
        raise DataError(f"{path.name} cannot be read ({error}); save it with np.savez") from None


def read_folder(path: Path, target: str | None, group: str | None = None) -> Source:
    """Read arrays of a folder, each in a .npy file of its name; raises DataError."""

    def load(name: str) -> NDArray[Any]:
        try:
            return np.asarray(np.load(path / f"{name}.npy", allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{name}.npy cannot be read ({error}); save it with np.save") from None

    names = sorted(file.stem for file in path.glob("*.npy"))
    return _read(path.resolve().name, names, load, target, group)


def _read(
    file: str, names: Sequence[str], load: Load, target: str | None, group: str | None
) -> Source:
    ends = ("",) if "x" in names else ("_train", "_test")
    known = [name.removesuffix(ends[0]) for name in names if name.endswith(ends[0])]
    targets = target_names(target or "y", known)
    for stem, end in ((stem, end) for stem in ("x", *targets) for end in ends):
        if stem + end not in names:
            needed = "x and y, or x_train, y_train, x_test and y_test, are needed"
            given = target is not None and stem != "x"
            why = near(stem + end, names) if given else needed
            raise DataError(f"{file} has no array {stem + end!r}; {why}")
    parts = [_rows(file, "x" + end, load) for end in ends]
    y = [[_rows(file, name + end, load) for end in ends] for name in targets]
    for i, end in enumerate(ends):
        for name, columns in zip(targets, y, strict=True):
            if len(columns[i]) != len(parts[i]):
                raise DataError(
                    f"{file}: {'x' + end!r} has {len(parts[i])} rows and {name + end!r} has"
                    f" {len(columns[i])}; one label a row is needed"
                )
    if parts[0].shape[1] != parts[-1].shape[1]:
        raise DataError(
            f"{file}: test rows have {parts[-1].shape[1]} columns and training rows"
            f" {parts[0].shape[1]}; both need as many"
        )
    told = {name: load(name) for name in TOLD if name in names}
    named = {name: _columns_of(pieces, name) for name, pieces in zip(targets, y, strict=True)}
    flat = {name: values for made in named.values() for name, values in made.items()}
    return Source(
        tuple(parts),
        _columns(file, parts, told),
        tuple(flat.values()),
        tuple(flat),
        class_names=_texts(told, "class_names") if targets == ("y",) else (),
        groups=_groups(file, names, load, group, [len(part) for part in parts]),
    )


def _groups(
    file: str, names: Sequence[str], load: Load, group: str | None, rows: Sequence[int]
) -> NDArray[np.int32] | None:
    """The array of groups; with test rows of their own in the file, NAME_train tells."""
    if group is None:
        return None
    name = group if len(rows) == 1 else f"{group}_train"
    if name not in names:
        raise DataError(f"{file} has no array {name!r} of groups; {near(name, names)}")
    groups = load(name)
    if groups.shape != (rows[0],):
        raise DataError(
            f"{file}: {name!r} has shape {groups.shape}; one group a row is needed, ({rows[0]},)"
        )
    test = np.full(sum(rows[1:]), -1, np.int32)  # what is held out anyway
    return np.concatenate([number_groups(groups), test])


def _rows(file: str, name: str, load: Load) -> NDArray[Any]:
    """An array as rows (n, d); text as str, booleans as uint8 features."""
    array = load(name)
    if array.ndim == 0 or array.size == 0:
        raise DataError(f"{file} has no rows in {name!r}; add rows")
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    rows = array.reshape(len(array), -1)
    if name.startswith("x") and rows.dtype.kind == "b":
        rows = rows.astype(np.uint8)
    if name.startswith("x") and rows.dtype.kind not in "iuf":
        raise DataError(f"{file}: {name!r} has dtype {rows.dtype}; numbers are needed")
    return rows


def _columns_of(pieces: Sequence[NDArray[Any]], name: str) -> dict[str, NDArray[Any]]:
    """Targets by name, (n + test,) each: y, or y0, y1, ... when the array has several columns."""
    width = pieces[0].shape[1]
    if any(piece.shape[1] != width for piece in pieces):
        raise DataError(f"{name!r} has {width} columns in training rows and others in test rows")
    names = [name] if width == 1 else [f"{name}{j}" for j in range(width)]
    return {each: np.concatenate([p[:, j] for p in pieces]) for j, each in enumerate(names)}


def _texts(told: Mapping[str, NDArray[Any]], name: str) -> tuple[str, ...]:
    array = told.get(name, np.empty(0))
    return tuple(map(str, array.tolist())) if array.ndim == 1 else ()


def _columns(
    file: str, parts: Sequence[NDArray[Any]], told: Mapping[str, NDArray[Any]]
) -> tuple[Column, ...]:
    """The features' names, and which of them hold codes of categories."""
    count = parts[0].shape[1]
    names = _texts(told, "feature_names")
    names = names if len(names) == count else tuple(f"x{j}" for j in range(count))
    texts = _categories(file, told)
    flags = told.get("is_categorical", np.zeros(0, bool))
    made = []
    for j, name in enumerate(names):
        if name in texts:
            _check_codes(file, name, [part[:, j] for part in parts], len(texts[name]))
            made.append(Column(name, "category", texts[name]))
        elif flags.shape == (count,) and flags[j]:
            top = max(int(np.nanmax(part[:, j])) for part in parts)
            _check_codes(file, name, [part[:, j] for part in parts], top + 1)
            made.append(Column(name, "category", tuple(map(str, range(top + 1)))))
        else:
            made.append(Column(name))
    return tuple(made)


def _categories(file: str, told: Mapping[str, NDArray[Any]]) -> dict[str, tuple[str, ...]]:
    if "categories_json" not in told:
        return {}
    try:
        read = json.loads(str(told["categories_json"]))
        return {str(name): tuple(map(str, texts)) for name, texts in read.items()}
    except (ValueError, AttributeError, TypeError):
        raise DataError(
            f"{file}: 'categories_json' is not JSON of lists by column name; mend or remove it"
        ) from None


def _check_codes(file: str, name: str, parts: Sequence[NDArray[Any]], count: int) -> None:
    for codes in parts:
        codes = codes[~np.isnan(codes)]
        bad = (codes < 0) | (codes >= count) | (codes != np.rint(codes))
        if bad.any():
            raise DataError(
                f"{file}: column {name!r} holds {codes[bad][0]!s}, and its categories are numbered"
                f" 0..{count - 1}"
            )
