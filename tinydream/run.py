"""The run folder: fixed file names, atomic writes, and which file is stale."""

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.board import Board, load_board, parse_board
from tinydream.errors import BoardError, InputError, RunError, TinydreamError
from tinydream.plan import Plan
from tinydream.saving import BOOTS
from tinydream.training import Knobs
from tinydream.weights import split_weights

__all__ = ["Run", "RunData"]

# who writes a file: the verb that renews it
WRITERS = {
    "compress.json": "compress",
    "representatives.npz": "compress",
    "heldout.npz": "compress",
    "validation.npz": "compress",
    "entropy.npz": "compress",
    "store.tds": "compress",
    "plan.bin": "plan",
    "plan.json": "plan",
    "network.toml": "plan",
    "initial.npz": "plan",
    "board.toml": "plan",
    "build.json": "build",
    "train.json": "train",
    "log.jsonl": "train",
    "weights.npz": "train",
    "storage.bin": "train",
    "report.json": "report",
    "report.html": "report",
}

# what the keys of the JSON files hold, wherever they stand; "a.b" is key b inside a
TYPES: dict[str, tuple[type, ...]] = {
    "boot": (str,),
    "columns": (list,),
    "crc32": (str,),
    "digest": (str,),
    "features": (int,),
    "heldout": (int,),
    "kept": (int,),
    "knobs": (dict,),
    "missing": (list,),
    "options": (dict,),
    "port": (str,),
    "program": (str,),
    "raw_bytes": (int,),
    "raw_dtype": (str,),
    "representative_bytes": (int,),
    "row_bits": (int,),
    "rows": (int,),
    "seconds": (int, float),
    "source": (dict,),
    "source.path": (str,),
    "source.blake2b": (str,),
    "source.target": (str,),
    "source.task": (str,),
    "source.categories": (str,),
    "source.test": (int, float),
    "source.seed": (int,),
    "source.validation": (int, float),
}


@dataclass(frozen=True)
class RunData:
    """Held-out rows: X (n, features) in raw units, y (n,) class indices or (n, targets)."""

    X: NDArray[Any]
    y: NDArray[Any]


class Run:
    """One folder that every verb reads and writes. Nothing is written before there is something.

    Every reader raises RunError when a file is absent, damaged, or made from something that has
    changed since; the message names the verb that renews it.
    """

    def __init__(self, folder: str | os.PathLike[str] = "run") -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise RunError(f"{self.folder} is a file; a run needs a folder, so choose another -o")

    @property
    def firmware(self) -> Path:
        return self.folder / "firmware"

    def path(self, name: str) -> Path:
        return self.folder / name

    def has(self, name: str) -> bool:
        return self.path(name).is_file()

    # ---- writing ----

    def write(self, name: str, data: bytes) -> None:
        """Write a file under a temporary name, then rename it: readers see all of it or nothing."""
        target = self.path(name)
        temporary = target.with_name(target.name + ".new")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise RunError(f"{target} cannot be written: {error.strerror or error}") from None

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        self.write(name, (json.dumps(content, indent=2) + "\n").encode())

    def write_arrays(self, name: str, **arrays: Any) -> None:
        """A compressed .npz without pickles."""
        memory = io.BytesIO()
        np.savez_compressed(memory, allow_pickle=False, **arrays)
        self.write(name, memory.getvalue())

    def append(self, name: str, line: Mapping[str, Any]) -> None:
        """Add one line of JSON, which is on its way to the disk when this returns."""
        try:
            with open(self.path(name), "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise RunError(
                f"{self.path(name)} cannot be written: {error.strerror or error}"
            ) from None

    # ---- reading ----

    def read(self, name: str) -> bytes:
        try:
            return self.path(name).read_bytes()
        except FileNotFoundError:
            raise RunError(
                f"{self.folder} has no {name}; run `tinydream {WRITERS[name]}` first{self._where()}"
            ) from None
        except OSError as error:
            raise RunError(f"{self.path(name)} cannot be read: {error.strerror or error}") from None

    def read_json(self, name: str, *keys: str) -> dict[str, Any]:
        try:
            content = json.loads(self.read(name), parse_constant=_refuse)
        except ValueError:
            raise self.damaged(name, "it is not JSON") from None
        if not isinstance(content, dict):
            raise self.damaged(name, "it is not an object with keys")
        inner = [key for key in TYPES if key.split(".")[0] in keys and "." in key]
        for key in (*keys, *inner):
            self._check_key(name, content, key)
        return content

    def _check_key(self, name: str, content: dict[str, Any], key: str) -> None:
        value: Any = content
        for part in key.split("."):
            if part not in value:
                raise self.damaged(name, f"it has no {key!r}")
            value = value[part]
        if not isinstance(value, TYPES.get(key, (object,))):
            raise self.damaged(name, f"its {key!r} cannot be {value!r}")

    def read_arrays(self, name: str, *keys: str) -> dict[str, NDArray[Any]]:
        data = self.read(name)
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                return {key: file[key] for key in (keys or file.files)}
        except KeyError as missing:
            raise self.damaged(name, f"it has no array {missing}") from None
        except Exception as error:  # zipfile, zlib and NumPy each raise their own
            raise self.damaged(name, str(error) or type(error).__name__) from None

    def damaged(self, name: str, why: str) -> RunError:
        return RunError(
            f"{self.path(name)} is damaged ({why}); run `tinydream {WRITERS[name]}` again"
            f"{self._where()}"
        )

    def stale(self, name: str, because: str) -> RunError:
        again = f"run `tinydream {WRITERS[name]}` again{self._where()}"
        return RunError(f"{self.path(name)} is stale: {because}; {again}")

    def _where(self) -> str:
        return "" if self.folder == Path("run") else f" with -o {self.folder}"

    # ---- what a run holds ----

    def plan(self) -> Plan:
        """The plan, which must stand for the representatives that lie beside it."""
        data = self.read("plan.bin")
        try:
            plan = Plan.from_bytes(data)
        except TinydreamError as error:
            raise self.damaged("plan.bin", str(error).split(";")[0]) from None
        digest = self.read_json("plan.json", "digest")["digest"]
        if plan.digest.hex() != digest:
            raise self.damaged("plan.bin", f"its digest is not {digest}, as plan.json says")
        parts = {"inputs": plan.inputs.to_bytes(), "outputs": plan.outputs.to_bytes()}
        parts["rows"] = plan.rows.to_bytes()
        arrays = self.read_arrays("representatives.npz", *parts)
        if any(arrays[name].tobytes() != part for name, part in parts.items()):
            raise self.stale("plan.bin", "the representatives were made anew after it")
        return plan

    def board(self, plan: Plan) -> Board:
        """The board that the plan was made for, as its file was then."""
        if not self.has("board.toml"):
            return load_board(plan.board)
        text = self.read("board.toml").decode("utf-8", "replace")
        try:
            return parse_board(text, Path(f"{plan.board}.toml"))
        except BoardError as error:
            raise self.damaged("board.toml", str(error).split(";")[0]) from None

    def knobs(self, name: str) -> Knobs:
        """The knobs that plan.json or train.json tells."""
        told = self.read_json(name, "knobs")["knobs"]
        try:
            knobs = Knobs(**told)
            if told.keys() == knobs.as_dict().keys() and all(map(_is_knob, told, told.values())):
                return knobs
            raise TypeError
        except TypeError:
            raise self.damaged(name, "its knobs are not those of this version") from None
        except InputError as error:
            raise self.damaged(name, str(error)) from None

    def observed(self, plan: Plan) -> dict[str, int]:
        """Bytes of RAM that the device told after a training by this very plan; else none."""
        if not self.has("train.json"):
            return {}
        told = self.read_json("train.json", "digest")
        seen = told.get("observed") if told["digest"] == plan.digest.hex() else None
        sizes = seen.items() if isinstance(seen, dict) else ()
        return {str(k): size for k, size in sizes if type(size) is int and size > 0}

    def boot(self) -> int:
        """What a device does with saved weights when it starts: a place in `saving.BOOTS`."""
        boot = self.read_json("plan.json", "boot")["boot"]
        if boot not in BOOTS:
            raise self.damaged("plan.json", f"its boot is {boot!r}, not one of {', '.join(BOOTS)}")
        return BOOTS.index(boot)

    def heldout(self) -> RunData:
        arrays = self.read_arrays("heldout.npz", "x", "y")
        return RunData(arrays["x"], arrays["y"])

    def validation(self, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """The first `count` rows that compress kept back: x (count, features), y (count, ...).

        Raises InputError when there are fewer.
        """
        arrays = self.read_arrays("validation.npz", "x", "y")
        have = len(arrays["x"])
        if count > have:
            raise InputError(
                f"{count} validation rows were asked for, and compress kept {have} back; compress"
                " with a larger --validation"
            )
        return arrays["x"][:count], arrays["y"][:count]

    def program(self, plan: Plan) -> Path:
        """The firmware that `build` made for this very plan."""
        built = self.read_json("build.json", "digest", "program")
        program = self.folder / str(built["program"])
        if built["digest"] != plan.digest.hex():
            raise self.stale(
                "build.json", f"it was built from plan {built['digest']}, not {plan.digest.hex()}"
            )
        if not program.is_file():
            raise self.stale("build.json", f"{program} is gone")
        return program

    def weights(self, plan: Plan) -> NDArray[np.float32]:
        """The weights that were pulled from a device built from this plan: (parameters,)."""
        arrays = self.read_arrays("weights.npz", "weights", "digest")
        if str(arrays["digest"]) != plan.digest.hex():
            raise self.stale(
                "weights.npz", f"it belongs to plan {arrays['digest']}, not {plan.digest.hex()}"
            )
        weights = arrays["weights"]
        if weights.dtype != np.float32 or weights.shape != (plan.parameters,):
            raise self.damaged("weights.npz", f"it needs {plan.parameters} float32 weights")
        return weights

    def initial(self, plan: Plan) -> NDArray[np.float32] | None:
        """The weights that each training of this plan begins with, (parameters,); None for drawn.

        Those of a model, which `plan` was given.
        """
        if not self.has("initial.npz"):
            return None
        weights = self.read_arrays("initial.npz", "weights")["weights"]
        if weights.dtype != np.float32 or weights.shape != (plan.parameters,):
            raise self.damaged("initial.npz", f"it needs {plan.parameters} float32 weights")
        return weights

    def write_initial(self, weights: NDArray[np.float32] | None) -> None:
        """Keep these for trainings to begin with; None: weights are drawn."""
        if weights is not None:
            self.write_arrays("initial.npz", weights=weights)
        elif self.has("initial.npz"):
            self.path("initial.npz").unlink()

    def write_weights(self, plan: Plan, weights: NDArray[np.float32]) -> None:
        """All parameters in one row, and each layer's W (out, in) and b (out) by name."""
        arrays = {"weights": weights, **split_weights(plan, weights)}
        self.write_arrays("weights.npz", digest=plan.digest.hex(), **arrays)


def _is_knob(name: str, value: Any) -> bool:
    kind = type(getattr(Knobs(), name))
    return isinstance(value, (int, float) if kind is float else kind)


def _refuse(constant: str) -> None:
    """NaN and Infinity are no JSON, although Python reads them."""
    raise ValueError(constant)
