"""Networks as data: layers, optimisers, and what they become in a plan."""

from tinydream.network.layers import (
    ACTIVATIONS,
    SGD,
    Adam,
    Dense,
    LeakyRelu,
    Network,
    Relu,
    Relu6,
    Sigmoid,
    Softmax,
    Tanh,
)

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
