"""What is measured: methods by name, and one figure of one of them."""

from dataclasses import dataclass
from typing import Any

from tinydream.codec import Representatives

__all__ = ["METHODS", "OURS", "Built", "Method", "Unit"]

OURS = 0  # in place of bits: as many as the codec chose


@dataclass(frozen=True)
class Method:
    """bits: those to choose from on held-out rows. ours: whether it depends on the codec."""

    text: str
    bits: tuple[int, ...] = (OURS,)
    ours: bool = False


METHODS = {
    "ours": Method("EntroGeDe, defaults", ours=True),
    "all": Method("all rows, 16 bits"),
    "random 8": Method("random rows, 8 bits", (8,)),
    "random": Method("random rows, our bits", ours=True),
    "stratified 8": Method("stratified random rows, 8 bits", (8,)),
    "stratified": Method("stratified random rows, our bits", ours=True),
    "k-means": Method("weighted k-means per class, best of 3, 4, 6, 8 bits", (4, 3, 6, 8)),
    "rival": Method("the network trained on all rows, its weights in the same bytes", (8, 4, 32)),
    "herding": Method("kernel herding per class, best of 4, 8 bits", (4, 8)),
    "one mask": Method("one mask of base bits (the paper's rule, reconstructed)", (4, 8)),
    "means": Method("ours without the deviation model", ours=True),
    "random, dreamt": Method("random rows with our projection and noise", ours=True),
    "k-means, dreamt": Method("k-means with our projection and noise", ours=True),
}


@dataclass(frozen=True)
class Unit:
    """One figure to be measured over seeds.

    budget: bytes, 0 for none. rows: their number is fixed instead. noise: share of training
    labels that are wrong. options: of EntroGeDe. held: a class or group the codec never sees.
    """

    set: str
    method: str
    budget: int = 0
    learner: str = "mlp"
    noise: float = 0.0
    rows: int = 0
    options: tuple[tuple[str, Any], ...] = ()
    held: bool = False


@dataclass(frozen=True, eq=False)
class Built:
    """Packed rows, and the seconds that making them took."""

    reps: Representatives
    seconds: float
