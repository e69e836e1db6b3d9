"""Tables that tests learn from."""

import numpy as np


def table(n=900, d=40, classes=4, noise=1.6, seed=0):
    """Classes whose means lie in a few directions of many noisy columns."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    means = 0.9 * rng.normal(size=(classes, d))
    return (means[y] + noise * rng.normal(size=(n, d))).astype(np.float32), y.astype(np.int32)
