"""Where each byte of RAM and flash goes, and whether it fits, before anything is built."""

from dataclasses import dataclass

from tinydream.board import Board
from tinydream.budget.cores import estimate_code
from tinydream.budget.kernels import kernels
from tinydream.budget.structs import LAYER_BYTES, WINDOW_BYTES, node_bytes, plan_struct_bytes
from tinydream.plan import Buffer, Plan

__all__ = ["Use", "budget", "parts"]

# words of these tables have 4 bytes; the places of axes 2; all others are bytes
WORDS = ("shift", "fill", "target_shift", "target_scale", "levels")
REPRESENTATIVES = ("bits", "levels", "width", "low", "step")
MODEL = ("sigma", "spread", "factor_scale", "factors", "axes", "correction")
NETWORK = ("layers", "windows", "names", "plan")
PORT_COUNTER = 8  # two words of a bare-metal port whose counter wraps


@dataclass(frozen=True)
class Use:
    """One region of a board: what it must hold and what it has, in bytes."""

    region: str
    buffers: tuple[Buffer, ...]
    have: int

    @property
    def need(self) -> int:
        return sum(buffer.bytes - buffer.shared for buffer in self.buffers)

    @property
    def over(self) -> int:
        """Bytes too many; 0 when it fits."""
        return max(0, self.need - self.have)


def budget(plan: Plan, board: Board) -> tuple[Use, ...]:
    """Each region of the board with the buffers it must hold, planned to the byte.

    The arena is listed by its pieces. Code is an estimate, and absent where there is none.
    """
    counts = board.devices is not None and board.devices.counter_hz is not None
    node = sum(node_bytes(board.pointer_bytes, kernels(plan, board)).values())
    ram = [
        *plan.arena,
        *([Buffer("port", "ram", PORT_COUNTER, 4, "always")] if counts else []),
        *_refilled(plan, board),
        Buffer("node", "ram", node, 8, "always"),
        Buffer("stack", "ram", board.stack_bytes, 8, "always"),
    ]
    held = {"ram": ram, "flash": _flash(plan, board)}
    return tuple(
        Use(region.name, tuple(held[region.name]), region.usable) for region in board.regions
    )


def parts(plan: Plan, use: Use, board: Board) -> dict[str, int]:
    """A region's bytes by what they are for, such as 'link buffers', 'deviation model'."""
    found: dict[str, int] = {}
    for buffer in use.buffers:
        if buffer.name == "node":
            found |= node_bytes(board.pointer_bytes, kernels(plan, board))
        else:
            found[_part(buffer)] = found.get(_part(buffer), 0) + buffer.bytes - buffer.shared
    return found


def _part(buffer: Buffer) -> str:
    name = buffer.name
    if buffer.region == "arena":
        named = {"weights": "parameters", "optimizer": "optimiser"}
        own = ("weights", "gradients", "optimizer", "best weights")
        return named.get(name, name) if name in own else "activations"
    if buffer.region != "flash" or name == "code":
        return name
    groups = {"representatives": REPRESENTATIVES, "deviation model": MODEL, "network": NETWORK}
    for group, names in groups.items():
        if name in names:
            return group
    return "validation rows" if name == "validation" else "inputs and targets"


def _refilled(plan: Plan, board: Board) -> list[Buffer]:
    """What lies in RAM besides, so that a host may change it; its first contents are in flash."""
    if not plan.refill:
        return []
    rows = Buffer("representatives in RAM", "ram", len(plan.rows.bits), 1, "always")
    struct = plan_struct_bytes(board.pointer_bytes)
    return [rows, Buffer("plan in RAM", "ram", struct, board.pointer_bytes, "always")]


def _flash(plan: Plan, board: Board) -> list[Buffer]:
    pointer = board.pointer_bytes
    tables = [
        Buffer(
            name, "flash", len(data), 4 if name in WORDS else 2 if name == "axes" else 1, "always"
        )
        for name, data in plan.constants.items()
    ]
    texts = sum(len(text.encode()) + 1 for text in (*plan.classes, plan.board))
    code = estimate_code(plan, board)
    return [
        *tables,
        Buffer("layers", "flash", LAYER_BYTES * len(plan.layers), 4, "always"),
        *(
            [Buffer("windows", "flash", WINDOW_BYTES * len(plan.windows), 2, "always")]
            * bool(plan.windows)
        ),
        Buffer("names", "flash", texts + pointer * len(plan.classes), pointer, "always"),
        Buffer("plan", "flash", plan_struct_bytes(pointer), pointer, "always"),
        *([Buffer("code", "flash", code.value, 4, "estimate")] if code else []),
    ]
