"""Sizes of the core's structs, as C lays them out; the compiler checks what comes of them."""

from collections.abc import Mapping, Sequence

__all__ = ["LAYER_BYTES", "WINDOW_BYTES", "node_bytes", "plan_struct_bytes"]

# a field of a C struct: its bytes, "p" for a pointer, or (bytes, alignment) of a struct
Field = int | str | tuple[int, int]

INPUTS: list[Field] = [2, 2, 2, 1, 1, *["p"] * 7]
OUTPUTS: list[Field] = [2, "p", "p"]
ROWS: list[Field] = [4, 4, 4, 2, 2, *[1] * 9, *["p"] * 11]
LAYER_BYTES = 16
WINDOW_BYTES = 24

KNOBS: list[Field] = [4, 4, 4, 4, 1, 4, 4, 4]
METRICS: list[Field] = [4] * 9
PAYLOAD = 240  # TD_PAYLOAD_MAX
CONTENT = PAYLOAD + 6
FRAME = CONTENT + CONTENT // 254 + 3
SAVE: list[Field] = ["p", 4, 4, 4, 4, *[1] * 12, "p", *[4] * 7]  # td_save_t
READER: list[Field] = [*[1] * CONTENT, 2, 2, 1, 1, 1]


def plan_struct_bytes(pointer: int) -> int:
    """sizeof(td_plan_t) on a target with pointers of so many bytes."""
    inputs, outputs, rows = ((_size(x, pointer), pointer) for x in (INPUTS, OUTPUTS, ROWS))
    head: list[Field] = [2, *[1] * 8, inputs, outputs, rows, "p", "p", 1, 1, 1, 2, 2]
    return _size([*head, *[4] * 7, 4, "p", 4, 1, 1, "p", "p"], pointer)


def node_bytes(pointer: int, on: Mapping[str, int] | None = None) -> dict[str, int]:
    """sizeof(td_node_t) by its parts: 'training state', 'link buffers', and 'node' for the rest.

    on: compile-time switches as `kernels` has them; None: all of them, what is
    not smaller than any plan's. Together they are the struct to the byte.
    """
    reader = _size(READER, pointer)
    link = reader + FRAME
    train = (_size(_train(on), pointer), max(4, pointer))
    fields: list[Field] = [train, 8, 8, (_size(METRICS, pointer), 4), *["p"] * 4, (reader, 2)]
    counters, row = (_size([4] * 5, pointer), 4), (_size([4, 2, 2, 4], pointer), 4)
    kept: list[Field] = [(_size(SAVE, pointer), pointer), 4, 2, 1]
    saves = on is None or on["TD_WITH_SAVE"]
    fields += [*[1] * FRAME, 2, 2, counters, *[4] * 5, *(kept if saves else ()), row]
    fields += ["p", 4, 4, 2, 2, *[1] * 10]
    whole = _size(fields, pointer)
    return {
        "training state": train[0],
        "link buffers": link,
        "node": whole - train[0] - link,
    }


def _train(on: Mapping[str, int] | None) -> list[Field]:
    """td_train_t: the fields that these kernels have."""

    def have(*names: str) -> bool:
        return on is None or any(on[f"TD_WITH_{name}"] for name in names)

    order = 8 if on is None or on["TD_TILE"] > 1 else 1
    pointers: list[Field] = ["p"] * (
        3 + have("MOMENTUM", "ADAM") + have("VALIDATION") + have("SOFT")
    )
    counters: list[Field] = [4] * (order + 2)
    knobs: Field = (_size(KNOBS, 4), 4)
    return [
        *pointers,
        *counters,
        knobs,
        *[4] * (6 + 2 * have("ADAM") + 5 * have("VALIDATION")),
        1,
    ]


def _size(fields: Sequence[Field], pointer: int) -> int:
    """C's sizeof: each field at a multiple of its alignment, the whole one of the largest."""
    at, most = 0, 1
    for field in fields:
        if isinstance(field, tuple):
            size, align = field
        else:
            size = align = pointer if field == "p" else int(field)
        at = -(-at // align) * align + size
        most = max(most, align)
    return -(-at // most) * most
