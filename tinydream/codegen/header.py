"""Representatives as one C header that needs nothing else of ours."""

from collections.abc import Sequence

import numpy as np

from tinydream.codegen.text import environment, f32, quoted, wrapped
from tinydream.rows import Inputs, Outputs, Rows, f8_decode, raw_scales

__all__ = ["representatives_header"]


def representatives_header(
    inputs: Inputs,
    outputs: Outputs,
    rows: Rows,
    columns: Sequence[str],
    classes: Sequence[str],
) -> str:
    """The bit-packed representatives with two functions that read them, as C99 or C++.

    columns: names of inputs, then of targets. A stored integer q of column j is
    offset[j] + scale[j] * q in raw units.
    """
    raw, shift = raw_scales(inputs, outputs)
    step = f8_decode(rows.step).astype(np.float64)
    low = rows.low.astype(np.int64) << np.maximum(rows.width.astype(np.int64) - 7, 0)
    sigma = f8_decode(rows.sigma) if len(rows.sigma) else np.zeros(1)
    each = {"offset": low * step * raw + shift, "scale": step * raw, "sigma": sigma * raw}
    facts = {
        "rows": rows,
        "classes": classes,
        "floats": {name: wrapped(list(map(f32, values))) for name, values in each.items()},
        "width": wrapped([str(w) for w in np.broadcast_to(rows.width, rows.columns)]),
        "bits": wrapped(list(map(str, rows.bits.tolist()))),
        "levels": wrapped([f"{{{weight}u, {count}u}}" for weight, count in rows.levels]),
        "class_names": wrapped(list(map(quoted, classes))),
        "column_names": wrapped(list(map(quoted, columns))),
    }
    return environment().get_template("representatives.h.j2").render(facts)
