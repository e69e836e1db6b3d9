"""Device against simulator: the same training twice, compared bit for bit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tinydream.errors import InputError, VerifyError
from tinydream.keras import open_model
from tinydream.plan import Plan
from tinydream.ports import PASSING, begin, open_port
from tinydream.run import Run
from tinydream.simulator import Simulator
from tinydream.training import Knobs, Metrics

__all__ = ["Alike", "Verified", "verify", "verify_model"]

F32 = NDArray[np.float32]
MOST = 256  # held-out rows that go over a line
KERAS = "port 'keras' is no device; verify one, or a file with --model"


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


@dataclass(frozen=True)
class Alike:
    """A model beside the device: the largest difference of an output, shares of classes or targets
    in standard deviations, on so many held-out rows, and how many of these get the same class.
    """

    file: str
    probes: int
    apart: float
    agree: int


def verify_model(run: Run, file: str, within: float = 1e-5, port: str | None = None) -> Alike:
    """Compare what a .keras or .tflite model predicts with what the device's weights do.

    These are the run's, as `train` or `pull` brought them home; rows are the held-out ones. port:
    where a device predicts them, the first MOST of them: one that lasts with the weights that it
    holds. Raises VerifyError when an output differs by more than `within`, InputError for a file
    that cannot be read or takes other rows, and port 'keras', RunError when there are no weights.
    """
    if port == "keras":
        raise InputError(KERAS)
    made, model = run.plan(), open_model(file)
    probes = run.heldout().X[: MOST if port else None]
    rows = made.inputs.apply(probes) if model.integers else probes
    with open_port(run, made, port or "sim") as device:
        if port is None or port in PASSING:
            device.push(run.weights(made))
        truth: NDArray[Any]
        if made.task == "classification":
            truth = device.predict_proba(probes)
        else:
            truth = (device.predict(probes) - made.outputs.shift) / made.outputs.scale
    found = model.predict(rows)
    if made.task == "regression":
        found = (found - made.outputs.shift) / made.outputs.scale
    elif made.loss == "bce":
        found = np.hstack([1 - found, found])
    if found.shape != truth.shape:
        raise InputError(f"{file} gives outputs of shape {found.shape}, the device {truth.shape}")
    apart = float(np.abs(found - truth).max(initial=0))
    agree = int((found.argmax(1) == truth.argmax(1)).sum()) if made.classes else len(probes)
    if not apart <= within:
        raise VerifyError(
            f"{file} and the device differ by {apart:.3g}, more than {within:g}; {agree:,} of"
            f" {len(probes):,} held-out rows get the same answer: pull it again, or allow a"
            " quantised model more with --within"
        )
    return Alike(file, len(probes), apart, agree)


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
        if trained["port"] == "keras":
            raise InputError(
                "RUN/weights.npz was trained by Keras, which no simulator repeats to the last bit;"
                " `tinydream verify --port native` trains a device, `verify --model` checks a file"
            )
        knobs, where = run.knobs("train.json"), str(trained["port"])
        weights = run.weights(made)
    elif port == "keras":
        raise InputError(KERAS)
    else:
        knobs, where = _last_knobs(run, made), port
        with open_port(run, made, port) as device:
            fresh = begin(run, made, device)
            device.train(**knobs.as_dict(), fresh=fresh, on_metrics=on_metrics)
            weights = np.array(device.pull(), np.float32)
    simulator = Simulator(made)
    simulator.train(**knobs.as_dict(), fresh=begin(run, made, simulator))
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
