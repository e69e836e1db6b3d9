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
from tinydream.looks.columns import Columns, columns
from tinydream.looks.save import save
from tinydream.rows import f8_decode
from tinydream.run import Run
from tinydream.stages import Names, read_representatives

__all__ = ["FORMATS", "Exported", "export"]

FORMATS = ("npz", "csv", "h")


@dataclass(frozen=True)
class Exported:
    """What was written. features: columns of its rows, targets aside."""

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
    data, contents = writer(run, reps, names)
    path = save(file or run.path(f"export.{format}"), data)
    width = reps.inputs.outputs if format == "h" else reps.inputs.columns
    return Exported(str(path), format, len(data), reps.rows.count, width, contents)


def _raw_units(reps: Representatives) -> str:
    """What raw units of representatives are worth, in words."""
    if reps.inputs.projection is None:
        return "in raw units"
    return "in raw units: the least-squares back-projection of what is stored"


def _targets(told: Columns, raw: NDArray[np.float32], reps: Representatives) -> NDArray[Any]:
    """(m,) class indices, or (m, targets) in raw units."""
    return raw[:, -told.targets :] if told.targets else reps.y


def _npz(run: Run, reps: Representatives, names: Names) -> tuple[bytes, dict[str, str]]:
    told, stored = columns(run, reps, names)
    raw, inputs, size = told.raw(stored), reps.inputs.columns, reps.rows.count
    outputs, projection = reps.inputs.outputs, reps.inputs.projection
    scaled = "(X - shift) * 2**gain"
    way = (
        f"as network inputs, as they are stored; of a raw row: {scaled}, times projection"
        if projection
        else f"the same as network inputs: {scaled}"
    )
    what = f"({size}, {told.targets}) targets in raw units" if told.targets else "class indices"
    sigma = f8_decode(reps.rows.sigma) if len(reps.rows.sigma) else np.zeros(len(told.stored))
    arrays: dict[str, tuple[Any, str]] = {
        "X": (raw[:, :inputs], f"({size}, {inputs}) representatives {_raw_units(reps)}"),
        "inputs": (stored[:, :outputs], f"({size}, {outputs}) {way}"),
        "y": (_targets(told, raw, reps), what),
        "weight": (reps.weight, f"({size},) how many rows each stands for"),
        "sigma": (sigma[:outputs], f"({outputs},) spread of rows around them, in network inputs"),
        "shift": (reps.inputs.shift, "raw units, one for all columns or one for each"),
        "gain": (reps.inputs.gain, "exponents of two, as many"),
        "classes": (np.array(names.classes, str), "names of classes"),
        "features": (np.array(told.names[:inputs]), "names of the columns of X"),
        "targets": (np.array(names.targets), "what y is called"),
    }
    if projection is not None:
        what = f"({inputs}, {outputs}) what (raw - shift) * 2**gain of any row is multiplied by"
        arrays["projection"] = (projection.matrix, what)
    memory = io.BytesIO()
    np.savez_compressed(
        memory, allow_pickle=False, **{name: array for name, (array, _) in arrays.items()}
    )
    return memory.getvalue(), {name: note for name, (_, note) in arrays.items()}


def _csv(run: Run, reps: Representatives, names: Names) -> tuple[bytes, dict[str, str]]:
    told, stored = columns(run, reps, names)
    labels = [] if told.targets else [[names.classes[k]] for k in reps.y]
    header = [*told.names, *([] if told.targets else names.targets)]
    weight = "weight"
    while weight in header:
        weight += "_"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*header, weight])
    for i, (row, count) in enumerate(zip(told.raw(stored), reps.weight.tolist(), strict=True)):
        writer.writerow([*(f"{v:.9g}" for v in row), *(labels[i] if labels else []), count])
    contents = {
        "features": f"{reps.inputs.columns} columns {_raw_units(reps)}",
        ", ".join(names.targets): "in raw units" if told.targets else "the class",
        weight: "how many rows each stands for",
    }
    return text.getvalue().encode(), contents


def _header(run: Run, reps: Representatives, names: Names) -> tuple[bytes, dict[str, str]]:
    told, _ = columns(run, reps, names)
    text = representatives_header(
        reps.inputs, reps.rows, told.shift, told.scale, told.stored, told.names, names.classes
    )
    if reps.inputs.projection is not None:
        return text.encode(), _projected_header(told, names)
    last = "targets last" if told.targets else "returns its class"
    classes = ", reps_class_names[] of classes" if names.classes else ""
    contents = {
        "reps_row(i, x)": f"unpacks row i into x in raw units, {last}",
        "reps_weight(i)": "how many rows it stands for",
        "reps_sigma[]": "spread of rows around them, in raw units",
        "reps_names[]": f"names of the columns{classes}",
    }
    return text.encode(), contents


def _projected_header(told: Columns, names: Names) -> dict[str, str]:
    targets = ", targets in raw units last" if told.targets else "; returns its class"
    classes = "; reps_class_names[] of classes" if names.classes else ""
    return {
        "reps_row(i, x)": f"unpacks row i into x as network inputs (projected){targets}",
        "reps_project(raw, x)": "makes network inputs of a new row in raw units",
        "reps_weight(i)": "how many rows it stands for",
        "reps_sigma[]": "spread of rows around them, in network inputs",
        "reps_features[]": f"names of the raw columns; reps_names[] of what is stored{classes}",
    }
