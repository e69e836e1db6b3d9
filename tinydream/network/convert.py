"""A Keras model's parameters for scaled inputs and targets: the network computes what it did."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinydream.errors import InputError
from tinydream.inputs import Inputs, Outputs
from tinydream.network.between import Add, BatchNorm
from tinydream.network.front import Front, is_front_of
from tinydream.network.keras import Parts
from tinydream.network.keras_layers import EPSILON, Part
from tinydream.network.layers import SGD, Adam, AnyLayer, Dense
from tinydream.network.windows import Conv, Depthwise, Flatten

__all__ = ["Converted", "converted"]

F64 = NDArray[np.float64]


class Record(Protocol):
    """What is wanted of representatives."""

    @property
    def inputs(self) -> Inputs: ...
    @property
    def outputs(self) -> Outputs: ...


@dataclass(frozen=True, eq=False)
class Converted:
    """The fields of a network."""

    layers: tuple[AnyLayer, ...]
    optimizer: SGD | Adam
    huber: float
    shape: tuple[int, ...]
    weights: NDArray[np.float32]


def converted(
    model: Parts, record: Record | None, optimizer: SGD | Adam | None = None
) -> Converted:
    """The model for inputs and targets as `record` scales them; None for the model's own.

    optimizer: of a model that was not compiled. Raises InputError for a model that does not fit.
    """
    columns = int(np.prod(model.shape))
    scale, offset = (np.broadcast_to(each, columns) for each in (model.scale, model.offset))
    huber = model.compiled.huber
    if optimizer and model.compiled.optimizer:
        raise InputError("the model was compiled with an optimizer of its own; give no other")
    if model.front and _is_ours(model, model.front, record):
        scale, offset = np.ones(columns), np.zeros(columns)
    elif record is not None:
        raw_scale, raw_offset = _raw(record.inputs, columns)
        scale, offset = scale * raw_scale, scale * raw_offset + offset
    if record is not None:
        model = _to_targets(model, record.outputs)
        huber = _huber(huber, record.outputs)
    model = _from_inputs(model, scale, offset)
    flat = [np.concatenate([p.w.ravel(), p.b]) for _, p in sorted(model.parts.items())]
    if not flat:
        raise InputError("the model has no layer with weights; end it with a Dense")
    return Converted(
        model.layers,
        model.compiled.optimizer or optimizer or Adam(),
        huber,
        model.shape if len(model.shape) > 1 else (),
        np.concatenate(flat).astype(np.float32) + np.float32(0),  # no -0
    )


def _is_ours(model: Parts, front: Front, record: Record | None) -> bool:
    """Whether a model that `pull` wrote scales its rows as this record does; otherwise it must be a
    scaling and no more, which the first layer can take up."""
    if record is None:
        raise InputError(
            "the model takes raw rows, as `tinydream pull` wrote it; give the codec of the rows"
        )
    if is_front_of(front, model.columns, record.inputs):
        return True
    if front.scaling is None:
        raise InputError(
            "the model begins with the projection, categories or left-out columns of another run;"
            " plan it in the run that it came from"
        )
    return False


def _raw(inputs: Inputs, columns: int) -> tuple[F64, F64]:
    """What a scaled input is times, and plus, to be the raw one again."""
    if inputs.projection:
        raise InputError(
            "the rows are projected, and a model takes them as they are; compress with"
            " --projection none"
        )
    if not inputs.kept.all():
        raise InputError(
            f"{int((~inputs.kept).sum())} columns that never vary were left out, and a model takes"
            f" all of them; compress with --shape {len(inputs.kept)}"
        )
    if inputs.columns != columns:
        raise InputError(f"the model takes {columns} inputs, and the rows have {inputs.columns}")
    return np.exp2(-inputs.gain.astype(float)), inputs.shift.astype(float)


def _to_targets(model: Parts, outputs: Outputs) -> Parts:
    """The last Dense gives scaled targets."""
    last = max(model.parts, default=-1)
    if not len(outputs.scale) or last < 0 or len(model.parts[last].b) != len(outputs.scale):
        return model
    part, scale = model.parts[last], outputs.scale.astype(float)
    new = Part(part.w / scale[:, None], (part.b - outputs.shift) / scale)
    return replace(model, parts=model.parts | {last: new})


def _huber(delta: float, outputs: Outputs) -> float:
    if not delta or not len(outputs.scale):
        return delta
    if len(set(outputs.scale.tolist())) > 1:
        raise InputError(
            "each target has a scale of its own, and a Huber loss one delta; compile the model with"
            " the mean squared error"
        )
    return delta / float(outputs.scale[0])


def _from_inputs(model: Parts, scale: F64, offset: F64) -> Parts:
    """The first layer takes x for x * scale + offset; a frozen batch norm does where it cannot."""
    if (scale == 1).all() and (offset == 0).all():
        return model
    at = 1 if model.layers and isinstance(model.layers[0], Flatten) else 0
    first = model.layers[at] if len(model.layers) > at else None
    if isinstance(first, Dense):
        part = model.parts[at]
        new = Part(part.w * scale, part.b + part.w @ offset)
        return replace(model, parts=model.parts | {at: new})
    scale, offset = (_by_channel(each, model.shape) for each in (scale, offset))
    whole = isinstance(first, Conv | Depthwise) and first.padding == "valid"
    if isinstance(first, Conv | Depthwise) and (whole or (offset == 0).all()):
        part = model.parts[at]
        taps = (1, 2, 3) if isinstance(first, Conv) else (0, 1)
        new = Part(part.w * scale, part.b + (part.w * offset).sum(taps))
        return replace(model, parts=model.parts | {at: new})
    return _with_batch_norm(model, scale, offset)


def _by_channel(each: F64, shape: tuple[int, ...]) -> F64:
    """One number a channel, of one an input."""
    rows = each.reshape(-1, shape[-1]) if len(shape) > 1 else each[None]
    if (rows != rows[0]).any():
        raise InputError(
            "the columns have scales of their own, one for each place in a window, which the"
            " model's first layer cannot take; begin it with a Flatten and a Dense, or give the"
            " columns one unit before they are compressed"
        )
    return np.asarray(rows[0])


def _with_batch_norm(model: Parts, scale: F64, offset: F64) -> Parts:
    """Zeros that pad a window are zeros of the model's inputs, not of ours: so scale before."""
    zero, one = np.zeros_like(scale), np.ones_like(scale)
    front = Part(np.stack([zero, one - EPSILON, scale]), offset)
    layers = [Add(x.layer + 1) if isinstance(x, Add) else x for x in model.layers]
    return replace(
        model,
        layers=(BatchNorm(train="none"), *layers),
        parts={0: front} | {at + 1: part for at, part in model.parts.items()},
    )
