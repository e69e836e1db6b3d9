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
    """Stored integers (m, r) and labels (m,), read with whole-number arithmetic."""
    widths = [int(w) for w in rows.width] * (rows.columns if len(rows.width) == 1 else 1)
    number = int.from_bytes(rows.bits.tobytes(), "little")
    table = []
    for _ in range(sum(count for _, count in rows.levels)):
        row = []
        for width in [*widths, rows.label_bits]:
            row.append(number & ((1 << width) - 1))
            number >>= width
        table.append(row)
    assert number == 0, "the last byte is filled with zeros"
    table = np.array(table, np.int64)
    return table[:, :-1], table[:, -1]


def decode(rows):
    """Representatives (m, r) without deviations: low + q * step, float32."""
    q, labels = unpack(rows)
    shift = np.maximum(rows.width.astype(int) - 7, 0)
    low = (rows.low.astype(np.int64) << shift).astype(F) * f8(rows.step)
    return (low + q.astype(F) * f8(rows.step)).astype(F), labels


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


def deviations(rows, seed, number, positions):
    """What is added to the representatives drawn at these positions of a pass, (n, r)."""
    with np.errstate(over="ignore"):
        key = hash32(hash32(base(seed, 3) + U(number)) + positions.astype(U))
        columns = np.arange(rows.columns, dtype=U)
        words = hash32(key[:, None] + columns[None] // U(4))
    index = (words >> (columns % U(4) * U(8))[None]) & U(255)
    return (f8(rows.sigma) * F(0.0227652453)) * Z[index].astype(F)


def draw(rows, seed, first_pass, n):
    """The first n rows of the stream that begins with a pass: (n, r) float32, (n,) labels."""
    total = sum(weight * count for weight, count in rows.levels)
    points, labels = decode(rows)
    chosen, x = stand_ins(rows.levels), []
    y = []
    for number in range(first_pass, first_pass + -(-n // total)):
        pick = chosen[tickets(order(seed, number), total)]
        part = points[pick]
        if len(rows.sigma):
            part = part + deviations(rows, seed, number, np.arange(total))
        x.append(part.astype(F))
        y.append(labels[pick])
    return np.concatenate(x)[:n], np.concatenate(y)[:n]
