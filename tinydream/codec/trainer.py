"""A small network, with a short linear projection before it that is trained together with it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream import _core

__all__ = ["Net", "train_net"]

F32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Net:
    """A projection A (d, r), and `hidden` units with ReLU and the outputs behind it.

    weights: A, W1 (r, hidden), b1, W2 (hidden, outputs), b2; float32. Without a projection r is 0
    and W1 (d, hidden).
    """

    weights: tuple[F32, F32, F32, F32, F32]

    @property
    def A(self) -> F32:
        return self.weights[0]

    def outputs(self, Z: F32) -> F32:
        """(n, outputs) of rows Z (n, d): logits, or targets."""
        A, W1, b1, W2, b2 = self.weights
        into = A @ W1 if A.size else W1
        return np.asarray(np.maximum(Z @ into + b1, 0) @ W2 + b2)


def train_net(
    Z: F32,
    y: NDArray[Any],
    classes: int,
    A0: F32 | None,
    hidden: int = 64,
    steps: int = 800,
    batch: int = 64,
    rate: float = 3e-3,
    seed: int = 0,
    decay: float = 1e-4,
) -> Net:
    """A projection, and a network behind it, that tell y from rows Z.

    Z: (n, d) float32. y: labels (n,) 0..classes-1; targets (n, t) if classes is 0. A0: the
    projection (d, r) to start from, None for a network without one. Softmax with cross-entropy,
    or mean squared error; `steps` of Adam on `batch` rows drawn with replacement, `rate` falling
    to 0, L2 `decay`. The same on every machine, whatever its threads; Python's lock is free
    meanwhile.
    """
    rows = np.ascontiguousarray(Z, np.float32)
    A0 = np.empty((rows.shape[1], 0), np.float32) if A0 is None else A0
    d, r = A0.shape
    truth = np.ascontiguousarray(y, np.int32 if classes else np.float32)
    outputs = classes or (truth.shape[1] if truth.ndim > 1 else 1)
    shapes = ((d, r), (r or d, hidden), (hidden,), (hidden, outputs), (outputs,))
    ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])
    weights = np.zeros(max(int(ends[-1]), 1), np.float32)
    weights[: ends[0]] = np.ravel(A0)
    sizes = (*rows.shape, r, outputs, bool(classes), hidden, steps, batch)
    _core.project_train(rows, truth, weights, *sizes, rate, decay, seed)
    parts = np.split(weights, ends[:-1])
    A, W1, b1, W2, b2 = (part.reshape(shape) for part, shape in zip(parts, shapes, strict=True))
    return Net((A, W1, b1, W2, b2))
