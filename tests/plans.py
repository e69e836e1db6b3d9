"""Random valid plans, for tests that want many."""

from dataclasses import replace

import numpy as np

from tinydream.network import ACTIVATIONS, SGD, Adam, LeakyRelu, Network, Relu
from tinydream.plan import Inputs, Outputs, Plan, Rows


def random_rows(rng, columns, classes, *, targets=0, dreamt=None, shared=None, most=40):
    """Any legal Rows: widths, grids, levels and bits are arbitrary; columns include targets."""
    entries = 1 if (rng.random() < 0.5 if shared is None else shared) else columns
    width = rng.integers(1, 17 if rng.random() < 0.3 else 7, entries)
    label_bits = 0 if targets else (classes - 1).bit_length()
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
        targets,
    )


def random_inputs(rng, kept):
    """Any legal Inputs for these kept columns, some of them expanded, some with fills."""
    expand = rng.integers(0, 5, int(kept.sum())) if rng.random() < 0.3 else []
    columns = int(np.maximum(expand, 1).sum()) if len(expand) else int(kept.sum())
    entries = 1 if rng.random() < 0.5 else columns
    fill = rng.normal(size=columns) if rng.random() < 0.4 else []
    return Inputs(kept, rng.normal(size=entries), rng.integers(-4, 4, entries), expand, fill)


def random_optimizer(rng):
    choice = rng.integers(3)
    if choice == 0:
        return SGD(momentum=0.0)
    return SGD(momentum=float(rng.uniform(0.1, 0.95))) if choice == 1 else Adam()


def with_activations(network, rng):
    """The same network; half of its ReLUs are something else."""
    kinds = [Relu(), LeakyRelu(float(rng.uniform(0, 0.5)))] * 3
    kinds += [kind() for kind in ACTIVATIONS.values()]
    layers = [
        kinds[rng.integers(len(kinds))] if isinstance(layer, Relu) else layer
        for layer in network.layers
    ]
    return replace(network, layers=layers)


def gentle(plan):
    """A factor for the rate: random targets are large, and squared errors larger."""
    return 1e-5 if plan.task == "regression" else 1.0


def random_plan(seed, *, board="native", most_rows=40):
    """A legal plan, small enough for the oracle."""
    rng = np.random.default_rng(seed)
    raw, classes = int(rng.integers(1, 24)), int(rng.integers(2, 12))
    kept = rng.random(raw) < (0.7 if rng.random() < 0.5 else 1.1)
    kept[rng.integers(raw)] = True
    inputs = random_inputs(rng, kept)
    columns = inputs.columns
    hidden = rng.integers(1, 23, rng.integers(0, 3)).tolist()
    targets = int(rng.integers(1, 4)) if rng.random() < 0.4 else 0
    task = "regression" if targets else "classification"
    network = Network.mlp(hidden, targets or classes, random_optimizer(rng), task=task)
    batch = int(rng.integers(1, 24))
    if seed % 7 == 3:
        batch = 1
    network = with_activations(network, np.random.default_rng([seed, 1]))
    return Plan(
        board=board,
        features=tuple(f"f{j}" for j in range(raw)),
        classes=() if targets else tuple(f"class {k}" for k in range(classes)),
        targets=tuple(f"y{k}" for k in range(max(targets, 1))),
        inputs=inputs,
        outputs=Outputs(rng.normal(size=targets), rng.uniform(0.1, 9, targets)),
        rows=random_rows(rng, columns + targets, classes, targets=targets, most=most_rows),
        layers=network.records(columns),
        optimizer=network.optimizer.record(),
        batch=batch,
        slice=int(rng.integers(1, min(batch, 6) + 1)),
    )
