"""Which of the core's kernels a plan asks for, as compile-time switches."""

from tinydream.board import Board
from tinydream.layer import WINDOWED
from tinydream.plan import LOSSES, Plan

__all__ = ["kernels"]


def kernels(plan: Plan, board: Board | None = None) -> dict[str, int]:
    """Macros by name: what plan and board do not ask for is not linked.

    board: one without a storage saves nothing; None is as one that has one.
    """
    kinds = {layer.kind for layer in plan.layers[:-1]}  # a sigmoid at the end is the loss's
    activations = ("relu6", "leaky_relu", "tanh", "sigmoid")
    return {
        "TD_TILE": plan.tile,
        "TD_WITH_SGD": int(plan.optimizer.kind == "sgd"),
        "TD_WITH_ADAM": int(plan.optimizer.kind == "adam"),
        **{f"TD_WITH_{loss.upper()}": int(plan.loss == loss) for loss in LOSSES},
        "TD_WITH_GRADIENTS": int(plan.gradients),
        "TD_WITH_DESCENT": int(not plan.gradients),
        **{f"TD_WITH_{kind.upper()}": int(kind in kinds) for kind in activations},
        **{f"TD_WITH_{kind.upper()}": int(kind in kinds) for kind in WINDOWED},
        "TD_WITH_FREEZING": int(
            any(x.train in ("bias", "none") for x in plan.layers if x.parameters)
        ),
        "TD_WITH_LATE": int(any(x.train == "late" for x in plan.layers)),
        "TD_WITH_AGAIN": int(any(x.again for x in plan.layers)),
        "TD_WITH_VALIDATION": int(plan.validation is not None),
        "TD_WITH_DEVIATION": int(len(plan.rows.sigma) > 0),
        "TD_WITH_FACTORS": int(plan.rows.rank > 0),
        "TD_WITH_TRANSFORM": int(len(plan.rows.axes) > 0),
        "TD_WITH_SPREAD": int(len(plan.rows.spread) > 0),
        "TD_WITH_GRIDS": int(len(plan.rows.width) > 1),
        "TD_WITH_SOFT": int(plan.rows.soft_bits > 0),
        "TD_WITH_MOMENTUM": int(plan.optimizer.kind == "sgd" and plan.optimizer.state > 0),
        "TD_WITH_CLIP": int(plan.optimizer.clip > 0),
        "TD_WITH_DECAY": int(plan.optimizer.decay > 0),
        "TD_WITH_PROJECTION": int(plan.inputs.projection is not None),
        "TD_WITH_EXPANSION": int(len(plan.inputs.expand) > 0),
        "TD_WITH_REFILL": int(plan.refill),
        "TD_WITH_SAVE": int(board is None or board.storage is not None),
    }
