"""Fit the plan of the library's examples anew: `python tests/golden/example.py`, then renew.py."""

from pathlib import Path

import numpy as np

import tinydream as td

CLASSES = ("still", "slow", "fast")


def rows(count, rng):
    """Made-up windows of 8 samples of a 10-bit sensor that stands still, swings slowly or fast."""
    kind = rng.integers(0, len(CLASSES), count)
    swing = rng.uniform(100, 400, (count, 1)) * (kind[:, None] > 0)
    middle, phase = rng.uniform(450, 570, (count, 1)), rng.uniform(0, 2 * np.pi, (count, 1))
    period = np.where(kind == 1, 16.0, 4.0)[:, None]
    x = middle + swing * np.sin(2 * np.pi * np.arange(8) / period + phase)
    return np.round(np.clip(x + rng.normal(0, 10, x.shape), 0, 1023)), kind


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    codec = td.EntroGeDe(budget_bytes=768).fit(*rows(3000, rng))
    plan = td.make_plan(
        codec,
        td.Network.mlp([12], len(CLASSES), td.SGD()),
        board=td.load_board("esp32dev"),
        batch=8,
        features=[f"sample {i}" for i in range(8)],
        classes=CLASSES,
    )
    (Path(__file__).parent / "example.plan").write_bytes(plan.to_bytes())
    device = td.Simulator(plan, weights_seed=1)
    device.train(epochs=20, seed=1, weights_seed=1, rate=0.05)
    x, kind = rows(1000, rng)
    print(f"right on new rows: {np.mean(device.predict(x) == kind):.3f}")
