"""Device against simulator: the same training twice, compared bit for bit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tinydream.errors import VerifyError
from tinydream.plan import Plan
from tinydream.ports import open_port
from tinydream.run import Run
from tinydream.simulator import Simulator
from tinydream.training import Knobs, Metrics

__all__ = ["Verified", "verify"]

F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Verified:
    """What was found equal. trained: now, by `verify` itself; probes: held-out rows predicted."""

    port: str
    trained: bool
    digest: str
    epochs: int
    weights: int
    probes: int
    crc32: str


def verify(
    run: Run, port: str | None = None, on_metrics: Callable[[Metrics], Any] | None = None
) -> Verified:
    """Train in the simulator, and compare weights and predictions with a device's, bit for bit.

    port: trained anew, with the knobs of the last training if there was one; without a port the
    weights that `train` brought home are compared, and no device is needed.
    Raises VerifyError when a weight or a prediction differs, RunError when there is nothing to
    compare, DeviceError when the device cannot be reached or was built from another plan.
    """
    made = run.plan()
    probes = run.heldout().X
    if port is None:
        trained = run.read_json("train.json", "digest", "port", "knobs")
        if trained["digest"] != made.digest.hex():
            raise run.stale("train.json", f"it was trained from plan {trained['digest']}")
        knobs, where = run.knobs("train.json"), str(trained["port"])
        weights = run.weights(made)
    else:
        knobs, where = _last_knobs(run, made), port
        with open_port(run, made, port) as device:
            device.train(**knobs.as_dict(), on_metrics=on_metrics)
            weights = np.array(device.pull(), np.float32)
    simulator = Simulator(made)
    simulator.train(**knobs.as_dict())
    _compare(made, where, weights, simulator, probes)
    return Verified(
        port=where,
        trained=port is not None,
        digest=made.digest.hex(),
        epochs=knobs.epochs,
        weights=len(weights),
        probes=len(probes),
        crc32=f"{crc32(weights.astype('<f4').tobytes()):08x}",
    )


def _last_knobs(run: Run, made: Plan) -> Knobs:
    """Of the last training of this plan, or the plan's own."""
    if run.has("train.json"):
        trained = run.read_json("train.json", "digest", "knobs")
        if trained["digest"] == made.digest.hex():
            return run.knobs("train.json")
    return run.knobs("plan.json")


def _compare(
    made: Plan, where: str, weights: F32, simulator: Simulator, probes: NDArray[Any]
) -> None:
    ours = simulator.weights.copy()
    answers = simulator.predict(probes)
    device = Simulator(made)
    device.push(weights)
    theirs = device.predict(probes)
    other = np.flatnonzero(weights.view(np.uint32) != ours.view(np.uint32))
    wrong = int((_bits(answers) != _bits(theirs)).any(axis=1).sum())
    if not len(other) and not wrong:
        return
    first = int(other[0]) if len(other) else 0
    raise VerifyError(
        f"{len(other):,} of {len(weights):,} weights differ between port {where!r} and the"
        f" simulator, the first is number {first}, {_name(made, first)}: {weights[first]:.9g} there"
        f" and {ours[first]:.9g} here; {wrong:,} of {len(probes):,} held-out rows are predicted"
        " differently: run `tinydream build` and `tinydream train` again, and report it as a defect"
        " if it stays"
    )


def _bits(answers: NDArray[Any]) -> NDArray[np.uint32]:
    return np.ascontiguousarray(answers.reshape(len(answers), -1)).view(np.uint32)


def _name(made: Plan, number: int) -> str:
    """Which weight that is, as weights.npz calls it: W1[3, 0] or b1[3]."""
    for i, layer in enumerate((x for x in made.layers if x.parameters), 1):
        if number < layer.weights:
            place = ", ".join(map(str, np.unravel_index(number, layer.shape)))
            return f"W{i}[{place}]"
        number -= layer.weights
        if number < layer.biases:
            return f"b{i}[{number}]"
        number -= layer.biases
    return "no weight"
