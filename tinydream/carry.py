"""Weights carried between devices and files, and those that a device keeps by itself."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinydream.bridge import Counts, Device, State
from tinydream.codegen import ModelHeader, model_header
from tinydream.errors import InputError
from tinydream.keras import ENDINGS, write_model
from tinydream.plan import Plan
from tinydream.ports import PASSING, keeps, open_port
from tinydream.run import Run
from tinydream.sketch import read_representatives
from tinydream.weights import read_weights, write_weights

__all__ = ["erase", "load", "pull", "push", "save"]


CALIBRATION = 512  # drawn rows that an int8 model is calibrated on


def pull(
    run: Run, port: str, file: str | None = None, quantise: str = "none"
) -> NDArray[np.float32]:
    """Fetch the weights of a device that is still there; write them to `file`, too.

    file: .npz or .safetensors for weights, .keras or .tflite for a model with them, .h for a C
    header that predicts (`codegen.model_header`); quantise: of a
    .tflite, see `write_model`; int8 is calibrated on rows drawn from the representatives.
    The devices of 'sim', 'native' and 'qemu' end with the verb that trained them, which pulled
    their weights itself: for these the pulled weights are checked and returned.
    """
    made = run.plan()
    if port in PASSING:
        weights = run.weights(made)
    else:
        with open_port(run, made, port) as device:
            weights = np.array(device.pull(), np.float32)
        run.write_weights(made, weights)
    if file:
        _write(run, made, weights, file, quantise)
    return weights


def _write(
    run: Run, made: Plan, weights: NDArray[np.float32], file: str, quantise: str = "none"
) -> None:
    if Path(file).suffix in ENDINGS:
        rows = None
        if quantise == "int8":
            rows = read_representatives(run)[0].sample(CALIBRATION, 0)[0]
        write_model(file, made, weights, quantise=quantise, samples=rows)
    elif Path(file).suffix == ".h" and quantise == "none":
        write_header(file, made, weights)
    elif quantise != "none":
        raise InputError(f"only a .tflite is quantised, not {file!r}")
    else:
        write_weights(file, made, weights)


def write_header(file: str, plan: Plan, weights: NDArray[np.float32]) -> ModelHeader:
    """Write a C header that predicts; what it takes. Raises InputError."""
    made = model_header(plan, weights, Path(file).stem)
    try:
        Path(file).write_text(made.text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror or error}") from None
    return made


def push(run: Run, port: str, file: str) -> NDArray[np.float32]:
    """Give a device the weights of a file; it must run the plan that they belong to.

    Raises InputError for a file that does not fit, and for a port whose device ends with this verb.
    """
    made = run.plan()
    weights = read_weights(file, made)
    with _lasting(run, port) as device:
        device.push(weights)
    return weights


def save(run: Run, port: str) -> Counts:
    """Have a device keep its weights, and the run under way, over a power cut.

    Raises InputError for a port whose device ends with this verb, FirmwareError where there is no
    storage, or another plan's weights are in the way.
    """
    with _lasting(run, port) as device:
        device.save()
        return device.counts()


def load(run: Run, port: str, *, resume: bool = False) -> State:
    """Have a device take the weights that it keeps; resume: go on with their run, too.

    Raises InputError for a port whose device ends with this verb, FirmwareError when nothing is
    kept, or a run is under way.
    """
    with _lasting(run, port) as device:
        device.load(run=resume)
        return device.status()


def erase(run: Run, port: str) -> None:
    """Have a device forget what it keeps, be it another plan's; its weights stay as they are.

    Raises InputError for 'sim' and where nothing was ever kept, FirmwareError without storage.
    """
    if port in PASSING and port != "sim" and not keeps(run):
        raise InputError(
            f"nothing is kept behind port {port!r}: `tinydream train --save-every` keeps weights"
        )
    with _device(run, port) as device:
        device.erase()


@contextlib.contextmanager
def _lasting(run: Run, port: str) -> Iterator[Device]:
    """A device that is still there afterwards."""
    if port in PASSING:
        raise InputError(
            f"what runs behind port {port!r} ends with this verb, and the weights with it; name"
            " a board on a serial port"
        )
    with _device(run, port) as device:
        yield device


@contextlib.contextmanager
def _device(run: Run, port: str) -> Iterator[Device]:
    with open_port(run, run.plan(), port) as device:
        if not isinstance(device, Device):
            raise InputError(f"port {port!r} keeps nothing; name a device")
        yield device
