"""Layers, losses and optimisers as plain records; the arithmetic is the C core's."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinydream.errors import InputError
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

    Raises InputError unless units lies in 1..65535.
    """

    units: int

    def __post_init__(self) -> None:
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
    """1 / (1 + exp(-x))."""


@dataclass(frozen=True)
class Softmax:
    """Probabilities of the classes; trained with cross-entropy. Always the last layer."""


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with Keras' momentum. rate: the default of `train --rate`.

    Raises InputError for a number out of range.
    """

    rate: float = 0.05
    momentum: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.momentum < 1:
            raise InputError(f"momentum must lie in 0..1, 1 excluded, not {self.momentum}")

    def record(self) -> Optimizer:
        return Optimizer("sgd", _f32(self.momentum))


@dataclass(frozen=True)
class Adam:
    """Adam with Keras' conventions (Kingma and Ba 2015). rate: the default of `train --rate`.

    Raises InputError for a number out of range.
    """

    rate: float = 3e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-7

    def __post_init__(self) -> None:
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} must lie in 0..1, 1 excluded, not {getattr(self, name)}")
        if not self.epsilon > 0:
            raise InputError(f"epsilon must be above 0, not {self.epsilon}")

    def record(self) -> Optimizer:
        return Optimizer("adam", _f32(self.beta1), _f32(self.beta2), _f32(self.epsilon))


Activation = Relu | Relu6 | LeakyRelu | Tanh | Sigmoid
AnyLayer = Dense | Activation | Softmax

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
    """A stack of layers: Dense, then (activation, Dense) any number of times, Softmax for classes.

    Activations are Relu, Relu6, LeakyRelu, Tanh and Sigmoid. The last Dense has as many units as
    there are classes, or targets: without Softmax the network is trained for regression, with the
    mean squared error. Raises InputError for any other stack.
    """

    layers: Sequence[AnyLayer]
    optimizer: SGD | Adam = Adam()

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        body = self.layers[:-1] if self.layers[-1:] == (Softmax(),) else self.layers
        dense, between = body[::2], body[1::2]
        if (
            len(body) % 2 == 0
            or not all(isinstance(layer, Dense) for layer in dense)
            or not all(isinstance(layer, Activation) for layer in between)
        ):
            names = ", ".join(type(layer).__name__ for layer in self.layers)
            raise InputError(
                "a network is Dense, then (activation, Dense) any number of times, then Softmax for"
                f" classes, not {names or 'empty'}"
            )

    @classmethod
    def mlp(
        cls,
        hidden: Sequence[int],
        outputs: int,
        optimizer: SGD | Adam | None = None,
        *,
        task: str = "classification",
        activation: str = "relu",
    ) -> "Network":
        """Hidden layers of these sizes, each with `activation`; one output a class or a target.

        Raises InputError for an activation that is not one of ACTIVATIONS.
        """
        if activation not in ACTIVATIONS:
            raise InputError(f"an activation is {', '.join(ACTIVATIONS)}, not {activation!r}")
        layers: list[AnyLayer] = []
        for units in hidden:
            layers += [Dense(units), ACTIVATIONS[activation]()]
        layers.append(Dense(outputs))
        if task == "classification":
            layers.append(Softmax())
        return cls(layers, optimizer or Adam())

    @property
    def task(self) -> str:
        return "classification" if isinstance(self.layers[-1], Softmax) else "regression"

    @property
    def outputs(self) -> int:
        """Classes, or targets."""
        return next(x.units for x in reversed(self.layers) if isinstance(x, Dense))

    def records(self, inputs: int) -> tuple[Layer, ...]:
        """The plan's layers for that many inputs; initial weights are Glorot's uniform ones."""
        records, width = [], inputs
        for layer in self.layers:
            if isinstance(layer, Dense):
                limit = _f32(math.sqrt(6 / (width + layer.units)))
                records.append(Layer("dense", width, layer.units, limit))
                width = layer.units
            elif isinstance(layer, Softmax):
                records.append(Layer("softmax", width, width))
            else:
                kind = next(name for name, kind in ACTIVATIONS.items() if type(layer) is kind)
                slope = _f32(layer.slope) if isinstance(layer, LeakyRelu) else 0.0
                records.append(Layer(kind, width, width, slope))
        return tuple(records)


def _f32(value: float) -> float:
    return float(np.float32(value))
