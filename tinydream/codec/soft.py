"""Soft targets: what a teacher that saw all rows says of each representative."""

import numpy as np
from numpy.typing import NDArray

from tinydream.codec.trainer import train_net

__all__ = ["soften"]

STEPS, RATE, HIDDEN = 2400, 1e-2, 64
BLOCK = 1 << 16  # rows the teacher is asked about at a time


def soften(
    Z: NDArray[np.float32],
    label: NDArray[np.int32],
    classes: int,
    leaf: NDArray[np.int32],
    bits: int,
) -> NDArray[np.int32]:
    """Of each leaf its shares (m, classes) as integers of `bits` bits; its class has the largest.

    The teacher is a network of 64 hidden units, trained on all rows Z (n, r); a leaf's shares are
    the mean of the probabilities that it gives the leaf's rows. (Hinton, Vinyals and Dean,
    "Distilling the knowledge in a neural network", 2015, without a temperature.)
    """
    mean = Z.mean(axis=0, dtype=np.float64).astype(np.float32)
    std = np.maximum(Z.std(axis=0, dtype=np.float64), 1e-6)
    rank = min(Z.shape[1], HIDDEN)
    start = (np.eye(Z.shape[1])[:, :rank] / std[:, None]).astype(np.float32)
    net = train_net(Z - mean, label, classes, start, HIDDEN, STEPS, rate=RATE)
    shares: NDArray[np.float64] = np.zeros((int(leaf.max()) + 1, classes))
    for i in range(0, len(Z), BLOCK):
        z = net.outputs(Z[i : i + BLOCK] - mean)
        p = np.exp(z - z.max(axis=1, keepdims=True))
        np.add.at(shares, leaf[i : i + BLOCK], p / p.sum(axis=1, keepdims=True))
    own = np.zeros(len(shares), np.intp)
    own[leaf] = label
    each = np.arange(len(shares))
    shares[each, own] = np.maximum(shares[each, own], shares.max(axis=1) * 1.0001)
    top = (1 << bits) - 1
    codes: NDArray[np.int32] = np.rint(shares / shares.max(axis=1, keepdims=True) * top).astype(
        np.int32
    )
    # the first largest share is the label: no other may be as large
    codes = np.minimum(codes, top - 1)
    codes[each, own] = top
    return codes
