"""Constant arrays of a plan as C text."""

from dataclasses import dataclass

import numpy as np

from tinydream.budget import LAYER_BYTES, WINDOW_BYTES
from tinydream.codegen.text import f32, quoted, wrapped
from tinydream.plan import Plan

__all__ = ["Table", "model_tables", "tables"]


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


def tables(plan: Plan, pointer: int) -> list[Table]:
    """All of a plan, in the order of td_plan.c. pointer: bytes of an address on its board."""
    own = [_table(name, data) for name, data in plan.constants.items() if name in NOTES]
    names = [_names(plan, pointer)] if plan.classes else []
    axes = [_axes(plan)] if plan.rows.axes else []
    windows = [_windows(plan)] if plan.windows else []
    return [*own, *axes, _levels(plan), _layers(plan), *windows, *names]


def model_tables(plan: Plan) -> list[Table]:
    """What a prediction needs of it: scales, layers, windows."""
    units = plan.inputs.tables() | plan.outputs.tables()
    own = [_table(name, data) for name, data in units.items() if data]
    return [*own, _layers(plan), *([_windows(plan)] if plan.windows else [])]


def _table(name: str, data: bytes) -> Table:
    kind, note = NOTES[name]
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
