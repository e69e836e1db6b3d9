"""Printing a plan: data only, no algorithm, no time, no path; the same plan, the same text."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinydream.board import Board, load_board
from tinydream.budget import LAYER_BYTES, WINDOW_BYTES, kernels, node_bytes, plan_struct_bytes
from tinydream.codegen.text import environment, f32, quoted, wrapped
from tinydream.errors import RunError
from tinydream.plan import FORMAT, Plan
from tinydream.resources import firmware_folder

__all__ = ["generate", "write_project"]

COMMAND = "tinydream generate"
# of port/baremetal: what knows no line
START = ("link.ld", "stack.h", "startup.c", "startup_riscv.c")
OURS = ("src", "lib", "platform", "monitor")  # folders of a project, written whole


def generate(plan: Plan, board: Board | None = None, **switches: int) -> dict[str, str]:
    """The files that turn the core into this plan's firmware: text by path in the project.

    switches: more of td_config.h: TD_BOOT, what becomes of saved weights when the device starts, a
    place in `saving.BOOTS`; TD_SELF_TEST, what it must then compute, `Simulator.first_steps`.
    Raises BoardError when no board is given and the plan's is unknown.
    """
    board = board or load_board(plan.board)
    facts = {
        "plan": plan,
        "board": board,
        "command": COMMAND,
        "format": FORMAT,
        "digest": plan.digest.hex(),
        "digest_bytes": ", ".join(f"0x{byte:02x}" for byte in plan.digest),
        "tables": _tables(plan, board.pointer_bytes),
        "struct_bytes": plan_struct_bytes(board.pointer_bytes),
        "node_bytes": sum(node_bytes(board.pointer_bytes).values()),
        "kernels": kernels(plan, board) | switches,
    }
    places = {"src/td_plan.h": "td_plan.h.j2", "src/td_plan.c": "td_plan.c.j2"}
    places["platformio.ini"] = "platformio.ini.j2"
    return {place: environment().get_template(name).render(facts) for place, name in places.items()}


def write_project(
    plan: Plan,
    folder: Path,
    board: Board | None = None,
    port: Path | None = None,
    **switches: int,
) -> None:
    """Write a complete PlatformIO project, which may be taken away and built anywhere.

    port: a folder with a port of the user's own; on bare metal ours gives it start-up code and
    linker script, unless it has its own. Files whose text is as it was are left untouched, so
    that a build only does what is new. Raises RunError when the folder holds something that is
    not such a project, or `port` no C.
    """
    board = board or load_board(plan.board)
    if port and not any(port.glob("*.c*")):
        raise RunError(f"{port} is no folder with a port in C; begin with a copy of port/template")
    if folder.exists() and any(folder.iterdir()) and not (folder / "platformio.ini").exists():
        raise RunError(
            f"{folder} holds files that are not a firmware project; choose another folder"
        )
    texts = {
        Path(place): text.encode() for place, text in generate(plan, board, **switches).items()
    }
    source = firmware_folder()
    for name in ("lib/tinydream", "monitor"):
        texts |= _copied(source / name, name)
    texts |= _port(source / "port" / board.port, port)
    if not board.platformio:
        texts |= _copied(source / "platform", "platform")
    texts[Path("src/main.c")] = (source / "port/main.c").read_bytes()
    _write(folder, texts)


def _copied(origin: Path, place: str) -> dict[Path, bytes]:
    files = [(file, file.relative_to(origin)) for file in sorted(origin.rglob("*"))]
    return {
        Path(place) / name: file.read_bytes()
        for file, name in files
        if file.is_file() and not {"__pycache__", "examples", ".git"} & set(name.parts)
    }


def _port(ours: Path, theirs: Path | None) -> dict[Path, bytes]:
    files = _copied(ours, "src")
    if theirs is None:
        return files
    start = {place: data for place, data in files.items() if place.name in START}
    return start | _copied(theirs, "src")


def _write(folder: Path, texts: dict[Path, bytes]) -> None:
    for name in OURS:  # what another plan or board left behind
        for old in sorted((folder / name).rglob("*")):
            if old.is_file() and old.relative_to(folder) not in texts:
                old.unlink()
    for place, data in texts.items():
        file = folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_bytes() != data:
            file.write_bytes(data)
    for name in OURS:
        for empty in sorted((folder / name).rglob("*"), reverse=True):
            if empty.is_dir() and not any(empty.iterdir()):
                shutil.rmtree(empty)


# ---- tables ----


@dataclass(frozen=True)
class Table:
    """One constant array of td_plan.c."""

    name: str
    type: str
    note: str
    count: int
    bytes: int
    text: str


NOTES = {
    "kept": ("uint8_t", "raw columns that are kept, a bit each"),
    "expand": ("uint8_t", "codes of a kept column that become as many inputs"),
    "shift": ("float", "raw units"),
    "gain": ("int8_t", "exponents of two"),
    "fill": ("float", "inputs where the raw value is missing"),
    "code_scale": ("uint8_t", "8-bit floats: a factor of each output of the projection"),
    "codes": ("uint8_t", "projection: packed integers, input by input"),
    "target_shift": ("float", "raw units"),
    "target_scale": ("float", "raw units"),
    "width": ("uint8_t", "bits of a stored number, less one, 4 bits each"),
    "low": ("int8_t", "lowest value, in steps"),
    "step": ("uint8_t", "8-bit floats"),
    "sigma": ("uint8_t", "8-bit floats: spread of the rows around their representatives"),
    "spread": ("uint8_t", "8-bit floats: a factor of all deviations of a row"),
    "factor_scale": ("uint8_t", "8-bit floats"),
    "factors": ("int8_t", "what deviations have in common, factor by factor"),
    "correction": ("uint8_t", "8-bit floats: a factor of each input's deviation"),
    "bits": ("uint8_t", "packed representatives"),
    "validation": ("uint8_t", "packed validation rows"),
}


def _tables(plan: Plan, pointer: int) -> list[Table]:
    tables = [
        _table(name, data, *NOTES[name]) for name, data in plan.constants.items() if name in NOTES
    ]
    names = [_names(plan, pointer)] if plan.classes else []
    axes = [_axes(plan)] if plan.rows.axes else []
    windows = [_windows(plan)] if plan.windows else []
    return [*tables, *axes, _levels(plan), _layers(plan), *windows, *names]


def _table(name: str, data: bytes, kind: str, note: str) -> Table:
    dtype = {"float": "<f4", "int8_t": "i1", "uint8_t": "u1"}[kind]
    text = list(map(f32 if kind == "float" else str, np.frombuffer(data, dtype)))
    return Table(name, kind, note, len(text), len(data), wrapped(text))


def _axes(plan: Plan) -> Table:
    items = [f"{{{length}, {int(haar)}}}" for length, haar in plan.rows.axes]
    note = "shape of the inputs: length, and whether a transform runs along it"
    return Table("axes", "td_axis_t", note, len(items), 4 * len(items), wrapped(items))


def _levels(plan: Plan) -> Table:
    items = [f"{{{weight}u, {count}u}}" for weight, count in plan.rows.levels]
    note = "weight, and how many representatives in a row have it"
    return Table("levels", "td_level_t", note, len(items), 8 * len(items), wrapped(items))


def _layers(plan: Plan) -> Table:
    items, places = [], iter(plan.places)
    for i, x in enumerate(plan.layers):
        place = next(places) if i % 2 == 0 else 0
        kinds = f"TD_{x.kind.upper()}, TD_TRAIN_{x.train.upper()}"
        sizes = f"{x.inputs}, {x.outputs}, {int(x.again)}, {place}"
        items.append(f"{{{kinds}, {sizes}, {f32(x.limit)}}}")
    note = (
        "kind, what of it is trained, in, out, whether its outputs are computed again, their place,"
        " limit of initial weights"
    )
    size = LAYER_BYTES * len(items)
    return Table("layers", "td_layer_t", note, len(items), size, wrapped(items))


def _windows(plan: Plan) -> Table:
    items = [f"{{{', '.join(map(str, x.numbers)) if x else '0'}}}" for x in plan.windows]
    note = "an operation each: inputs' shape, outputs' shape, size, strides, reach over the edge"
    size = WINDOW_BYTES * len(items)
    return Table("windows", "td_window_t", note, len(items), size, wrapped(items))


def _names(plan: Plan, pointer: int) -> Table:
    items = list(map(quoted, plan.classes))
    size = pointer * len(items)
    return Table("class_names", "char *const", "classes", len(items), size, wrapped(items))
