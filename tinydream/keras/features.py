"""A frozen model in front of compression: what it gives are the features (latent replay)."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinydream.data import Column, Data
from tinydream.errors import DataError, InputError, RunError
from tinydream.keras.files import Opened, open_model

__all__ = ["Extractor", "extracted", "extractor_of", "raw_columns"]

F32 = NDArray[np.float32]
BLOCK = 512  # rows that a model is given at a time


@dataclass(frozen=True, eq=False)
class Extractor:
    """A .keras or .tflite model, and the BLAKE2b of its file, 8 bytes as hex."""

    path: Path
    blake2b: str
    model: Opened

    @classmethod
    def open(cls, path: str | Path) -> "Extractor":
        """Raises InputError for a file that cannot be read, or a missing package."""
        path = Path(path)
        model = open_model(path)
        digest = hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
        return cls(path.resolve(), digest, model)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Extractor":
        """The one that `Data.extractor` tells of.

        Raises RunError when its file is gone or has changed, InputError for a missing package.
        """
        path, digest = Path(str(told.get("path"))), told.get("blake2b")
        found = cls.open(path) if path.is_file() else None
        if found is None or found.blake2b != digest:
            raise RunError(
                f"the run's rows went through {path}, which is gone or has changed; bring it back,"
                " or run `tinydream compress` again"
            )
        return found

    def check(self, columns: int, shape: Sequence[int] | None = None) -> None:
        """Raises InputError unless it takes rows of so many numbers, or of this shape."""
        takes = " x ".join(map(str, self.model.shape))
        if self.model.width != columns:
            raise InputError(
                f"{self.path.name} takes rows of {takes} numbers, and the table has {columns}"
                " columns; name the model of these rows"
            )
        flat = len(self.model.shape) == 1
        if shape and not flat and _long(shape) != _long(self.model.shape):
            told = ",".join(map(str, shape))
            raise InputError(f"{self.path.name} takes rows of {takes} numbers, not --shape {told}")

    def features(
        self, rows: ArrayLike, tell: Callable[[int, int], Any] = lambda done, of: None
    ) -> F32:
        """Features (n, f) float32 of rows (n, width) in raw units.

        tell: rows done, of how many. Raises DataError for a row that lacks a number, as a model may
        make anything of it, and where a feature is no finite number.
        """
        given, made = np.asarray(rows), []
        for i in range(0, len(given), BLOCK):
            block = given[i : i + BLOCK]
            found = self.model.predict(block)
            good = np.isfinite(block).all(axis=1) & np.isfinite(found).all(axis=1)
            if not good.all():
                raise DataError(
                    f"{self.path.name} makes no features of row {i + int(good.argmin()) + 1}, in"
                    " which a value is missing or too large; mend the row, or remove it"
                )
            made.append(found)
            tell(min(i + BLOCK, len(given)), len(given))
        return np.concatenate(made)

    def applied(self, data: Data, tell: Callable[[int, int], Any] = lambda done, of: None) -> Data:
        """The table with features f0, f1, ... in the place of its columns; targets stay."""
        n, of = len(data.X), len(data.X) + len(data.X_test)
        X = self.features(data.X, lambda done, _: tell(done, of))
        X_test = self.features(data.X_test, lambda done, _: tell(n + done, of))
        told = {
            "path": str(self.path),
            "blake2b": self.blake2b,
            "columns": [asdict(column) for column in data.columns],
        }
        note = (
            f"{self.path.name} makes {X.shape[1]} features, f0, f1, ..., of {data.X.shape[1]}"
            " columns, and these are what is compressed"
        )
        return replace(
            data,
            X=X,
            X_test=X_test,
            columns=tuple(Column(f"f{k}") for k in range(X.shape[1])),
            notes=(*data.notes, note),
            extractor=told,
        )


def extracted(
    data: Data,
    path: str | Path,
    shape: Sequence[int] | None,
    tell: Callable[[int, int], Any] = lambda done, of: None,
) -> tuple[Data, list[int] | None]:
    """The table through the model of a file, and what shape a row has then, if it has any.

    shape: of the table's rows, where that is told. Raises what `Extractor` does.
    """
    front = Extractor.open(path)
    front.check(data.X.shape[1], shape)
    gives = list(front.model.gives)
    return front.applied(data, tell), gives if len(gives) > 1 else None


def extractor_of(source: Any) -> dict[str, Any] | None:
    """What a run's source says of its extractor, as in `Data.extractor`."""
    told = source.get("features") if isinstance(source, dict) else None
    return told if isinstance(told, dict) else None


def raw_columns(told: Mapping[str, Any]) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Of the columns that an extractor takes: names, and categories in order of their codes.

    Raises RunError when `told` is not as `Data.extractor` is.
    """
    try:
        columns = told["columns"]
        codes = {c["name"]: tuple(c["categories"]) for c in columns if c["kind"] == "category"}
        return [c["name"] for c in columns], codes
    except (KeyError, TypeError):
        raise RunError(
            "compress.json does not say what the extractor takes; run `tinydream compress` again"
        ) from None


def _long(shape: Sequence[int]) -> list[int]:
    """A shape without lengths of 1."""
    return [length for length in shape if length != 1]
