"""Random valid plans, for tests that want many."""

from dataclasses import replace

import numpy as np

from tinydream.network import (
    ACTIVATIONS,
    SGD,
    Adam,
    Add,
    AveragePool,
    BatchNorm,
    Conv,
    Dense,
    Depthwise,
    Dropout,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    LeakyRelu,
    MaxPool,
    Network,
    Relu,
    Sigmoid,
    Softmax,
)
from tinydream.network.windows import window_record
from tinydream.plan import Inputs, Outputs, Plan, Projection, Rows


def random_rows(rng, columns, classes, *, targets=0, dreamt=None, shared=None, most=40, rich=None):
    """Any legal Rows: widths, grids, levels and bits are arbitrary; columns include targets.

    rich: whether spreads, factors, a transform and soft targets may come in.
    """
    entries = 1 if (rng.random() < 0.5 if shared is None else shared) else columns
    width = rng.integers(1, 17 if rng.random() < 0.3 else 7, entries)
    count = int(rng.integers(1, most))
    cuts = sorted(set(rng.integers(1, count, 3).tolist())) if count > 1 else []
    counts = np.diff([0, *cuts, count])
    levels = tuple((int(rng.integers(1, 9)), int(c)) for c in counts)
    dreamt = rng.random() < 0.7 if dreamt is None else dreamt
    rich = rng.random() < 0.7 if rich is None else rich
    soft = int(rng.integers(1, 9)) if rich and not targets and rng.random() < 0.4 else 0
    model = random_model(rng, columns, targets, classes) if rich and dreamt else {}
    label_bits = 0 if targets or soft else (classes - 1).bit_length()
    own = int(width.sum() if entries > 1 else width[0] * columns)
    codes = rng.integers(0, 1 << model.get("spread_bits", 0), (count, 1))
    if soft:
        behind = rng.integers(0, 1 << soft, (count, classes))
        behind[np.arange(count), rng.integers(0, classes, count)] |= 1  # some share is not 0
    else:
        behind = rng.integers(0, classes, (count, 1))
    flat = [
        rng.integers(0, 2, (count, own), dtype=np.uint8),
        bits_of(behind, soft or label_bits),
        bits_of(codes, model.get("spread_bits", 0)),
    ]
    step = 8 * (26 - np.minimum(width, 12)) + rng.integers(0, 8, entries)
    by_class = len(model.get("spread", ())) and not model["spread_bits"]
    return Rows(
        columns,
        label_bits,
        width,
        rng.integers(-128, 128, entries),
        step,
        rng.integers(0, 200, columns) if dreamt else [],
        levels,
        np.packbits(np.concatenate(flat, axis=1).ravel(), bitorder="little"),
        targets,
        classes if soft or by_class else 0,
        soft,
        **model,
    )


def bits_of(values, width):
    """Integers (m, k) as bits (m, k * width), least significant first."""
    bits = values[:, :, None] >> np.arange(width) & 1
    return bits.reshape(len(values), -1).astype(np.uint8)


def random_model(rng, columns, targets, classes):
    """What rows may say of their deviations beyond sigma, by name."""
    model, kind = {}, int(rng.integers(3))
    if kind == 2 or kind == 1 and not targets:
        model["spread_bits"] = int(rng.integers(1, 5)) if kind == 2 else 0
        entries = 1 << model["spread_bits"] if kind == 2 else classes
        model["spread"] = rng.integers(170, 200, entries)
    if rng.random() < 0.5:
        rank = int(rng.integers(1, 9))
        model["factors"] = rng.integers(-128, 128, (rank, columns))
        model["factor_scale"] = rng.integers(90, 110, rank)
    if rng.random() < 0.5:
        model["axes"] = random_axes(rng, columns - targets)
        model["correction"] = rng.integers(170, 200, columns - targets)
    return model


def random_axes(rng, inputs):
    """One to three axes whose lengths are `inputs` together."""
    axes = []
    for _ in range(int(rng.integers(0, 3))):
        length = int(rng.choice([n for n in range(1, inputs + 1) if inputs % n == 0]))
        axes.append((length, bool(rng.random() < 0.7)))
        inputs //= length
    return (*axes, (inputs, bool(rng.random() < 0.7)))


def random_inputs(rng, kept):
    """Any legal Inputs for these kept columns: some are expanded, some have fills, some project."""
    expand = rng.integers(0, 5, int(kept.sum())) if rng.random() < 0.3 else []
    columns = int(np.maximum(expand, 1).sum()) if len(expand) else int(kept.sum())
    entries = 1 if rng.random() < 0.5 else columns
    fill = rng.normal(size=columns) if rng.random() < 0.4 else []
    shift, gain = rng.normal(size=entries), rng.integers(-4, 4, entries)
    projection = random_projection(rng, columns) if rng.random() < 0.4 else None
    return Inputs(kept, shift, gain, expand, fill, projection)


def random_projection(rng, columns):
    """Any legal projection of so many scaled inputs."""
    bits, outputs = int(rng.integers(2, 9)), int(rng.integers(1, 20))
    codes = rng.integers(-(1 << bits - 1), 1 << bits - 1, (columns, outputs))
    return Projection(codes, rng.integers(210 - 8 * bits, 226 - 8 * bits, outputs), bits)


def random_optimizer(rng):
    choice = rng.integers(3)
    clip = float(rng.uniform(0.01, 2)) if rng.random() < 0.3 else 0.0
    decay = float(rng.uniform(0.001, 0.5)) if rng.random() < 0.3 else 0.0
    if choice == 0:
        return SGD(momentum=0.0, clip=clip, decay=decay)
    if choice == 1:
        return SGD(momentum=float(rng.uniform(0.1, 0.95)), clip=clip, decay=decay)
    return Adam(clip=clip, decay=decay)


def with_activations(network, rng):
    """The same network; half of its ReLUs are something else."""
    kinds = [Relu(), LeakyRelu(float(rng.uniform(0, 0.5)))] * 3
    kinds += [kind() for kind in ACTIVATIONS.values()]
    layers = [
        kinds[rng.integers(len(kinds))] if isinstance(layer, Relu) else layer
        for layer in network.layers
    ]
    return replace(network, layers=layers)


def partly_trained(network, rng):
    """The same network; sometimes only the last layers, or biases, or any choice of them move."""
    count = sum(isinstance(layer, Dense) for layer in network.layers)
    choice = rng.random()
    if choice < 0.4:
        return network
    if choice < 0.7:
        last = int(rng.integers(1, count + 1))
        return network.trained(last, bias_only=bool(rng.random() < 0.4))
    words = rng.choice(["all", "bias", "none"], count).tolist()
    words[rng.integers(count)] = "all"
    layers = [replace(x, train=words.pop()) if isinstance(x, Dense) else x for x in network.layers]
    return replace(network, layers=layers)


def gentle(plan):
    """A factor for the rate: random targets are large, squared errors larger; one row is noisy."""
    return (1e-5 if plan.task == "regression" else 1.0) * (0.1 if plan.batch == 1 else 1.0)


def with_validation(plan, rng):
    """The same plan; often with validation rows, and then often with the best weights kept."""
    if rng.random() < 0.5:
        return plan
    rows, count = plan.rows, int(rng.integers(1, 30))
    width = np.repeat(rows.width, rows.columns) if len(rows.width) == 1 else rows.width
    behind = rng.integers(0, max(len(plan.classes), 1), (count, 1))
    flat = [rng.integers(0, 2, (count, int(width.sum()))), bits_of(behind, rows.hard_bits)]
    bits = np.packbits(np.hstack(flat).astype(np.uint8).ravel(), bitorder="little")
    validation = rows.plain(bits, count)
    return replace(plan, validation=validation, keep_best=bool(rng.random() < 0.6))


def random_plan(seed, *, board="native", most_rows=40):
    """A legal plan, small enough for the oracle."""
    rng = np.random.default_rng(seed)
    raw, classes = int(rng.integers(1, 24)), int(rng.integers(2, 12))
    kept = rng.random(raw) < (0.7 if rng.random() < 0.5 else 1.1)
    kept[rng.integers(raw)] = True
    inputs = random_inputs(rng, kept)
    columns = inputs.outputs
    hidden = rng.integers(1, 23, rng.integers(0, 3)).tolist()
    targets = int(rng.integers(1, 4)) if rng.random() < 0.4 else 0
    task = "regression" if targets else "classification"
    huber = float(np.float32(rng.uniform(0.01, 50))) if targets and rng.random() < 0.4 else 0.0
    if not targets and rng.random() < 0.2:
        classes = 2  # which may have one output
    outputs = 1 if classes == 2 and rng.random() < 0.7 else classes
    network = Network.mlp(hidden, targets or outputs, random_optimizer(rng), task=task, huber=huber)
    batch = int(rng.integers(1, 24))
    if seed % 7 == 3:
        batch = 1
    network = with_activations(network, np.random.default_rng([seed, 1]))
    network = partly_trained(network, np.random.default_rng([seed, 3]))
    plan = Plan(
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
        delta=huber,
    )
    return with_validation(plan, np.random.default_rng([seed, 2]))


def random_window(rng, shape):
    """A layer with a window that fits inputs of a shape."""
    size = tuple(int(rng.integers(1, min(n, 4) + 1)) for n in shape[:-1])
    strides = tuple(int(rng.integers(1, 4)) for _ in size)
    apart = tuple(max(a, b) for a, b in zip(size, strides, strict=True))
    padding = str(rng.choice(["valid", "same"]))
    train = str(rng.choice(["all", "all", "all", "bias", "none"]))
    kind = rng.choice(
        ["conv", "depthwise", "max", "average", "global"], p=[0.5, 0.2, 0.1, 0.1, 0.1]
    )
    if kind == "conv":
        return Conv(int(rng.integers(1, 18)), size, strides, padding, train)
    if kind == "depthwise":
        return Depthwise(size, strides, padding, train)
    if kind == "max":
        return MaxPool(size, apart, padding)
    if kind == "average":
        return AveragePool(size, strides, padding)
    return GlobalMaxPool() if rng.random() < 0.5 else GlobalAveragePool()


def random_windows(rng, shape):
    """Up to four of them, often with an activation behind."""
    layers = []
    for _ in range(int(rng.integers(1, 5))):
        layers.append(random_window(rng, shape))
        shape = window_record(layers[-1], shape)[1]
        if rng.random() < 0.6:
            layers.append(Relu())
        if len(shape) == 1:
            break
    return layers


def random_between(rng, layers):
    """A few operations that keep the shape; often an earlier one's outputs are added to theirs."""
    start = len(layers) - 1
    flat = any(isinstance(x, GlobalMaxPool | GlobalAveragePool) for x in layers)
    for _ in range(int(rng.integers(1, 4))):
        kind = rng.choice(["norm", "drop", "norm" if flat else "conv"])
        train = str(rng.choice(["all", "all", "bias", "none"]))
        if kind == "norm":
            layers.append(BatchNorm(float(rng.choice([0.0, 0.5, 0.9])), train))
        elif kind == "drop":
            layers.append(Dropout(float(rng.choice([0.0, 0.25, 0.8]))))
        else:
            layers.append(Depthwise(3, 1, "same", train))
        if rng.random() < 0.5:
            layers.append(Relu())
    operations = sum(not isinstance(layer, Relu) for layer in layers[start + 1 :])
    if operations > 1 or (operations == 1 and start >= 0):
        at = start if start >= 0 else 1 if isinstance(layers[1], Relu) else 0
        layers += [Add(at)] * int(rng.integers(1, 3))


def with_windows(plan, rng, *, between=False):
    """The same plan; before its last Dense windows move over its inputs. between: and the rest."""
    inputs = plan.inputs.outputs
    height = int(rng.choice([n for n in range(1, inputs + 1) if inputs % n == 0]))
    shape = (height, inputs // height)
    if rng.random() < 0.5:
        width = int(rng.choice([n for n in range(1, shape[1] + 1) if shape[1] % n == 0]))
        shape = (height, width, shape[1] // width)
    last = Dense(plan.dense[-1].outputs)
    layers = random_windows(rng, shape)
    if between:
        random_between(rng, layers)
    layers += [Flatten(), last]
    if plan.task == "classification":
        layers.append(Softmax() if last.units > 1 else Sigmoid())
    network = with_activations(Network(layers, shape=shape), rng)
    return replace(plan, layers=network.records(inputs))
