"""A trained network as one C header: constant weights, and a prediction by the C library."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tinydream.codegen.tables import model_tables
from tinydream.codegen.text import environment, f32, wrapped
from tinydream.errors import InputError
from tinydream.plan import FORMAT, Plan

__all__ = ["ModelHeader", "model_header"]


@dataclass(frozen=True)
class ModelHeader:
    """The text; flash: bytes of weights and tables, ram: of what a prediction writes to."""

    text: str
    flash: int
    ram: int


def model_header(plan: Plan, weights: NDArray[np.float32], name: str) -> ModelHeader:
    """A header for firmware that only predicts with these weights, in raw units.

    weights: (parameters,) as `Simulator.weights`. name: of the function, the header's file without
    its ending. Needs the C library (td.h), of which a linker keeps what a prediction calls; what it
    computes is the device's prediction to the last bit. Weights stay in flash; an activation is
    kept until the next operations have read it. Raises InputError for a name that is none in C.
    """
    if not (name.isascii() and name.isidentifier()):
        raise InputError(f"{name!r} is no name in C; call the file something like gait.h")
    layers = tuple(replace(x, train="none", again=False) for x in plan.layers)
    still = replace(plan, layers=layers, slice=1, validation=None)
    tables = model_tables(still)
    ends = (at + x.outputs for at, x in zip(still.places, still.operations, strict=True))
    memory = 2 + max(plan.rows.columns, *ends)
    flash = 4 * len(weights) + sum(table.bytes for table in tables)
    facts = {
        "plan": plan,
        "name": name,
        "format": FORMAT,
        "digest": plan.digest.hex(),
        "digest_bytes": ", ".join(f"0x{byte:02x}" for byte in plan.digest),
        "tables": tables,
        "held_tables": {table.name for table in tables},
        "weights": wrapped(list(map(f32, weights.tolist()))),
        "memory": memory,
        "flash": flash,
    }
    text = environment().get_template("model.h.j2").render(facts)
    return ModelHeader(text, flash, 4 * memory)
