"""Raw rows to network inputs in NumPy, written from SPEC.md alone."""

import numpy as np

F = np.float32


def apply_inputs(inputs, raw):
    """Raw rows (n, raw_columns) to network inputs, one number after the other."""
    out = []
    for row in np.asarray(raw, F):
        x = []
        for c, value in enumerate(row[inputs.kept]):
            codes = inputs.expand[c] if len(inputs.expand) else 0
            hot = [F(value == F(k)) if value == value else value for k in range(codes)]
            for v in hot if codes > 1 else [value]:
                i = len(x) if len(inputs.shift) > 1 else 0
                if v != v:
                    x.append(inputs.fill[len(x)] if len(inputs.fill) else F(0))
                else:
                    scaled = (v - inputs.shift[i]) * F(2.0 ** int(inputs.gain[i]))
                    x.append(min(max(scaled, F(-16)), F(16)))
        out.append(x)
    x = np.array(out, F)
    return project(inputs.projection, x) if inputs.projection else x


def project(projection, x):
    """Scaled inputs (n, d) to (n, r), one input after the other."""
    z = np.zeros((len(x), len(projection.scale)), F)
    for j, codes in enumerate(projection.codes):
        z = z + x[:, j, None] * codes.astype(F)
    c = projection.scale.astype(int)
    scale = np.where(c, (8 + c % 8) * 2.0 ** (c // 8 - 27), 0).astype(F)
    return np.clip(z * scale, F(-16), F(16))
