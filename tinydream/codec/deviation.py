"""What representatives leave out: how rows spread around them, in few bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.codec.haar import haar, haar_inverse
from tinydream.codec.layout import Space
from tinydream.codec.quantise import f8_encode
from tinydream.inputs import f8_decode

__all__ = ["NONE", "SPREADS", "Model", "fit_deviations", "haar_axes"]

I32 = NDArray[np.int32]
F64 = NDArray[np.float64]

SPREADS = ("none", "class", "row")
SPREAD_BITS = 2  # of a row's own spread
CHANNELS = 12  # a second axis no longer than this, and far shorter than the first, is one of them
PASSES = 12  # to find the levels of spreads
PRIOR = 4  # rows of usual spread that each leaf or class is taken to have besides its own
NORMAL_UNIT = 0.0227652453  # the device's normal table has a spread of 1 / this
BLOCK = 1 << 20  # numbers transformed at a time


@dataclass(frozen=True)
class Model:
    """How deviations are drawn: x = representative + spread * (factors + sigma * normal).

    noise: share of the measured spread, 0 for none at all. spread: "none", one factor "class" by
    class, or one for each "row", in 2 bits. rank: of correlations between columns. axes: (length,
    whether a Haar transform runs along it) of the inputs; sigma then belongs to coefficients.
    """

    noise: float = 1.0
    spread: str = "none"
    rank: int = 0
    axes: tuple[tuple[int, bool], ...] = ()

    def nbytes(self, inputs: int, targets: int, classes: int) -> int:
        """Of all tables that the device holds for it."""
        if not self.noise:
            return 0
        spread = {"none": 0, "class": classes, "row": 1 << SPREAD_BITS}[self.spread]
        axes = 4 * len(self.axes) + inputs if self.axes else 0
        return (inputs + targets) * (1 + self.rank) + self.rank + spread + axes

    @property
    def row_bits(self) -> int:
        """Bits more in each row."""
        return SPREAD_BITS if self.noise and self.spread == "row" else 0


NONE = Model(noise=0.0)


def haar_axes(shape: Sequence[int]) -> tuple[tuple[int, bool], ...]:
    """The axes of inputs of this shape: a signal (times, channels) is transformed along time, an
    image (height, width) or (height, width, colours) along height and width."""
    channels = len(shape) == 2 and shape[1] <= CHANNELS and 2 * shape[1] <= shape[0]
    along = (True, not channels, False)
    return tuple(zip(map(int, shape), along, strict=False))


def fit_deviations(
    space: Space,
    leaf: I32,
    mean: F64,
    count: NDArray[np.int64],
    within: F64,
    model: Model,
    classes: int,
) -> tuple[dict[str, Any], I32]:
    """The fields of Rows that say the model, and each leaf's code of its spread (0 without).

    leaf: (n,). mean (m, r + t), count (m,) and within (r + t,): what `space.spread` says of it.
    """
    codes = np.zeros(len(count), np.int32)
    if not model.noise:
        return {"sigma": np.empty(0, np.uint8)}, codes
    fields: dict[str, Any] = {"sigma": within}
    if model.rank:
        fields = _factors(space, mean, count, model)
    if model.axes:
        fields |= _coefficients(space, leaf, mean, within, model.axes)
    if model.spread != "none":
        spread, codes = _spreads(space, leaf, mean, count, within, model.spread)
        fields |= spread
        if model.spread == "class":
            fields["classes"] = classes
    fields["sigma"] = f8_encode(model.noise * np.sqrt(fields["sigma"]))
    if model.rank:
        fields["factor_scale"] = f8_encode(model.noise * fields["factor_scale"])
    return fields, codes


def _factors(space: Space, mean: F64, count: NDArray[np.int64], model: Model) -> dict[str, Any]:
    """The strongest correlations within leaves as factors, and the variance that they leave.

    Principal components of the deviations in units of their own spread, less what is left in all
    directions. (Tipping and Bishop, "Probabilistic principal component analysis", 1999.)
    """
    gram = -(mean * count[:, None]).T @ mean
    step = max(1, BLOCK // len(gram))
    for i in range(0, len(space.Z), step):
        rows = space.Z[i : i + step].astype(np.float64)
        gram += rows.T @ rows
    covariance = gram / max(len(space.Z) - len(count), 1)
    own = np.sqrt(np.maximum(np.diag(covariance), 1e-18))
    value, vector = np.linalg.eigh(covariance / np.outer(own, own))
    rest = float(value[: -model.rank].mean()) if model.rank < len(value) else 0.0
    strength = np.sqrt(np.maximum(value[::-1][: model.rank] - rest, 1e-6))  # of some, all
    F = (own[:, None] * vector[:, ::-1][:, : model.rank] * strength).T
    scale = f8_decode(f8_encode(np.maximum(np.abs(F).max(axis=1) / 127, 1e-7))).astype(np.float64)
    codes = np.rint(F / scale[:, None]).clip(-127, 127)
    alone = own**2 - ((codes * scale[:, None]) ** 2).sum(axis=0)
    return {
        "sigma": np.maximum(alone, 0),
        "factors": codes.astype(np.int8),
        "factor_scale": scale * NORMAL_UNIT,
    }


def _coefficients(
    space: Space, leaf: I32, mean: F64, within: F64, axes: tuple[tuple[int, bool], ...]
) -> dict[str, Any]:
    """Variance of each coefficient of the deviations, and what makes the inputs' own right."""
    inputs = space.Z.shape[1] - space.targets
    total, left = np.zeros(inputs), max(len(space.Z) - len(mean), 1)
    step = max(1, BLOCK // inputs)
    for i in range(0, len(space.Z), step):
        apart = space.Z[i : i + step, :inputs] - mean[leaf[i : i + step], :inputs]
        total += (haar(apart, axes) ** 2).sum(axis=0)
    back = haar_inverse(np.eye(inputs), axes) ** 2  # coefficient, input
    made = np.maximum((total / left) @ back, 1e-18)
    return {
        "sigma": np.append(total / left, within[inputs:]),
        "axes": axes,
        "correction": f8_encode(np.sqrt(within[:inputs] / made)),
    }


def _spreads(
    space: Space, leaf: I32, mean: F64, count: NDArray[np.int64], within: F64, by: str
) -> tuple[dict[str, Any], I32]:
    """Factors of all deviations, by class or by leaf: root mean square of deviations in units of
    the pooled spread, drawn to 1 where there are few rows."""
    unit = np.where(within > 1e-12, 1 / np.maximum(within, 1e-12), 0)
    rows = np.bincount(leaf, np.einsum("ij,ij,j->i", space.Z, space.Z, unit, dtype=np.float64))
    apart = np.maximum(rows - count * (mean**2 @ unit), 0) / max(np.count_nonzero(unit), 1)
    if by == "class":
        label = np.zeros(len(count), np.intp)
        label[leaf] = space.label
        free = np.bincount(label, count - 1.0)
        ratio = np.sqrt((np.bincount(label, apart) + PRIOR) / (free + PRIOR))
        return {"spread": f8_encode(ratio)}, np.zeros(len(count), np.int32)
    ratio = np.sqrt((apart + PRIOR) / (count - 1 + PRIOR))
    codes = _levels(ratio, count, 1 << SPREAD_BITS)
    weight = np.maximum(np.bincount(codes, count, 1 << SPREAD_BITS), 1)
    level = np.sqrt(np.bincount(codes, count * ratio**2, 1 << SPREAD_BITS) / weight)
    return {"spread": f8_encode(level), "spread_bits": SPREAD_BITS}, codes


def _levels(ratio: F64, count: NDArray[np.int64], levels: int) -> I32:
    """The nearest of so many levels of each leaf: Lloyd's passes over log ratios."""
    value = np.log(np.maximum(ratio, 1e-6))
    middle = np.quantile(value, (np.arange(levels) + 0.5) / levels)
    for _ in range(PASSES):
        near = np.searchsorted((middle[1:] + middle[:-1]) / 2, value)
        weight = np.bincount(near, count, levels)
        mean = np.bincount(near, count * value, levels) / np.maximum(weight, 1)
        middle = np.sort(np.where(weight > 0, mean, middle))
    return np.searchsorted((middle[1:] + middle[:-1]) / 2, value).astype(np.int32)
