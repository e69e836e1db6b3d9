"""A short linear projection, trained together with a small network that is then thrown away."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream import _core

__all__ = ["project_train"]

F32 = NDArray[np.float32]


def project_train(
    Z: F32,
    y: NDArray[Any],
    classes: int,
    A0: F32,
    hidden: int = 64,
    steps: int = 800,
    batch: int = 64,
    rate: float = 3e-3,
    seed: int = 0,
    decay: float = 1e-4,
) -> F32:
    """A projection (d, r) float32, such that a network of Z @ A tells y well.

    Z: rows (n, d) float32. y: labels (n,) 0..classes-1; targets (n, t) if classes is 0. A0: the
    projection (d, r) to start from. The network: `hidden` units with ReLU, then softmax with
    cross-entropy, or mean squared error; `steps` of Adam on `batch` rows drawn with
    replacement, `rate` falling to 0, L2 `decay`. The same on every machine, whatever its
    threads; with others running it is no slower, as Python's lock is free meanwhile.
    """
    rows = np.ascontiguousarray(Z, np.float32)
    A = np.array(A0, np.float32, order="C")
    truth = np.ascontiguousarray(y, np.int32 if classes else np.float32)
    outputs = classes or (truth.shape[1] if truth.ndim > 1 else 1)
    sizes = (*rows.shape, A.shape[1], outputs, bool(classes), hidden, steps, batch)
    _core.project_train(rows, truth, A, *sizes, rate, decay, seed)
    return A
