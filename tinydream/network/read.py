"""Networks from TOML: the shape of the inputs, and the layers before the last Dense."""

import tomllib
from collections.abc import Callable
from typing import Any

from tinydream.errors import InputError
from tinydream.network.between import Add, BatchNorm, Dropout
from tinydream.network.layers import (
    ACTIVATIONS,
    SGD,
    Adam,
    AnyLayer,
    Dense,
    Network,
    Sigmoid,
    Softmax,
)
from tinydream.network.windows import (
    AveragePool,
    Conv,
    Depthwise,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    MaxPool,
)

__all__ = ["read_network"]

KINDS: dict[str, Callable[..., AnyLayer]] = {
    "conv": Conv,
    "depthwise": Depthwise,
    "max_pool": MaxPool,
    "average_pool": AveragePool,
    "global_max_pool": GlobalMaxPool,
    "global_average_pool": GlobalAveragePool,
    "batch_norm": BatchNorm,
    "dropout": Dropout,
    "add": Add,
    "flatten": Flatten,
    "dense": Dense,
    **ACTIVATIONS,
}


def read_network(
    text: str,
    outputs: int,
    optimizer: SGD | Adam,
    *,
    task: str = "classification",
    huber: float = 0.0,
) -> Network:
    """The network that TOML describes, with a Dense of so many outputs, and a head for classes.

    `shape` is a list of numbers; each of `layers` has a `kind` and what that kind of layer has in
    Python. Raises InputError for what is no TOML, or does not belong there.
    """
    found = _parsed(text)
    if extra := found.keys() - {"shape", "layers"}:
        raise InputError(f"a network has shape and layers, not {', '.join(sorted(extra))}")
    layers = [_layer(i, entry) for i, entry in enumerate(found.get("layers", []), 1)]
    layers.append(Dense(outputs))
    if task == "classification":
        layers.append(Softmax() if outputs > 1 else Sigmoid())
    shape = found.get("shape", [])
    if not isinstance(shape, list) or not all(type(n) is int and n > 0 for n in shape):
        raise InputError(f"the shape of a network is a list of numbers above 0, not {shape!r}")
    return Network(layers, optimizer, huber, tuple(shape))


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"the network is no TOML: {error}") from None


def _layer(number: int, entry: Any) -> AnyLayer:
    if not isinstance(entry, dict) or entry.get("kind") not in KINDS:
        raise InputError(f"layer {number} needs a kind: {', '.join(KINDS)}")
    fields = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in entry.items()
        if key != "kind"
    }
    try:
        return KINDS[entry["kind"]](**fields)
    except TypeError:
        names = ", ".join(fields) or "nothing"
        raise InputError(f"layer {number}: {entry['kind']} cannot be made of {names}") from None
