"""Layers between convolutions: batch normalisation, dropout, and sums of two activations."""

import math
from dataclasses import dataclass

import numpy as np

from tinydream.errors import InputError
from tinydream.network.windows import check_train
from tinydream.plan import Layer, Window

__all__ = ["Add", "BatchNorm", "Between", "Dropout", "between_record"]


@dataclass(frozen=True)
class BatchNorm:
    """Each channel less its mean, by its deviation, times a scale, plus a shift; epsilon is 0.001.

    Mean and variance are running statistics, in training too: a batch is seen with those of the
    batches before it, and then moves them, of which `momentum` stays. So the size of a slice
    changes nothing, and nothing changes when training ends. train: 'all', 'bias' (the shift) or
    'none', which keeps the statistics. Raises InputError for a number or word out of range.
    """

    momentum: float = 0.9
    train: str = "all"

    def __post_init__(self) -> None:
        check_train(self.train)
        if not 0 <= self.momentum < 1:
            raise InputError(f"the momentum of BatchNorm lies in 0..1, not {self.momentum}")


@dataclass(frozen=True)
class Dropout:
    """While training, a share `rate` of the numbers becomes 0, and the others grow to make up.

    Which ones is a function of the seed and the row's place in the stream. Raises InputError unless
    the rate lies in 0..1, 1 excluded.
    """

    rate: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise InputError(f"the rate of Dropout lies in 0..1, 1 excluded, not {self.rate}")


@dataclass(frozen=True)
class Add:
    """Adds what an earlier layer of the network gave: number `layer` of its list, from 0.

    Where an activation follows that layer, it is the activation that is named.
    """

    layer: int


Between = BatchNorm | Dropout | Add


def between_record(layer: Between, shape: tuple[int, ...], beside: int = 0) -> Layer:
    """The plan's layer for inputs of this shape, which its outputs have, too.

    beside: of an Add, the number of the other layer in the plan.
    """
    height, width, channels = (1, 1, 1, *shape)[-3:]
    window = Window(height, width, channels, height, width, channels, 1, 1, 1, 1, 0, 0)
    size = math.prod(shape)
    if isinstance(layer, BatchNorm):
        limit = float(np.float32(layer.momentum))
        return Layer("batch_norm", size, size, limit, layer.train, window)
    if isinstance(layer, Dropout):
        return Layer("dropout", size, size, float(np.float32(layer.rate)), "none", window)
    return Layer("add", size, size, float(beside), "none", window)
