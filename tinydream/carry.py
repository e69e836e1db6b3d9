"""Weights carried between devices and files."""

import numpy as np
from numpy.typing import NDArray

from tinydream.errors import InputError
from tinydream.ports import PASSING, open_port
from tinydream.run import Run
from tinydream.weights import read_weights, write_weights

__all__ = ["pull", "push"]


def pull(run: Run, port: str, file: str | None = None) -> NDArray[np.float32]:
    """Fetch the weights of a device that is still there; write them to `file`, too.

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
        write_weights(file, made, weights)
    return weights


def push(run: Run, port: str, file: str) -> NDArray[np.float32]:
    """Give a device the weights of a file; it must run the plan that they belong to.

    Raises InputError for a file that does not fit, and for a port whose device ends with this verb.
    """
    made = run.plan()
    weights = read_weights(file, made)
    if port in PASSING:
        raise InputError(
            f"what runs behind port {port!r} ends with this verb, and the weights with it; push to"
            " a board on a serial port"
        )
    with open_port(run, made, port) as device:
        device.push(weights)
    return weights
