"""The table that was compressed: what a run remembers of it, and reading it again."""

import hashlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.data import Data, load_data, raw_dtype
from tinydream.data.table import choose_groups
from tinydream.errors import InputError
from tinydream.keras.features import Extractor, extractor_of
from tinydream.run import Run

__all__ = ["carve", "describe", "load_again", "load_table", "missing", "part_note", "table_facts"]


def part_note(rows: int, condensed: int) -> list[str]:
    """A sentence when clearly fewer rows were condensed than there are."""
    if rows < 1.2 * condensed:  # weights on few levels do not add up to the very row
        return []
    return [f"a random part of the {rows:,} rows, about {condensed:,}, was condensed"]


def missing(data: Data) -> list[str]:
    """Features that lack a value in some training row."""
    if data.X.dtype.kind != "f":
        return []
    # the sum of a column is no number exactly where one of its values is none
    gaps = np.isnan(np.sum(data.X, axis=0, dtype=np.float64))
    return [name for name, gap in zip(data.features, gaps, strict=True) if gap]


def table_facts(data: Data) -> dict[str, Any]:
    """What the table is: rows, columns, target, and its bytes in their narrowest type."""
    dtype, width = raw_dtype(data.X)
    return {
        "rows": len(data.X),
        "heldout": len(data.X_test),
        "features": data.X.shape[1],
        "task": data.task,
        "columns": [asdict(column) for column in data.columns],
        "missing": missing(data),
        "classes": list(data.classes),
        "targets": list(data.targets),
        "raw_dtype": dtype,
        "raw_bytes": data.X.size * width,
    }


def carve(data: Data, share: float, seed: int) -> tuple[Data, Data]:
    """The rows to be condensed, and those that are kept back for validation, in random order.

    Both come out of the training rows, X and y; rows held out for testing stay what they are. Of
    each class the same share is kept back, or, where groups are told, whole groups are. Raises
    InputError unless share lies in 0..0.5 and seed from 0, DataError when no group can be kept
    back.
    """
    if not 0 <= share <= 0.5:
        raise InputError(f"the share of validation rows must lie in 0..0.5, not {share}")
    if seed < 0:
        raise InputError(f"seed is {seed}; it must be a whole number from 0")
    generator = np.random.default_rng([seed, 1])
    order = generator.permutation(len(data.X))
    if data.groups is None or not share:
        back = _each_class(data, share, order)
    else:
        back = choose_groups(replace(data, share=share), generator)[order]
    kept, valid = (_part(data, i) for i in (np.sort(order[~back]), order[back]))
    return (kept, valid) if share else (data, valid)


def _each_class(data: Data, share: float, order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows, in this order, are the first ones of their class: a share of it."""
    kinds = data.y[order] if data.task == "classification" else np.zeros(len(order), np.int32)
    rank = np.empty(len(order), int)  # of a row among those of its class
    for kind in np.unique(kinds):
        rank[kinds == kind] = np.arange((kinds == kind).sum())
    return np.asarray(rank < (share * np.bincount(kinds))[kinds].astype(int))


def _part(data: Data, rows: NDArray[np.int64]) -> Data:
    groups = None if data.groups is None else data.groups[rows]
    return replace(data, X=data.X[rows], y=data.y[rows], row=data.row[rows], groups=groups)


def describe(data: Data, seed: int, validation: float) -> dict[str, Any]:
    """Where a table came from, how it was read, and what it held, for compress.json."""
    path = Path(data.path)
    return {
        "path": str(path.resolve()),
        "blake2b": _fingerprint(path),
        "target": data.target,
        "task": data.task,
        "categories": data.categories,
        "groups": data.group,
        "test": data.share,
        "seed": seed,
        "validation": validation,
        "features": data.extractor,
    }


def _fingerprint(path: Path) -> str:
    """BLAKE2b of a file, or of the files in a folder, read piece by piece."""
    digest = hashlib.blake2b(digest_size=8)
    inside = (file for file in path.rglob("*") if file.is_file())
    for part in sorted(inside) if path.is_dir() else [path]:
        with open(part, "rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()


def load_table(source: dict[str, Any]) -> Data | None:
    """The table that `describe` told of, if its file is still the same, through its extractor.

    Raises OSError, and RunError when the extractor's file is gone or has changed.
    """
    data = _table(source)
    return None if data is None else _extracted(data, source)


def _extracted(data: Data, source: dict[str, Any]) -> Data:
    told = extractor_of(source)
    return Extractor.of(told).applied(data) if told else data


def _table(source: dict[str, Any]) -> Data | None:
    path = Path(source["path"])
    if _fingerprint(path) != source["blake2b"]:
        return None
    options = {key: source[key] for key in ("target", "task", "categories", "test", "seed")}
    return load_data(path, groups=source.get("groups"), **options)


def load_again(run: Run, source: dict[str, Any]) -> Data | None:
    """The rows that were condensed, and the held-out ones, if the table is still the same.

    Raises RunError when the run's facts about it make no sense, or its extractor is gone.
    """
    try:
        data = _table(source)
        if data is None:
            return None
        data = carve(data, source["validation"], source["seed"])[0]
    except OSError:
        return None
    except (InputError, KeyError, TypeError, ValueError) as error:
        why = f"its source is not that of the table: {str(error).split(';')[0]}"
        raise run.damaged("compress.json", why) from None
    return _extracted(data, source)
