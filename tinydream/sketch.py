"""A plan from what a run folder holds, before anything of it is written."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from tinydream.board import Board
from tinydream.codec import Representatives
from tinydream.codec.baseline import validation_rows
from tinydream.errors import InputError
from tinydream.network import SGD, Adam, Network, read_network
from tinydream.plan import Inputs, Outputs, Plan, Rows
from tinydream.planner import make_plan
from tinydream.run import Run

__all__ = ["Names", "read_representatives", "sketch"]


@dataclass(frozen=True)
class Names:
    """What the columns of the run's table are called."""

    features: tuple[str, ...]
    classes: tuple[str, ...]
    targets: tuple[str, ...]


def read_representatives(run: Run) -> tuple[Representatives, Names]:
    """What `compress` wrote, and what its columns are called."""
    arrays = run.read_arrays(
        "representatives.npz", "inputs", "outputs", "rows", "features", "classes", "targets"
    )
    try:
        reps = Representatives(
            Inputs.from_bytes(arrays["inputs"].tobytes()),
            Rows.from_bytes(arrays["rows"].tobytes()),
            np.arange(len(arrays["classes"])),
            Outputs.from_bytes(arrays["outputs"].tobytes()),
        )
    except InputError as error:
        raise run.damaged("representatives.npz", str(error).split(";")[0]) from None
    keys = ("features", "classes", "targets")
    return reps, Names(*(tuple(map(str, arrays[key])) for key in keys))


def sketch(
    run: Run,
    board: Board,
    hidden: Sequence[int],
    optimizer: SGD | Adam,
    batch: int,
    *,
    activation: str = "relu",
    network: str | Network | None = None,
    sigmoid: bool = False,
    huber: float = 0.0,
    train_last: int | None = None,
    bias_only: bool = False,
    validation: int = 0,
    keep_best: bool = False,
    refill: bool = False,
    recompute: bool = False,
) -> Plan:
    """The plan for a network with these hidden sizes on the run's representatives.

    network: another one, or its TOML, see `read_network`. sigmoid: two classes get one output
    instead of two. huber: delta of the loss of a regression, 0 for the mean squared error.
    train_last, bias_only: see `Network.trained`. validation: rows that the device holds to judge
    each epoch by, out of those that `compress` kept back. refill, recompute: see
    `make_plan`. Raises what `make_plan` raises, and RunError when the folder holds no
    representatives.
    """
    reps, names = read_representatives(run)
    outputs = 1 if sigmoid else reps.rows.targets or len(names.classes)
    task = "regression" if reps.rows.targets and not sigmoid else "classification"
    if network is None:
        made = Network.mlp(
            hidden, outputs, optimizer, task=task, activation=activation, huber=huber
        )
    elif isinstance(network, Network):
        made = network
    else:
        made = read_network(network, outputs, optimizer, task=task, huber=huber)
    if train_last is not None or bias_only:
        made = made.trained(train_last, bias_only=bias_only)
    return make_plan(
        reps,
        made,
        board=board,
        batch=batch,
        **asdict(names),
        validation=validation_rows(reps, *run.validation(validation)) if validation else None,
        keep_best=keep_best,
        refill=refill,
        recompute=recompute,
    )
