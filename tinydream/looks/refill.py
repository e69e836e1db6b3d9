"""New rows of a table in the place of the representatives that a board holds in RAM."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.bridge import Device
from tinydream.data.frame import open_frame
from tinydream.errors import DataError, InputError
from tinydream.looks.predict import load_arrays, new_rows
from tinydream.plan import Plan
from tinydream.ports import PASSING, open_port
from tinydream.refill import refilled
from tinydream.run import Run

__all__ = ["Refilled", "refill"]


@dataclass(frozen=True)
class Refilled:
    """What a refill came to: so many representatives, and the digest of the plan with them."""

    representatives: int
    digest: str


def refill(run: Run, file: str | Path | None, port: str, *, seed: int = 0) -> Refilled:
    """Put rows of `file` in the place of representatives, on the board and in the run.

    file: features as `predict` reads them, and the plan's targets: CSV columns of their names, or
    an array y beside x; None: the run's own representatives, for a board that has restarted with
    those that it was built with. From then on the run's plan is the one with these rows. Raises
    InputError for a plan whose representatives lie in flash, and for a port whose device ends with
    this verb, DataError for rows that do not fit, LinkError and FirmwareError when the board has
    other ideas.
    """
    made = run.plan()
    if not made.refill:
        raise InputError("this run's representatives lie in flash; plan with --refill")
    if port in PASSING:
        raise InputError(
            f"what runs behind port {port!r} ends with this verb, and the rows with it; name a"
            " board on a serial port"
        )
    count = made.rows.count
    new = made if file is None else _refilled(run, made, Path(file), seed)
    with open_port(run, made, port, other=True) as device:
        assert isinstance(device, Device)  # of a port on a wire
        device.refill(new)
    if file is not None:
        _keep(run, new)
    return Refilled(count, new.digest.hex())


def _refilled(run: Run, made: Plan, file: Path, seed: int) -> Plan:
    X, _ = new_rows(run, made, file)
    y = _truth(file, made)
    if len(y) != len(X):
        raise DataError(f"{file.name} has {len(X)} rows and {len(y)} answers")
    return refilled(made, X, y, seed)


def _keep(run: Run, new: Plan) -> None:
    arrays = run.read_arrays("representatives.npz")
    run.write_arrays(
        "representatives.npz", **arrays | {"rows": np.frombuffer(new.rows.to_bytes(), np.uint8)}
    )
    run.write_json("plan.json", run.read_json("plan.json") | {"digest": new.digest.hex()})
    run.write("plan.bin", new.to_bytes())
    facts = run.read_json("compress.json", "notes")
    note = "representatives were replaced by rows of another table"
    run.write_json("compress.json", facts | {"notes": [*facts["notes"], note]})


def _truth(path: Path, made: Plan) -> NDArray[Any]:
    """Class indices (n,), or targets (n, targets)."""
    if path.suffix.lower() == ".npz":
        arrays = load_arrays(path, "an .npz with arrays x and y")
        if "y" not in arrays:
            raise DataError(f"{path.name} has no array 'y'; save labels or targets as y")
        y = np.atleast_1d(arrays["y"])
        columns = [y.reshape(-1)] if made.classes else list(y.reshape(len(y), -1).T)
    elif path.suffix.lower() == ".npy":
        raise DataError(f"{path.name} holds no labels or targets; name a CSV or an NPZ")
    else:
        frame = open_frame(path)
        if missing := [name for name in made.targets if name not in frame.columns]:
            raise DataError(f"{path.name} lacks the target {missing[0]!r}; add it")
        columns = [frame[name].to_numpy() for name in made.targets]
    if made.classes:
        return _classes(columns[0], made, path.name)
    try:
        return np.column_stack(columns).astype(np.float64)
    except (TypeError, ValueError):
        raise DataError(f"a target in {path.name} is not a number; mend that line") from None


def _classes(labels: NDArray[Any], made: Plan, file: str) -> NDArray[np.int64]:
    number = {name: k for k, name in enumerate(made.classes)}
    texts = [f"{x:g}" if isinstance(x, float) else str(x).strip() for x in labels.tolist()]
    for row, text in enumerate(texts):
        if text not in number:
            raise DataError(
                f"{file}: row {row + 1} is of class {text!r}, which this plan does not know; it has"
                f" {', '.join(made.classes[:8])}"
            )
    return np.array([number[text] for text in texts])
