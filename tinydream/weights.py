"""Weights in files: .npz as a run folder has them, and .safetensors for other programs."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.errors import InputError
from tinydream.plan import Plan

__all__ = ["read_weights", "split_weights", "write_weights"]

_ENDINGS = (".npz", ".safetensors")


def split_weights(plan: Plan, weights: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """All parameters (parameters,) by layer that has any: W1 (shape: `Layer.shape`), b1, W2, ..."""
    arrays, at = {}, 0
    for i, layer in enumerate((x for x in plan.layers if x.parameters), 1):
        size = layer.weights
        arrays[f"W{i}"] = weights[at : at + size].reshape(layer.shape)
        arrays[f"b{i}"] = weights[at + size : at + layer.parameters]
        at += layer.parameters
    return arrays


def write_weights(path: str | Path, plan: Plan, weights: NDArray[np.float32]) -> None:
    """Write W1, b1, ... and the plan's digest; the ending says how. InputError for another one."""
    path = _checked(path)
    arrays = split_weights(plan, weights)
    try:
        if path.suffix == ".npz":
            everything: dict[str, Any] = {"weights": weights, "digest": plan.digest.hex(), **arrays}
            np.savez(path, **everything)
        else:
            path.write_bytes(_to_safetensors(arrays, plan.digest.hex()))
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None


def read_weights(path: str | Path, plan: Plan) -> NDArray[np.float32]:
    """Parameters (parameters,) of W1, b1, ... in a file; whoever wrote it.

    Raises InputError for a file that is not there, damaged, of another plan, or of other shapes.
    """
    path = _checked(path)
    try:
        found = _from_npz(path) if path.suffix == ".npz" else _from_safetensors(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, LookupError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
        raise InputError(f"{path} is damaged, or no {path.suffix} file; pull it again") from None
    digest = str(found.pop("digest", plan.digest.hex()))
    if digest != plan.digest.hex():
        raise InputError(f"{path} holds weights of plan {digest}, not of {plan.digest.hex()}")
    wanted = split_weights(plan, np.zeros(plan.parameters, np.float32))
    for name, like in wanted.items():
        if name not in found or np.shape(found[name]) != like.shape:
            raise InputError(f"{path} needs an array {name} of shape {like.shape}")
    return np.concatenate([np.asarray(found[n], np.float32).ravel() for n in wanted])


def _checked(path: str | Path) -> Path:
    if Path(path).suffix not in _ENDINGS:
        raise InputError(f"weights lie in {' or '.join(_ENDINGS)} files, not in {str(path)!r}")
    return Path(path)


def _from_npz(path: Path) -> dict[str, Any]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:  # closed, if damaged
        return dict(arrays)


# ---- safetensors: u64 length, a JSON header, then the numbers ----


def _to_safetensors(arrays: dict[str, NDArray[np.float32]], digest: str) -> bytes:
    header: dict[str, Any] = {"__metadata__": {"digest": digest, "format": "tinydream"}}
    at = 0
    for name, array in arrays.items():
        end = at + array.nbytes
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(array.astype("<f4").tobytes() for array in arrays.values())
    return len(text).to_bytes(8, "little") + text + data


def _from_safetensors(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    found: dict[str, Any] = {}
    for name, entry in header.items():
        if name == "__metadata__":
            found |= {"digest": entry["digest"]} if "digest" in entry else {}
            continue
        if entry["dtype"] != "F32":
            raise ValueError(entry["dtype"])
        first, end = entry["data_offsets"]
        found[name] = np.frombuffer(body[first:end], "<f4").reshape(entry["shape"])
    return found
