"""Keras models as networks: layers, weights, what is frozen, and how the model was compiled.

Layers are known by the names of their classes and by their configuration, so that a model in
memory is read without importing Keras once more; `load_model` imports it.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.errors import InputError
from tinydream.network.between import Add
from tinydream.network.compiled import Compiled, read_compiled
from tinydream.network.front import MARK, Front, read_front
from tinydream.network.keras_layers import MAKE, Part, check_options, told
from tinydream.network.layers import (
    AnyLayer,
    Dense,
    LeakyRelu,
    Relu,
    Relu6,
    Sigmoid,
    Softmax,
    Tanh,
)
from tinydream.network.quiet import import_keras, quiet
from tinydream.network.windows import Flatten

__all__ = ["Parts", "load_model", "read_model"]

F64 = NDArray[np.float64]
Line = Iterator[tuple[Any, tuple[str, ...]]]  # layers, and the names of those they come from

ACTIVATIONS: dict[str, AnyLayer | None] = {
    "linear": None,
    "relu": Relu(),
    "relu6": Relu6(),
    "leaky_relu": LeakyRelu(0.2),
    "tanh": Tanh(),
    "sigmoid": Sigmoid(),
    "softmax": Softmax(),
}
FRONT = ("Rescaling", "Normalization", "Reshape")
NESTED = ("Sequential", "Functional", "Model")
INSTEAD = {
    "SeparableConv1D": "a DepthwiseConv1D and a Conv1D of size 1 compute the same",
    "SeparableConv2D": "a DepthwiseConv2D and a Conv2D of size 1 compute the same",
    "LayerNormalization": "BatchNormalization is there",
    "GroupNormalization": "BatchNormalization is there",
    "ZeroPadding1D": "padding='same' of the layer behind it may do",
    "ZeroPadding2D": "padding='same' of the layer behind it may do",
    "GaussianNoise": "drawn rows deviate anyway, so leave it out",
    "GaussianDropout": "Dropout is there",
    "AlphaDropout": "Dropout is there",
    "SpatialDropout1D": "Dropout is there",
    "SpatialDropout2D": "Dropout is there",
    "PReLU": "LeakyReLU is there",
    "ELU": "LeakyReLU is there",
    "LSTM": "Conv1D and GlobalAveragePooling1D are there",
    "GRU": "Conv1D and GlobalAveragePooling1D are there",
    "SimpleRNN": "Conv1D and GlobalAveragePooling1D are there",
    "Concatenate": "Add is there",
    "Conv2DTranspose": "Conv2D is there",
}


@dataclass(frozen=True, eq=False)
class Parts:
    """What a Keras model is made of.

    parts: of each layer with parameters. scale, offset: what the model does to its inputs first,
    x * scale + offset, float64, one or one an input. Of the compilation: optimiser (None if it was
    not compiled) and the Huber loss' delta. columns: of the rows that the model takes; front: what
    it does to them before the layers, if `tinydream pull` wrote it.
    """

    layers: tuple[AnyLayer, ...]
    parts: dict[int, Part]
    shape: tuple[int, ...]
    scale: F64
    offset: F64
    compiled: Compiled
    columns: int
    front: Front | None


def load_model(path: str | Path) -> Any:
    """The Keras model of a .keras file; one that brings code along is refused.

    Raises InputError when it cannot be read, or Keras is not there.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise InputError(
            f"a Keras model lies in a .keras file, not in {str(path)!r}; model.save writes one"
        )
    if not path.is_file():
        raise InputError(f"{path} cannot be read: there is no such file")
    keras = import_keras()
    try:
        with quiet():
            return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # zipfile, h5py and Keras each raise their own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} is no Keras model that can be read: {reason}") from None


def read_model(model: Any) -> Parts:
    """A Sequential or functional model that is one line of layers, with Adds of earlier ones.

    Raises InputError for a layer or an option that a network has not, with what would do instead.
    """
    if type(model).__name__ not in NESTED or not getattr(model, "built", True):
        raise InputError(
            f"a Sequential or functional model that knows its inputs is needed, not a"
            f" {type(model).__name__}; begin it with keras.Input(shape)"
        )
    reader = _Reader()
    reader.model(model)
    compiled = read_compiled(model)
    layers, parts = _head(reader.layers, compiled), reader.parts
    affine = reader.scale, reader.offset
    return Parts(layers, parts, reader.shape, *affine, compiled, reader.columns, reader.front)


def _head(layers: list[AnyLayer], compiled: Compiled) -> tuple[AnyLayer, ...]:
    """With the head that the loss stands for, where the model itself gives logits."""
    last = layers[-1] if layers else None
    ends = type(last).__name__.lower() if isinstance(last, Softmax | Sigmoid) else "linear"
    if compiled.logits:
        units = last.units if isinstance(last, Dense) else 0
        return (*layers, Sigmoid() if units == 1 else Softmax())
    if compiled.head not in ("", ends):
        wanted = {"linear": "none", "softmax": "softmax", "sigmoid": "sigmoid"}[compiled.head]
        raise InputError(
            f"a model compiled with the loss {compiled.loss} needs {wanted} as the activation of"
            f" its last Dense, and it has {ends}; or from_logits=True"
        )
    return tuple(layers)


@dataclass
class _Reader:
    """Goes through a model's layers; `given`: which of ours gives the outputs of one of Keras'."""

    layers: list[AnyLayer] = field(default_factory=list)
    parts: dict[int, Part] = field(default_factory=dict)
    shape: tuple[int, ...] = ()
    scale: F64 = field(default_factory=lambda: np.ones(1))
    offset: F64 = field(default_factory=lambda: np.zeros(1))
    columns: int = 0
    front: Front | None = None

    def model(self, model: Any) -> None:
        """Append the layers of a model whose inputs are the outputs so far."""
        if not self.layers and not self.shape:
            self._begin(tuple(model.input_shape[1:]))
        given: dict[str, int] = {}
        before = ""
        line = _line(model)
        if not self.layers and (front := read_front(model)):
            line = self._behind(front, line)
            before = MARK
        for layer, comes in line:
            name, kind = layer.name, _kind(layer)
            if kind not in (*MAKE, *NESTED, *FRONT, "Add", "InputLayer"):
                also = INSTEAD.get(kind, "leave it out, or put other layers in its place")
                raise InputError(f"layer {name!r} is a {kind}, which networks have not; {also}")
            if kind == "Add":
                self._add(layer, comes, given, before)
            elif comes not in ((), (before,)):
                raise InputError(
                    f"layer {name!r} does not take the outputs of {before!r}; a network is one"
                    " line of layers, with Adds of what earlier ones gave"
                )
            elif kind in NESTED:
                self.model(layer)
            elif kind in FRONT:
                self._front(layer, kind)
            elif kind != "InputLayer":
                self._layer(layer, kind)
            given[name] = len(self.layers) - 1
            before = name

    def _begin(self, shape: tuple[Any, ...]) -> None:
        if not 1 <= len(shape) <= 3 or None in shape:
            raise InputError(f"a model's inputs need a shape of 1 to 3 numbers, not {shape}")
        self.shape, self.columns = shape, int(np.prod(shape))

    def _behind(self, front: Front, line: Line) -> Line:
        """The layers behind a front."""
        self.front, self.shape = front, (front.inputs,)
        if front.scaling is not None:
            self.scale, self.offset = _affine(front.scaling, "Rescaling", self.shape)
        return itertools.islice(
            itertools.dropwhile(lambda each: each[0].name != MARK, line), 1, None
        )

    def _add(self, layer: Any, comes: tuple[str, ...], given: dict[str, int], last: str) -> None:
        others = [each for each in comes if each != last]
        if len(comes) != 2 or len(others) != 1 or given[others[0]] < 0:
            raise InputError(
                f"layer {layer.name!r} adds {' and '.join(map(repr, comes))}; a network adds what"
                " an earlier layer gave to what the layer before gives"
            )
        self.layers.append(Add(given[others[0]]))

    def _layer(self, layer: Any, kind: str) -> None:
        config = layer.get_config()
        check_options(layer.name, config)
        made, part = MAKE[kind](layer, config)
        if isinstance(made, Flatten) and not self.layers and len(self.shape) == 1:
            return
        if made is not None:
            self.layers.append(made)
        if part is not None:
            self.parts[len(self.layers) - 1] = part
        self._activation(layer.name, config.get("activation", "linear"))

    def _activation(self, name: str, activation: Any) -> None:
        if not isinstance(activation, str) or activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise InputError(
                f"layer {name!r} has the activation {told(activation)}, which networks have not;"
                f" take one of {known}"
            )
        made = ACTIVATIONS[activation]
        if made is not None:
            self.layers.append(made)

    def _front(self, layer: Any, kind: str) -> None:
        """What becomes of the inputs before the first layer, or of targets behind the last."""
        if kind == "Rescaling" and self.layers and isinstance(self.layers[-1], Dense):
            part, at = self.parts[len(self.layers) - 1], len(self.layers) - 1
            scale, offset = _affine(layer, kind, part.b.shape)
            self.parts[at] = Part(part.w * scale.reshape(-1, 1), part.b * scale + offset)
            return
        if self.layers:
            raise InputError(f"layer {layer.name!r} is a {kind}; it can only come first")
        if kind == "Reshape":
            self.shape = np.empty(self.shape).reshape(layer.target_shape).shape
            return
        scale, offset = _affine(layer, kind, self.shape)
        self.scale, self.offset = self.scale * scale, self.offset * scale + offset


def _affine(layer: Any, kind: str, shape: tuple[int, ...]) -> Any:
    """Scale and offset of a Rescaling or Normalization: one number, or one an input."""
    if kind == "Rescaling":
        scale, offset = (np.asarray(each, float) for each in (layer.scale, layer.offset))
    else:
        mean, variance = (np.asarray(each, float) for each in (layer.mean, layer.variance))
        deviation = np.maximum(np.sqrt(variance), 1e-7)
        scale, offset = 1 / deviation, -mean / deviation
        if layer.invert:
            scale, offset = deviation, mean
    return tuple(_spread(each, shape) for each in (scale, offset))


def _spread(each: F64, shape: tuple[int, ...]) -> F64:
    return each.reshape(1) if each.size == 1 else np.broadcast_to(each, (1, *shape)).ravel()


def _line(model: Any) -> Line:
    """The layers of a model in order, with the names of those whose outputs they take."""
    if type(model).__name__ == "Sequential":
        yield from ((layer, ()) for layer in model.layers)
        return
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise InputError(f"a model with one input and one output is needed, not {model.name!r}")
    comes = {each["name"]: each["inbound_nodes"] for each in model.get_config()["layers"]}
    for layer in model.operations:  # layers, and functions of keras.ops
        nodes = comes[layer.name]
        if len(nodes) > 1:
            raise InputError(f"layer {layer.name!r} is used {len(nodes)} times; make a layer each")
        yield layer, tuple(_histories(nodes))


def _kind(layer: Any) -> str:
    """A layer's class, or a function of keras.ops; x + y is as good as an Add."""
    name = type(layer).__name__
    return name if name == "Add" or hasattr(layer, "get_weights") else f"keras.ops.{name}"


def _histories(node: Any) -> Iterator[str]:
    """Names of the layers in the serialised arguments of a call."""
    if isinstance(node, dict) and "keras_history" in node:
        yield node["keras_history"][0]
    elif isinstance(node, dict):
        for each in node.values():
            yield from _histories(each)
    elif isinstance(node, list | tuple):
        for each in node:
            yield from _histories(each)
