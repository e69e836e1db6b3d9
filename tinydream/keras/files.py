"""Models in files: written from a plan's weights, and asked what they predict."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinydream.errors import InputError
from tinydream.keras.model import make_model
from tinydream.network.quiet import import_keras, quiet
from tinydream.plan import Plan

__all__ = ["ENDINGS", "QUANTISED", "Opened", "open_model", "write_model"]

F32 = NDArray[np.float32]
ENDINGS = (".keras", ".tflite")
QUANTISED = ("none", "float16", "int8")
ROWS_A_CALL = 512


@dataclass(frozen=True)
class Opened:
    """A model of a file. shape: of a row that it takes; gives: of what it makes of one. integers:
    it computes in integers, and takes network inputs if we wrote it. predict: rows (n, width) to
    outputs (n, outputs), both float32 and flat; of integers quantised, and back. Raises InputError
    for rows of another width.
    """

    shape: tuple[int, ...]
    gives: tuple[int, ...]
    integers: bool
    predict: Callable[[ArrayLike], F32]

    @property
    def width(self) -> int:
        """Numbers in a row that it takes."""
        return math.prod(self.shape)


def write_model(
    path: str | Path,
    plan: Plan,
    weights: F32,
    *,
    quantise: str = "none",
    samples: F32 | None = None,
) -> None:
    """Write a plan and its weights as a .keras or .tflite model; what it takes: `make_model`.

    quantise: of a .tflite, one of QUANTISED. float16: weights of half the size. int8: all of it in
    integers, calibrated on samples (n, network inputs); such a model takes network inputs, since
    one scale for all raw columns would ruin most of them. Raises InputError for another ending or
    word, a missing package, and a file that cannot be written.
    """
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise InputError(f"a model is written to {' or '.join(ENDINGS)}, not to {str(path)!r}")
    if quantise not in QUANTISED or (quantise != "none" and path.suffix != ".tflite"):
        raise InputError(
            f"a .tflite is quantised by {' or '.join(QUANTISED[1:])}, a .keras is not; {quantise!r}"
            f" and {str(path)!r} do not go together"
        )
    if quantise == "int8" and (samples is None or not len(samples)):
        raise InputError("int8 is calibrated on rows; give some, as the network gets them")
    made = make_model(plan, weights, raw=quantise != "int8")
    try:
        if path.suffix == ".keras":
            with quiet():
                made.save(path)
        else:
            path.write_bytes(_convert(made, quantise, samples))
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None


def _convert(model: Any, quantise: str, samples: F32 | None) -> bytes:
    import_keras()
    with quiet():
        import tensorflow as tf

        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if quantise != "none":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantise == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if quantise == "int8":
            rows = np.asarray(samples, np.float32)
            converter.representative_dataset = lambda: ([row[None]] for row in rows)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
        return bytes(converter.convert())


def open_model(path: str | Path) -> Opened:
    """The model of a .keras or .tflite file, by LiteRT or its predecessors.

    Raises InputError for a file that cannot be read, or a missing package.
    """
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise InputError(f"a model lies in a {' or '.join(ENDINGS)} file, not in {str(path)!r}")
    if not path.is_file():
        raise InputError(f"{path} cannot be read: there is no such file")
    return _open_keras(path) if path.suffix == ".keras" else _open_lite(path)


def _open_keras(path: Path) -> Opened:
    from tinydream.network.keras import load_model

    model = load_model(path)
    _check_ends(path, len(getattr(model, "inputs", "")), len(getattr(model, "outputs", "")))
    shape, gives = (_shape(path, each[1:]) for each in (model.input_shape, model.output_shape))
    batch = model.input_shape[0] or ROWS_A_CALL

    def predict(rows: ArrayLike) -> F32:
        with quiet():
            found = model.predict(_rows(rows, shape), batch, verbose=0)
        return np.asarray(found, np.float32).reshape(len(found), -1)

    return Opened(shape, gives, False, predict)


def _check_ends(path: Path, inputs: int, outputs: int) -> None:
    if inputs != 1 or outputs != 1:
        raise InputError(f"{path} has {inputs} inputs and {outputs} outputs; one each is needed")


def _shape(path: Path, lengths: Any) -> tuple[int, ...]:
    if not len(lengths) or any(each is None or each < 1 for each in lengths):
        raise InputError(f"{path} has rows of any length; give its inputs a shape")
    return tuple(map(int, lengths))


def _open_lite(path: Path) -> Opened:
    lite = _interpreter()
    try:
        with quiet():
            model = lite(model_path=str(path))
            model.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is no .tflite model that can be read: {reason}") from None
    _check_ends(path, len(model.get_input_details()), len(model.get_output_details()))
    source, sink = model.get_input_details()[0], model.get_output_details()[0]
    shape, gives = (_shape(path, each["shape_signature"][1:]) for each in (source, sink))
    fixed = source["shape_signature"][0] == 1  # such a model may have the batch in its graph

    def predict(rows: ArrayLike) -> F32:
        x = _quantised(_rows(rows, shape), source)
        return np.concatenate([run(part) for part in np.split(x, max(len(x), 1) if fixed else 1)])

    def run(x: NDArray[Any]) -> F32:
        model.resize_tensor_input(source["index"], x.shape)
        model.allocate_tensors()
        model.set_tensor(source["index"], x)
        model.invoke()
        return _plain(model.get_tensor(sink["index"]), sink).reshape(len(x), -1)

    return Opened(shape, gives, source["dtype"] != np.float32, predict)


def _interpreter() -> Any:
    """LiteRT's, or that of its predecessors."""
    import importlib

    for name in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
        try:
            with quiet():
                return importlib.import_module(name).Interpreter
        except ImportError:
            continue
    import_keras()
    with quiet():
        import tensorflow as tf

        return tf.lite.Interpreter


def _rows(rows: ArrayLike, shape: tuple[int, ...]) -> F32:
    x = np.ascontiguousarray(rows, np.float32)
    width = math.prod(shape)
    if x.ndim != 2 or x.shape[1] != width:
        raise InputError(f"the model takes rows of {width} numbers, not an array of {x.shape}")
    return x.reshape(len(x), *shape)


def _quantised(x: F32, tensor: Any) -> NDArray[Any]:
    if tensor["dtype"] == np.float32:
        return x
    scale, zero = tensor["quantization"]
    ends = np.iinfo(tensor["dtype"])
    return np.asarray(np.clip(np.rint(x / scale) + zero, ends.min, ends.max), tensor["dtype"])


def _plain(y: NDArray[Any], tensor: Any) -> F32:
    if tensor["dtype"] == np.float32:
        return np.array(y)
    scale, zero = tensor["quantization"]
    return np.asarray((y.astype(np.float32) - zero) * scale, np.float32)
