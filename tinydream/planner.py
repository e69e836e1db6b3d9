"""From representatives, a network and a board to a plan that fits."""

from collections.abc import Iterable, Sequence
from typing import Protocol, cast

import numpy as np

from tinydream.board import Board
from tinydream.budget import check_budget, computed_again, fitted
from tinydream.errors import InputError
from tinydream.network import Network
from tinydream.plan import Inputs, Outputs, Plan, Rows

__all__ = ["make_plan"]

SLICE = 4  # rows in the arena at once, as many as fast kernels take together; 1 where RAM is short


class Record(Protocol):
    """What the planner wants of representatives."""

    @property
    def inputs(self) -> Inputs: ...
    @property
    def outputs(self) -> Outputs: ...
    @property
    def rows(self) -> Rows: ...
    @property
    def classes(self) -> Iterable[object]: ...


def make_plan(
    codec: object,
    network: Network,
    *,
    board: Board,
    batch: int = 20,
    features: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    targets: Sequence[str] = ("target",),
    validation: Rows | None = None,
    keep_best: bool = False,
    refill: bool = False,
    recompute: bool = False,
) -> Plan:
    """The plan for training `network` on `board` from a fitted codec, or from representatives.

    features, classes, targets: their names, by default the codec's own. validation: rows on the
    representatives' grid (`codec.validation_rows`) that the device judges each epoch by, and
    keep_best: whether a run ends with the weights that these found best. refill: representatives
    lie in RAM, where `Device.refill` puts others. recompute: the backward pass computes outputs
    again wherever that saves RAM, not only on a board that has none to spare. Rows are trained four
    at a time (`plan.tile`), one at a time on a board that has no RAM for four. Raises InputError
    when network and data contradict each other, BudgetError when the board is too small.
    """
    record = cast(Record, getattr(codec, "representatives_", codec))
    labels = tuple(map(str, record.classes if classes is None else classes))
    _check_outputs(network, record, labels, targets)
    if keep_best and validation is None:
        raise InputError("the best weights are those that validation rows found best; give some")
    if not 1 <= batch <= 65535:
        raise InputError(f"a batch is 1..65535 rows, not {batch}")
    inputs = record.inputs
    names = features if features is not None else getattr(codec, "feature_names_in_", None)
    if names is None:
        names = [f"x{j}" for j in range(inputs.raw_columns)]
    if len(names) != inputs.raw_columns:
        raise InputError(f"{len(names)} feature names were given for {inputs.raw_columns} features")
    plan = Plan(
        board=board.id,
        features=tuple(map(str, names)),
        classes=labels,
        targets=tuple(map(str, targets)),
        inputs=inputs,
        outputs=record.outputs,
        rows=record.rows,
        layers=network.records(inputs.outputs),
        optimizer=network.optimizer.record(),
        batch=batch,
        slice=min(batch, SLICE),
        delta=float(np.float32(network.huber)),
        validation=validation,
        keep_best=keep_best,
        refill=refill,
    )
    plan = fitted(plan, board)
    if recompute:
        plan = computed_again(plan)
    check_budget(plan, board)
    return plan


def _check_outputs(
    network: Network, record: Record, classes: tuple[str, ...], targets: Sequence[str]
) -> None:
    task = "regression" if record.rows.targets else "classification"
    if network.task != task:
        last = type(network.layers[-1]).__name__
        ends = f"with a {last}" if network.classes else "without a Softmax"
        raise InputError(f"the network ends {ends}, and the data is for {task}; change one of them")
    kind, names = ("targets", targets) if record.rows.targets else ("classes", classes)
    if network.classes == 2 and network.outputs == 1 and len(names) != 2:
        raise InputError(f"a Sigmoid tells two classes apart, and the data has {len(names)}")
    if (network.classes or network.outputs) != len(names):
        raise InputError(
            f"the network's last Dense has {network.outputs} units and the data {len(names)}"
            f" {kind}; they must be as many"
        )
