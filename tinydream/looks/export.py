"""Representatives for people with their own training code: .npz, .csv, or a C header."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.codec import Representatives
from tinydream.codegen import representatives_header
from tinydream.errors import InputError
from tinydream.looks.save import save
from tinydream.run import Run
from tinydream.stages import Names, read_representatives

__all__ = ["FORMATS", "Exported", "export", "raw_units"]

FORMATS = ("npz", "csv", "h")


@dataclass(frozen=True)
class Exported:
    """What was written. features: those kept, which the rows of the file consist of."""

    path: str
    format: str
    bytes: int
    representatives: int
    features: int
    contents: dict[str, str]


def export(run: Run, file: str | Path | None = None, format: str | None = None) -> Exported:
    """Write the run's representatives to `file`, by default RUN/export.FORMAT.

    format: one of FORMATS; by default what the file's name ends with, or npz.
    Raises InputError for an unknown format or a file that cannot be written, RunError when there
    are no representatives.
    """
    if format is None:
        format = Path(file).suffix.lstrip(".").lower() if file else FORMATS[0]
    if format not in FORMATS:
        known = ", ".join(FORMATS)
        raise InputError(f"{str(file or format)!r} is no format of export; choose from {known}")
    reps, names = read_representatives(run)
    writer = {"npz": _npz, "csv": _csv, "h": _header}[format]
    data, contents = writer(reps, names)
    path = save(file or run.path(f"export.{format}"), data)
    return Exported(str(path), format, len(data), reps.rows.count, reps.rows.columns, contents)


def raw_units(reps: Representatives) -> NDArray[np.float32]:
    """The representatives (m, r) in raw units; columns that were constant are not among them."""
    gain = np.ldexp(1.0, -reps.inputs.gain.astype(np.int32))
    return np.asarray(reps.X.astype(np.float64) * gain + reps.inputs.shift, np.float32)


def _kept(reps: Representatives, names: Names) -> list[str]:
    return [name for name, kept in zip(names.features, reps.inputs.kept, strict=True) if kept]


def _npz(reps: Representatives, names: Names) -> tuple[bytes, dict[str, str]]:
    size, columns = reps.X.shape
    arrays: dict[str, tuple[Any, str]] = {
        "X": (raw_units(reps), f"({size}, {columns}) representatives in raw units"),
        "inputs": (reps.X, "the same as network inputs: (X - shift) * 2**gain"),
        "y": (reps.y, f"({size},) indices into classes"),
        "weight": (reps.weight, f"({size},) how many rows each stands for"),
        "sigma": (reps.sigma, f"({columns},) spread of rows around them, in network inputs"),
        "shift": (reps.inputs.shift, "raw units, one for all columns or one for each"),
        "gain": (reps.inputs.gain, "exponents of two, as many"),
        "classes": (np.array(names.classes), "names of classes"),
        "features": (np.array(_kept(reps, names)), "names of the columns of X"),
    }
    memory = io.BytesIO()
    np.savez_compressed(
        memory, allow_pickle=False, **{name: array for name, (array, _) in arrays.items()}
    )
    return memory.getvalue(), {name: note for name, (_, note) in arrays.items()}


def _csv(reps: Representatives, names: Names) -> tuple[bytes, dict[str, str]]:
    features = _kept(reps, names)
    weight = "weight"
    while weight in (*features, names.target):
        weight += "_"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*features, names.target, weight])
    labels = [names.classes[k] for k in reps.y]
    for row, label, count in zip(raw_units(reps), labels, reps.weight.tolist(), strict=True):
        writer.writerow([*(f"{value:.9g}" for value in row), label, count])
    contents = {
        "features": f"{len(features)} columns in raw units",
        names.target: "the class",
        weight: "how many rows each stands for",
    }
    return text.getvalue().encode(), contents


def _header(reps: Representatives, names: Names) -> tuple[bytes, dict[str, str]]:
    text = representatives_header(reps.inputs, reps.rows, _kept(reps, names), names.classes)
    contents = {
        "reps_row(i, x)": "unpacks row i into x in raw units, returns its class",
        "reps_weight(i)": "how many rows it stands for",
        "reps_sigma[]": "spread of rows around them, in raw units",
        "reps_class_names[]": "names of classes",
    }
    return text.encode(), contents
