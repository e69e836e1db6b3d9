"""Layers, losses and optimisers as plain records; the arithmetic is the C core's."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.errors import InputError
from tinydream.network.between import Add, BatchNorm, Between, between_record
from tinydream.network.windows import (
    Conv,
    Depthwise,
    Flatten,
    Windowed,
    check_train,
    window_record,
)
from tinydream.plan import Layer, Optimizer

__all__ = [
    "ACTIVATIONS",
    "SGD",
    "Adam",
    "Dense",
    "LeakyRelu",
    "Network",
    "Relu",
    "Relu6",
    "Sigmoid",
    "Softmax",
    "Tanh",
]


@dataclass(frozen=True)
class Dense:
    """Weighted sums of all inputs plus a bias, `units` of them.

    train: which parameters training moves: 'all', 'bias' or 'none'; the others stay as they were
    drawn or set, and need no memory but their own. Raises InputError unless units lies in
    1..65535, and for any other word.
    """

    units: int
    train: str = "all"

    def __post_init__(self) -> None:
        check_train(self.train)
        if not 1 <= self.units <= 65535:
            raise InputError(f"Dense needs 1..65535 units, not {self.units}")


@dataclass(frozen=True)
class Relu:
    """The positive part."""


@dataclass(frozen=True)
class Relu6:
    """The positive part, no more than 6."""


@dataclass(frozen=True)
class LeakyRelu:
    """The positive part, and `slope` times the negative one. Keras' default slope.

    Raises InputError unless slope lies in 0..1.
    """

    slope: float = 0.3

    def __post_init__(self) -> None:
        if not 0 <= self.slope <= 1:
            raise InputError(f"the slope of LeakyRelu must lie in 0..1, not {self.slope}")


@dataclass(frozen=True)
class Tanh:
    """The hyperbolic tangent."""


@dataclass(frozen=True)
class Sigmoid:
    """1 / (1 + exp(-x)). At the end, after a Dense of one unit, the probability of the second of
    two classes, trained with binary cross-entropy.
    """


@dataclass(frozen=True)
class Softmax:
    """Probabilities of the classes; trained with cross-entropy. Always the last layer."""


def _check_clip_and_decay(clip: float, decay: float) -> None:
    if not 0 <= clip < math.inf:
        raise InputError(f"clip must be a finite number, 0 for none, not {clip}")
    if not 0 <= decay <= 1:
        raise InputError(f"decay must lie in 0..1, not {decay}")


def _f32(value: float) -> float:
    return float(np.float32(value))


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with Keras' momentum. rate: the default of `train --rate`.

    clip: longest gradient of a step, as Keras' global_clipnorm; 0 for any. decay: Keras'
    weight_decay. Raises InputError for a number out of range.
    """

    rate: float = 0.05
    momentum: float = 0.0
    clip: float = 0.0
    decay: float = 0.0

    def __post_init__(self) -> None:
        _check_clip_and_decay(self.clip, self.decay)
        if not 0 <= self.momentum < 1:
            raise InputError(f"momentum must lie in 0..1, 1 excluded, not {self.momentum}")

    def record(self) -> Optimizer:
        return Optimizer("sgd", _f32(self.momentum), clip=_f32(self.clip), decay=_f32(self.decay))


@dataclass(frozen=True)
class Adam:
    """Adam with Keras' conventions (Kingma and Ba 2015). rate: the default of `train --rate`.

    clip, decay: as in SGD. Raises InputError for a number out of range.
    """

    rate: float = 3e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-7
    clip: float = 0.0
    decay: float = 0.0

    def __post_init__(self) -> None:
        _check_clip_and_decay(self.clip, self.decay)
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} must lie in 0..1, 1 excluded, not {getattr(self, name)}")
        if not self.epsilon > 0:
            raise InputError(f"epsilon must be above 0, not {self.epsilon}")

    def record(self) -> Optimizer:
        betas = (self.beta1, self.beta2, self.epsilon)
        return Optimizer("adam", *map(_f32, (*betas, self.clip, self.decay)))


Activation = Relu | Relu6 | LeakyRelu | Tanh | Sigmoid
AnyLayer = Dense | Windowed | Between | Flatten | Activation | Softmax
Trainable = Dense | Conv | Depthwise | BatchNorm

# by name: in a plan, in `Network.mlp` and on the command line
ACTIVATIONS: dict[str, type[Activation]] = {
    "relu": Relu,
    "relu6": Relu6,
    "leaky_relu": LeakyRelu,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
}


@dataclass(frozen=True)
class Network:
    """A stack of layers: operations, each with an activation or none, then Softmax for classes.

    Operations are Dense and, over inputs of a `shape` ((height, width, channels), or (steps,
    channels)), Conv, Depthwise and pools, with a Flatten before the first Dense; BatchNorm,
    Dropout and Add lie anywhere. Activations are Relu, Relu6, LeakyRelu, Tanh and Sigmoid; one of
    them, or another operation, lies between any two Dense. The last operation is a Dense with as
    many units as there are classes, or targets; two classes may have one unit and a Sigmoid.
    Without either the network is trained for regression, with the mean squared error, or with the
    Huber loss of that delta when `huber` is above 0. weights: float32 (parameters,) to begin with,
    as a simulator or a device takes them (`push`); None for drawn ones. Raises InputError for any
    other stack.
    """

    layers: Sequence[AnyLayer]
    optimizer: SGD | Adam = Adam()
    huber: float = 0.0
    shape: tuple[int, ...] = ()
    weights: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "shape", tuple(self.shape))
        self._check_order()
        self._check_loss(isinstance(self.layers[-1], Sigmoid))
        if self.shape:
            self.records(math.prod(self.shape))
        trains = [layer.train for layer in self.layers if isinstance(layer, Trainable)]
        if set(trains) == {"none"}:
            raise InputError("nothing of this network is to be trained; let one Dense train")

    def _check_order(self) -> None:
        head = self.layers[-1:] in ((Softmax(),), (Sigmoid(),))
        body = self.layers[:-1] if head else self.layers
        flat = [layer for layer in body if not isinstance(layer, Flatten)]
        good = bool(flat) and isinstance(flat[-1], Dense) and not isinstance(flat[0], Activation)
        for before, layer in zip(flat, flat[1:], strict=False):
            good &= not isinstance(layer, Softmax)
            good &= not (isinstance(before, Dense) and isinstance(layer, Dense))
            good &= not (isinstance(before, Activation) and isinstance(layer, Activation))
        if not good:
            names = ", ".join(type(layer).__name__ for layer in self.layers)
            raise InputError(
                "a network is Dense, then (activation, Dense) any number of times, then Softmax for"
                f" classes, perhaps with convolutions and pools before, not {names or 'empty'}"
            )

    def trained(self, last: int | None = None, *, bias_only: bool = False) -> "Network":
        """The same network; training moves its `last` layers with weights, or only their biases.

        Raises InputError unless there are as many layers, and at least one.
        """
        count = sum(isinstance(layer, Trainable) for layer in self.layers)
        last = count if last is None else last
        if not 1 <= last <= count:
            raise InputError(f"1..{count} layers of this network can be trained, not {last}")
        words = iter(["none"] * (count - last) + ["bias" if bias_only else "all"] * last)
        layers = [
            replace(layer, train=next(words)) if isinstance(layer, Trainable) else layer
            for layer in self.layers
        ]
        return replace(self, layers=layers)

    def _check_loss(self, sigmoid: bool) -> None:
        if not 0 <= self.huber < math.inf:
            raise InputError(f"the delta of a Huber loss must be above 0, not {self.huber}")
        if self.huber and self.task == "classification":
            raise InputError("a Huber loss is for regression, and this network ends in classes")
        if sigmoid and self.outputs != 1:
            raise InputError(
                f"a Sigmoid at the end stands for two classes and needs a Dense of 1 unit, not"
                f" {self.outputs}; use Softmax"
            )

    @classmethod
    def mlp(
        cls,
        hidden: Sequence[int],
        outputs: int,
        optimizer: SGD | Adam | None = None,
        *,
        task: str = "classification",
        huber: float = 0.0,
        activation: str = "relu",
    ) -> "Network":
        """Hidden layers of these sizes, each with `activation`; one output a class or a target.

        One output for classification is a Sigmoid, for two classes. Raises InputError for an
        activation that is not one of ACTIVATIONS.
        """
        if activation not in ACTIVATIONS:
            raise InputError(f"an activation is {', '.join(ACTIVATIONS)}, not {activation!r}")
        layers: list[AnyLayer] = []
        for units in hidden:
            layers += [Dense(units), ACTIVATIONS[activation]()]
        layers.append(Dense(outputs))
        if task == "classification":
            layers.append(Softmax() if outputs > 1 else Sigmoid())
        return cls(layers, optimizer or Adam(), huber)

    @classmethod
    def from_keras(
        cls, model: Any, codec: Any = None, optimizer: SGD | Adam | None = None
    ) -> "Network":
        """A Sequential or functional Keras model: layers, weights, what is frozen, compilation.

        codec: fitted on rows as the model takes them (or representatives): weights are converted
        so that the network computes of scaled inputs, and to scaled targets, what the model does
        in raw units. Without it the model is taken to get network inputs. What `tinydream pull`
        wrote goes in as it came out. optimizer: of a model that was not compiled. Raises InputError
        for a layer or an option that networks have not, with what would do instead, and for a model
        that does not fit the codec.
        """
        from tinydream.network.convert import converted
        from tinydream.network.keras import read_model

        made = converted(read_model(model), getattr(codec, "representatives_", codec), optimizer)
        return cls(made.layers, made.optimizer, made.huber, made.shape, made.weights)

    @property
    def task(self) -> str:
        classes = isinstance(self.layers[-1], Softmax | Sigmoid)
        return "classification" if classes else "regression"

    @property
    def classes(self) -> int:
        """How many classes the network tells apart; 0 for regression."""
        if self.task == "regression":
            return 0
        return 2 if isinstance(self.layers[-1], Sigmoid) else self.outputs

    @property
    def outputs(self) -> int:
        """Units of the last Dense: classes or targets, or 1 before a Sigmoid."""
        return next(x.units for x in reversed(self.layers) if isinstance(x, Dense))

    def records(self, inputs: int) -> tuple[Layer, ...]:
        """The plan's layers for that many inputs; initial weights are Glorot's uniform ones.

        Raises InputError when they are not those of the network's shape, or a window does not fit.
        """
        shape = self.shape or (inputs,)
        if math.prod(shape) != inputs:
            raise InputError(
                f"a network of inputs of shape {shape} cannot take {inputs} inputs; so that a row"
                " keeps all of its numbers, compress with --shape"
            )
        records: list[Layer] = []
        given: list[tuple[int, tuple[int, ...]]] = []  # by each layer: in which record, its shape
        for layer in self.layers:
            if isinstance(layer, Flatten):
                shape = (math.prod(shape),)
                given.append((len(records) - 1, shape))
                continue
            operation = isinstance(layer, Dense | Windowed | Between)
            if operation and len(records) % 2:  # no activation in between
                records.append(Layer("linear", records[-1].outputs, records[-1].outputs))
            if isinstance(layer, Windowed):
                record, shape = window_record(layer, shape)
            elif isinstance(layer, Between):
                beside = _beside(layer, given, len(records), shape) if isinstance(layer, Add) else 0
                record = between_record(layer, shape, beside)
            else:
                record = _record(layer, shape)
            if isinstance(layer, Dense):
                shape = (layer.units,)
            records.append(record)
            given.append((len(records) - 1, shape))
        return tuple(records)


def _beside(
    layer: Add, given: Sequence[tuple[int, tuple[int, ...]]], at: int, shape: tuple[int, ...]
) -> int:
    """The number of the operation that an Add adds, where the Add is layer `at` of the plan."""
    name = f"Add({layer.layer})"
    record, other = given[layer.layer] if 0 <= layer.layer < len(given) else (-1, ())
    if record < 0:
        raise InputError(f"{name} has no such layer before it; the network's first is 0")
    operation = record - record % 2
    if record == operation and any(number == record + 1 for number, _ in given):
        raise InputError(f"the layer of {name} has an activation behind it; name that")
    if operation + 4 > at:
        raise InputError(f"{name} gets the outputs of that layer anyway; name an earlier one")
    if other != shape:
        raise InputError(f"{name} cannot add outputs of shape {other} to those of shape {shape}")
    return operation


def _record(layer: Dense | Activation | Softmax, shape: tuple[int, ...]) -> Layer:
    """The plan's layer, where no window moves."""
    width = math.prod(shape)
    if isinstance(layer, Dense):
        if len(shape) != 1:
            raise InputError(
                f"a Dense takes one row of numbers, not {shape}; put a Flatten before it"
            )
        limit = _f32(math.sqrt(6 / (width + layer.units)))
        return Layer("dense", width, layer.units, limit, layer.train)
    if isinstance(layer, Softmax):
        return Layer("softmax", width, width)
    kind = next(name for name, kind in ACTIVATIONS.items() if type(layer) is kind)
    return Layer(kind, width, width, _f32(layer.slope) if isinstance(layer, LeakyRelu) else 0.0)
