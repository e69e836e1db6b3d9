"""Representatives as one C header that needs nothing else of ours."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.codegen.text import environment, f32, quoted, wrapped
from tinydream.inputs import Inputs, Projection
from tinydream.rows import Rows, f8_decode

__all__ = ["representatives_header"]

F64 = NDArray[np.float64]


def representatives_header(
    inputs: Inputs,
    rows: Rows,
    shift: F64,
    scale: F64,
    names: Sequence[str],
    features: Sequence[str],
    classes: Sequence[str],
) -> str:
    """The bit-packed representatives with functions that read them, as C99.

    shift, scale (d,): raw units = shift + scale * scaled. features: names of these d columns,
    names: of the r stored ones. Without a projection they are the same, and rows come in raw
    units; with one, as network inputs, beside a function that projects new rows.
    """
    projected = None
    if inputs.projection is not None:
        n = inputs.columns
        projected = _projected(inputs.projection, shift[:n], scale[:n], features[:n])
        kept = np.zeros(inputs.outputs)
        shift, scale = np.append(kept, shift[n:]), np.append(kept + 1, scale[n:])
    step = f8_decode(rows.step).astype(np.float64)
    low = rows.low.astype(np.int64) << np.maximum(rows.width.astype(np.int64) - 7, 0)
    sigma = f8_decode(rows.sigma) if len(rows.sigma) else np.zeros(1)
    numbers = {"offset": low * step * scale + shift, "scale": step * scale, "sigma": sigma * scale}
    each = {name: np.broadcast_to(value, rows.columns) for name, value in numbers.items()}
    facts = {
        "rows": rows,
        "projected": projected,
        "classes": classes,
        "floats": {name: wrapped(list(map(f32, values))) for name, values in each.items()},
        "width": wrapped([str(w) for w in np.broadcast_to(rows.width, rows.columns)]),
        "bits": wrapped(list(map(str, rows.bits.tolist()))),
        "levels": wrapped([f"{{{weight}u, {count}u}}" for weight, count in rows.levels]),
        "class_names": wrapped(list(map(quoted, classes))),
        "names": wrapped(list(map(quoted, names))),
    }
    return environment().get_template("representatives.h.j2").render(facts)


def _projected(
    projection: Projection, shift: F64, scale: F64, features: Sequence[str]
) -> dict[str, Any]:
    return {
        "features": wrapped(list(map(quoted, features))),
        "shift": wrapped(list(map(f32, shift))),
        "gain": wrapped(list(map(f32, 1 / scale))),
        "codes": wrapped(list(map(str, projection.codes.ravel().tolist()))),
        "code_scale": wrapped(list(map(f32, f8_decode(projection.scale).tolist()))),
        "inputs": len(projection.codes),
        "outputs": projection.outputs,
    }
