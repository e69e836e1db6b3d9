"""Representatives as one C header that needs nothing else of ours."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tinydream.codegen.text import environment, f32, quoted, wrapped
from tinydream.rows import Rows, f8_decode

__all__ = ["representatives_header"]

F64 = NDArray[np.float64]


def representatives_header(
    rows: Rows, shift: F64, scale: F64, names: Sequence[str], classes: Sequence[str]
) -> str:
    """The bit-packed representatives with two functions that read them, as C99.

    shift, scale (r,): raw units = shift + scale * stored. names: of the r stored columns.
    """
    step = f8_decode(rows.step).astype(np.float64)
    low = rows.low.astype(np.int64) << np.maximum(rows.width.astype(np.int64) - 7, 0)
    sigma = f8_decode(rows.sigma) if len(rows.sigma) else np.zeros(1)
    numbers = {"offset": low * step * scale + shift, "scale": step * scale, "sigma": sigma * scale}
    each = {name: np.broadcast_to(value, rows.columns) for name, value in numbers.items()}
    facts = {
        "rows": rows,
        "classes": classes,
        "floats": {name: wrapped(list(map(f32, values))) for name, values in each.items()},
        "width": wrapped([str(w) for w in np.broadcast_to(rows.width, rows.columns)]),
        "bits": wrapped(list(map(str, rows.bits.tolist()))),
        "levels": wrapped([f"{{{weight}u, {count}u}}" for weight, count in rows.levels]),
        "class_names": wrapped(list(map(quoted, classes))),
        "names": wrapped(list(map(quoted, names))),
    }
    return environment().get_template("representatives.h.j2").render(facts)
