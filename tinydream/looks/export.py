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
from tinydream.rows import input_names, raw_scales
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


def raw_units(reps: Representatives) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Representatives in raw units: inputs (m, r), and targets (m, t), t = 0 for classes.

    Columns that were constant are not among them; an expanded one is a share for each code.
    """
    scale, shift = raw_scales(reps.inputs, reps.outputs)
    targets = reps.y if reps.rows.targets else np.empty((len(reps.X), 0), np.float32)
    rows: NDArray[Any] = np.hstack([reps.X, targets]).astype(np.float64) * scale + shift
    rows = rows.astype(np.float32)
    return rows[:, : reps.inputs.columns], rows[:, reps.inputs.columns :]


def _npz(reps: Representatives, names: Names) -> tuple[bytes, dict[str, str]]:
    size, columns = reps.X.shape
    X, targets = raw_units(reps)
    y: tuple[Any, str] = (reps.y, f"({size},) indices into classes")
    if reps.rows.targets:
        y = (targets, f"({size}, {targets.shape[1]}) targets in raw units")
    arrays: dict[str, tuple[Any, str]] = {
        "X": (X, f"({size}, {columns}) representatives in raw units"),
        "inputs": (reps.X, "the same as network inputs: (X - shift) * 2**gain"),
        "y": y,
        "weight": (reps.weight, f"({size},) how many rows each stands for"),
        "sigma": (reps.sigma, "spread of rows around them: network inputs, then scaled targets"),
        "shift": (reps.inputs.shift, "raw units, one for all columns or one for each"),
        "gain": (reps.inputs.gain, "exponents of two, as many"),
        "classes": (np.array(names.classes, str), "names of classes"),
        "targets": (np.array(names.targets, str), "names of what is predicted"),
        "features": (np.array(input_names(names.features, reps.inputs)), "names of X's columns"),
    }
    memory = io.BytesIO()
    np.savez_compressed(
        memory, allow_pickle=False, **{name: array for name, (array, _) in arrays.items()}
    )
    return memory.getvalue(), {name: note for name, (_, note) in arrays.items()}


def _csv(reps: Representatives, names: Names) -> tuple[bytes, dict[str, str]]:
    features = input_names(names.features, reps.inputs)
    weight = "weight"
    while weight in (*features, *names.targets):
        weight += "_"
    X, targets = raw_units(reps)
    answers = [[f"{value:.9g}" for value in row] for row in targets]
    if not reps.rows.targets:
        answers = [[names.classes[k]] for k in reps.y]
    head = names.targets if reps.rows.targets else (",".join(names.targets),)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*features, *head, weight])
    for row, answer, count in zip(X, answers, reps.weight.tolist(), strict=True):
        writer.writerow([*(f"{value:.9g}" for value in row), *answer, count])
    contents = {
        "features": f"{len(features)} columns in raw units",
        ", ".join(head): "the targets in raw units" if reps.rows.targets else "the class",
        weight: "how many rows each stands for",
    }
    return text.getvalue().encode(), contents


def _header(reps: Representatives, names: Names) -> tuple[bytes, dict[str, str]]:
    columns = input_names(names.features, reps.inputs)
    columns += names.targets if reps.rows.targets else ()
    text = representatives_header(reps.inputs, reps.outputs, reps.rows, columns, names.classes)
    contents = {
        "reps_row(i, x)": "unpacks row i into x in raw units, returns its class",
        "reps_weight(i)": "how many rows it stands for",
        "reps_sigma[]": "spread of rows around them, in raw units",
    }
    if reps.rows.targets:
        contents["reps_row(i, x)"] = "unpacks row i into x in raw units, targets last"
    return text.encode(), contents
