"""Rows as a device draws them, in NumPy, written from SPEC.md alone: the judge of the C."""

from statistics import NormalDist

import numpy as np
from oracle import base, hash32

F = np.float32
U = np.uint32
Z = np.array([round(44 * NormalDist().inv_cdf((i + 0.5) / 256)) for i in range(256)])


def f8(codes):
    """8-bit floats, from their definition."""
    codes = [int(code) for code in codes]
    return np.array([(8 + c % 8) * 2.0 ** (c // 8 - 27) if c else 0 for c in codes], F)


def unpack(rows):
    """Stored integers (m, r), labels or shares (m, k), codes (m,), by whole-number arithmetic."""
    widths = [int(w) for w in rows.width] * (rows.columns if len(rows.width) == 1 else 1)
    behind = [rows.soft_bits] * rows.classes if rows.soft_bits else [rows.label_bits]
    number = int.from_bytes(rows.bits.tobytes(), "little")
    table = []
    for _ in range(sum(count for _, count in rows.levels)):
        row = []
        for width in [*widths, *behind, rows.spread_bits]:
            row.append(number & ((1 << width) - 1))
            number >>= width
        table.append(row)
    assert number == 0, "what is left is filled with zeros"
    table = np.array(table, np.int64)
    return table[:, : len(widths)], table[:, len(widths) : -1], table[:, -1]


def labels_of(rows):
    """(m,) labels: stored ones, or the first largest share."""
    behind = unpack(rows)[1]
    return behind.argmax(1) if rows.soft_bits else behind[:, 0]


def soft_targets(rows):
    """(m, k) shares of the classes."""
    shares = unpack(rows)[1]
    return shares.astype(F) * (F(1) / shares.sum(1).astype(F))[:, None]


def spreads_of(rows):
    """(m,) factor of each row's deviations, or None."""
    if not len(rows.spread):
        return None
    which = unpack(rows)[2] if rows.spread_bits else labels_of(rows)
    return f8(rows.spread)[which]


def decode(rows):
    """Representatives (m, r) without deviations: low + q * step, float32."""
    q = unpack(rows)[0]
    shift = np.maximum(rows.width.astype(int) - 7, 0)
    low = (rows.low.astype(np.int64) << shift).astype(F) * f8(rows.step)
    return (low + q.astype(F) * f8(rows.step)).astype(F), labels_of(rows)


def order(seed, number):
    """The eight keys of a pass."""
    with np.errstate(over="ignore"):
        return hash32(hash32(base(seed, 2) + U(number)) + np.arange(8, dtype=U))


def tickets(keys, total):
    """The ticket of every position of a pass, (total,)."""
    bits = max(int(total - 1).bit_length(), 1)
    mask, shift = U(2**bits - 1), U(max(bits // 2, 1))
    p = np.arange(total, dtype=U)
    again = np.ones(total, bool)
    with np.errstate(over="ignore"):
        while again.any():
            for r in range(4):
                mixed = (p * (keys[2 * r] | U(1)) + keys[2 * r + 1]) & mask
                p = np.where(again, mixed ^ (mixed >> shift), p)
            again &= p >= total
    return p


def stand_ins(levels):
    """Which representative each ticket picks: each as often as it weighs, level by level."""
    weight, count = np.array(levels).T
    return np.repeat(np.arange(count.sum()), np.repeat(weight, count))


def normals(seed, number, positions, count):
    """The first `count` drawn numbers of the rows at these positions of a pass, (n, count)."""
    with np.errstate(over="ignore"):
        key = hash32(hash32(base(seed, 3) + U(number)) + positions.astype(U))
        columns = np.arange(count, dtype=U)
        words = hash32(key[:, None] + columns[None] // U(4))
    index = (words >> (columns % U(4) * U(8))[None]) & U(255)
    return Z[index].astype(F)


def inverse_haar(v, axis):
    """Coefficients along an axis to values: coarse to fine, A + D and A - D."""
    v = np.moveaxis(v.copy(), axis, 0)
    for s in (2**level for level in reversed(range(20))):
        for i in range(0, len(v) - s, 2 * s):
            v[i], v[i + s] = v[i] + v[i + s], v[i] - v[i + s]
    return np.moveaxis(v, 0, axis)


def deviations(rows, seed, number, positions):
    """What is added, but for spreads, to the rows drawn at these positions of a pass, (n, r)."""
    rank, inputs = len(rows.factor_scale), rows.columns - rows.targets
    z = normals(seed, number, positions, rows.columns + rank)
    d = (f8(rows.sigma) * F(0.0227652453)) * z[:, : rows.columns]
    if rows.axes:
        v = d[:, :inputs].reshape(-1, *(length for length, _ in rows.axes))
        for axis, (_, along) in enumerate(rows.axes):
            v = inverse_haar(v, axis + 1) if along else v
        d[:, :inputs] = f8(rows.correction) * v.reshape(len(d), inputs)
    if rank:
        common = np.zeros_like(d)
        for r in range(rank):
            w = f8(rows.factor_scale)[r] * z[:, rows.columns + r]
            common = common + rows.factors[r].astype(F) * w[:, None]
        d = common + d
    return d


def picks(rows, seed, first_pass, n):
    """Which representative each of the first n rows of the stream is of, (n,)."""
    total, chosen, picked = rows.rows, stand_ins(rows.levels), []
    for number in range(first_pass, first_pass + -(-n // total)):
        picked.append(chosen[tickets(order(seed, number), total)])
    return np.concatenate(picked)[:n]


def drawn_targets(rows, seed, n):
    """Soft targets of the first n rows of the stream, (n, classes)."""
    return soft_targets(rows)[picks(rows, seed, 0, n)]


def draw(rows, seed, first_pass, n):
    """The first n rows of the stream that begins with a pass: (n, r) float32, (n,) labels."""
    total = sum(weight * count for weight, count in rows.levels)
    points, labels = decode(rows)
    spreads = spreads_of(rows)
    chosen, x = stand_ins(rows.levels), []
    y = []
    for number in range(first_pass, first_pass + -(-n // total)):
        pick = chosen[tickets(order(seed, number), total)]
        part = points[pick]
        if len(rows.sigma):
            d = deviations(rows, seed, number, np.arange(total))
            part = part + (d if spreads is None else spreads[pick][:, None] * d)
        x.append(part.astype(F))
        y.append(labels[pick])
    return np.concatenate(x)[:n], np.concatenate(y)[:n]
