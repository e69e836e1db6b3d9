"""Networks as data: layers, optimisers, and what they become in a plan."""

from tinydream.network.between import Add, BatchNorm, Dropout
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
from tinydream.network.read import read_network
from tinydream.network.windows import (
    AveragePool,
    Conv,
    Depthwise,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    MaxPool,
)

__all__ = [
    "ACTIVATIONS",
    "SGD",
    "Adam",
    "Add",
    "AveragePool",
    "BatchNorm",
    "Conv",
    "Dense",
    "Depthwise",
    "Dropout",
    "Flatten",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "LeakyRelu",
    "MaxPool",
    "Network",
    "Relu",
    "Relu6",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "read_network",
]
