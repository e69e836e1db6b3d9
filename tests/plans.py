"""Random valid plans, for tests that want many."""

import numpy as np

from tinydream.network import SGD, Adam, Network
from tinydream.plan import Inputs, Plan, Rows


def random_rows(rng, columns, classes, *, dreamt=None, shared=None, most=40):
    """Any legal Rows: widths, grids, levels and bits are arbitrary."""
    entries = 1 if (rng.random() < 0.5 if shared is None else shared) else columns
    width = rng.integers(1, 17 if rng.random() < 0.3 else 7, entries)
    label_bits = (classes - 1).bit_length()
    count = int(rng.integers(1, most))
    cuts = sorted(set(rng.integers(1, count, 3).tolist())) if count > 1 else []
    counts = np.diff([0, *cuts, count])
    levels = tuple((int(rng.integers(1, 9)), int(c)) for c in counts)
    row_bits = int(width.sum() if entries > 1 else width[0] * columns) + label_bits
    labels = rng.integers(0, classes, count)
    flat = rng.integers(0, 2, (count, row_bits), dtype=np.uint8)
    for i in range(label_bits):
        flat[:, row_bits - label_bits + i] = labels >> i & 1
    dreamt = rng.random() < 0.7 if dreamt is None else dreamt
    step = 8 * (26 - np.minimum(width, 12)) + rng.integers(0, 8, entries)
    return Rows(
        columns,
        label_bits,
        width,
        rng.integers(-128, 128, entries),
        step,
        rng.integers(0, 200, columns) if dreamt else [],
        levels,
        np.packbits(flat.ravel(), bitorder="little"),
    )


def random_optimizer(rng):
    choice = rng.integers(3)
    if choice == 0:
        return SGD(momentum=0.0)
    return SGD(momentum=float(rng.uniform(0.1, 0.95))) if choice == 1 else Adam()


def random_plan(seed, *, board="native", most_rows=40):
    """A legal plan, small enough for the oracle."""
    rng = np.random.default_rng(seed)
    raw, classes = int(rng.integers(1, 24)), int(rng.integers(2, 12))
    kept = rng.random(raw) < (0.7 if rng.random() < 0.5 else 1.1)
    kept[rng.integers(raw)] = True
    columns = int(kept.sum())
    entries = 1 if rng.random() < 0.5 else columns
    inputs = Inputs(kept, rng.normal(size=entries), rng.integers(-4, 4, entries))
    hidden = rng.integers(1, 23, rng.integers(0, 3)).tolist()
    network = Network.mlp(hidden, classes, random_optimizer(rng))
    batch = int(rng.integers(1, 24))
    return Plan(
        board=board,
        features=tuple(f"f{j}" for j in range(raw)),
        classes=tuple(f"class {k}" for k in range(classes)),
        target="y",
        inputs=inputs,
        rows=random_rows(rng, columns, classes, most=most_rows),
        layers=network.records(columns),
        optimizer=network.optimizer.record(),
        batch=batch,
        slice=int(rng.integers(1, min(batch, 6) + 1)),
    )
