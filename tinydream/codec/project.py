"""Short linear projections of the inputs: directions that matter, in a few bits a number."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.codec.quantise import f8_encode
from tinydream.codec.trainer import train_net
from tinydream.codec.tree import leaf_sums
from tinydream.inputs import Projection, f8_decode

__all__ = ["KINDS", "Directions"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

KINDS = ("pca", "lda", "trained")

MOST_ROWS = 8192  # that a covariance is taken from
SHRINK = 0.05  # of the mean variance within classes, added to each: LDA's regulariser
# The trained projection: more steps are better, slowly, and a higher rate does as much in fewer
# (`scripts/bench options`). What a trial has found goes on for MORE_STEPS, then with all rows.
TRIAL_STEPS, STEPS, MORE_STEPS, RATE, HIDDEN = 800, 2400, 1200, 1e-2, 64


@dataclass(frozen=True, eq=False)
class Directions:
    """Candidates for a projection of scaled inputs.

    U: (n, d) float32. y: labels (n,) if there are classes, else targets (n, t) of variance 1. seed:
    of what is drawn.
    """

    U: F32
    y: NDArray[Any]
    classes: int
    seed: int = 0

    def projection(
        self, kind: str, rank: int, bits: int, steps: int = STEPS, start: F32 | None = None
    ) -> Projection:
        """`rank` directions on principal axes of the projected rows, `bits` a number.

        kind: "pca", principal directions; "lda", Fisher's discriminants, and principal directions
        of what they leave; "trained", with a small network behind it, from either of them, or from
        `start` (d, rank).
        """
        A = self._directions(rank, kind) if start is None else start.astype(np.float64)
        if kind == "trained":
            centred = self.U - self._mean
            A = A / np.maximum((self._sample @ A).std(axis=0), 1e-9)
            start, batch = A.astype(np.float32), 64
            net = train_net(
                centred, self.y, self.classes, start, HIDDEN, steps, batch, RATE, self.seed
            )
            A = self._on_principal_axes(net.A.astype(np.float64))
        return quantise_projection(A, bits)

    def _directions(self, rank: int, kind: str) -> F64:
        if kind == "pca" or not self.classes:
            return self._principal[:, :rank]
        apart = self._discriminants[:, :rank]
        if apart.shape[1] == rank:
            return apart
        own, _ = np.linalg.qr(apart)
        rest = np.eye(len(own)) - own @ own.T
        more = np.linalg.eigh(rest @ self._covariance @ rest)[1][:, ::-1]
        return np.hstack([apart, more[:, : rank - apart.shape[1]]])

    def _on_principal_axes(self, A: F64) -> F64:
        A = A @ np.linalg.eigh(A.T @ self._covariance @ A)[1][:, ::-1]
        return np.asarray(A / np.maximum(np.linalg.norm(A, axis=0), 1e-12))

    @cached_property
    def _mean(self) -> F32:
        return np.asarray(self.U.mean(axis=0, dtype=np.float64), np.float32)

    @cached_property
    def _chosen(self) -> NDArray[np.int64]:
        if len(self.U) <= MOST_ROWS:
            return np.arange(len(self.U))
        generator = np.random.default_rng(self.seed)
        return np.sort(generator.choice(len(self.U), MOST_ROWS, replace=False))

    @cached_property
    def _sample(self) -> F32:
        """Rows that second moments are taken from, without their mean."""
        rows = self.U[self._chosen]
        return np.asarray(rows - rows.mean(axis=0, dtype=np.float64), np.float32)

    @cached_property
    def _covariance(self) -> F64:
        return np.asarray(self._sample.T @ self._sample / len(self._sample), np.float64)

    @cached_property
    def _principal(self) -> F64:
        return np.asarray(np.linalg.eigh(self._covariance)[1][:, ::-1])

    @cached_property
    def _discriminants(self) -> F64:
        """(d, classes - 1) of unit length, the best first."""
        labels = self.y[self._chosen]
        count = np.bincount(labels, minlength=self.classes)
        sums, _ = leaf_sums(self._sample, labels, self.classes)
        means = sums / np.maximum(count, 1)[:, None]
        between = (means * (count / len(labels))[:, None]).T @ means
        within = self._covariance - between
        within[np.diag_indices_from(within)] += SHRINK * np.trace(within) / len(within)
        half = np.linalg.inv(np.linalg.cholesky(within))
        A = half.T @ np.linalg.eigh(half @ between @ half.T)[1][:, ::-1]
        A = A[:, : min(self.classes - 1, A.shape[1])]
        return np.asarray(A / np.linalg.norm(A, axis=0))


def quantise_projection(A: F64, bits: int) -> Projection:
    """Columns of A (d, r), each on a grid of its own: the one of 12 that errs least."""
    top = 2 ** (bits - 1) - 1
    largest = np.maximum(np.abs(A).max(axis=0), 1e-12)
    scales = f8_encode(np.linspace(0.45, 1.0, 12)[:, None] * largest / top)  # (12, r)
    step = np.maximum(f8_decode(scales), np.float32(1e-30))[:, None]  # (12, 1, r)
    codes = np.rint(A / step).clip(-top - 1, top)
    best = np.argmin(((codes * step - A) ** 2).sum(axis=1), axis=0)
    each = np.arange(A.shape[1])
    return Projection(codes[best, :, each].T.astype(np.int8), scales[best, each], bits)
